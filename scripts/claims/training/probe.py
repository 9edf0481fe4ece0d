"""The command line: `python -m scripts.claims.training.probe`."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from export.console import ExitCode, Verbosity, print_json, run_app, say, say_progress, verbosity
from export.files import write_json
from scripts.claims.training.display import print_training
from scripts.claims.training.record import Training, TrainingRun
from scripts.claims.training.tasks import FULL, QUICK, Problem, longer, problems
from scripts.claims.training.train import contenders, num_trainings, train_contender
from scripts.files import check_writable
from scripts.host.machine import Machine, this_machine

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def probe(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each network; verdicts need 3.")] = 4,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Default: all cores.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few updates each: tries the code, measures nothing.")
    ] = False,
    factor: Annotated[int, typer.Option("--longer", min=1, help="Times as many updates of each training.")] = 1,
    out: Annotated[Path, typer.Option("--out", help="The JSON file.")] = Path("results/training/probe.json"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON instead.")] = False,
) -> None:
    """Train tiny matched deep and wide networks: is depth harder to train, and what can each shape fit?

    MLPs plain as in the seed article, with He initialisation, with residuals, with residuals and norms; then decoders
    of 1.1 M parameters on the project's own sources and documents. A grid of learning rates is tried for each network
    by itself. The same seeds give the same losses on the same machine, threads and sources. Interrupted, it keeps the
    trainings that ended.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    check_writable(out, "--out")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    count = threads or os.cpu_count() or 1
    torch.set_num_threads(count)
    tasks = problems(longer(QUICK if quick else FULL, factor))
    machine, numbers = this_machine(), tuple(range(seeds))
    runs: list[TrainingRun] = []
    complete = _train_all(tasks, numbers, runs)
    result = _result(machine, tasks, runs, numbers, count, quick, complete)
    write_json(result, out)
    print_json(result) if as_json else print_training(result)
    say(f"{len(runs)} trainings in {out}{'' if complete else ', interrupted before the last'}")
    if not complete:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _train_all(tasks: list[Problem], seeds: tuple[int, ...], runs: list[TrainingRun]) -> bool:
    """Fill `runs`; False where it was interrupted."""
    todo = contenders(tasks)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, disable=not console.is_terminal or verbosity() is Verbosity.QUIET
    ) as progress:
        bar = progress.add_task("", total=sum(num_trainings(each, seeds) for each in todo))

        def on_run(run: TrainingRun) -> None:
            runs.append(run)
            progress.advance(bar)

        try:
            for each in todo:
                label = f"{each.problem.facts.task}, {each.arm}, {each.variant}"
                progress.update(bar, description=label)
                if not console.is_terminal:
                    say_progress(label)
                train_contender(each, seeds, on_run)
        except KeyboardInterrupt:
            return False
    return True


def _result(
    machine: Machine, tasks: list[Problem], runs: list[TrainingRun], seeds: tuple[int, ...], threads: int, quick: bool,
    complete: bool,
) -> Training:  # fmt: skip
    return Training(
        schema="deepnarrow/training/1", date=machine.date, system=machine.system, processor=machine.processor,
        packages=machine.packages, threads=threads, quick=quick, complete=complete, seeds=seeds,
        tasks=tuple(task.facts for task in tasks), runs=tuple(runs),
    )  # fmt: skip


def main() -> int:
    """Run; the exit code."""
    return run_app(app, "python -m scripts.claims.training.probe")


if __name__ == "__main__":
    sys.exit(main())
