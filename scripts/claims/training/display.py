"""The result of the trainings as a table."""

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from models.pair import Arm
from models.shape import describe
from scripts.analysis.spread import spread
from scripts.claims.training.record import TaskFacts, Training, TrainingRun, Variant

_WIDTH = 160


def print_training(training: Training) -> None:
    """One row for each network: losses over the seeds, gradients at the start."""
    console = Console()
    console = console if console.is_terminal else Console(width=_WIDTH)
    console.print(
        f"{training.date}, {training.processor}, {training.threads} threads, {len(training.seeds)} seeds"
        f"{', QUICK: numbers mean nothing' if training.quick else ''}"
    )
    for facts in training.tasks:
        console.print(f"\n{facts.task}: {facts.description}. {facts.loss}, {facts.steps} updates.", highlight=False)
        console.print(f"The best constant guess scores {facts.trivial_loss:.3g}.", highlight=False)
        console.print(_table(training, facts), highlight=False)


def _table(training: Training, facts: TaskFacts) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("arm", "network", "construction"):
        table.add_column(name)
    for name in ("parameters", "rate", "training loss", "held-out loss", "diverged", "gradient first/last layer"):
        table.add_column(name, justify="right")
    for arm in Arm:
        for variant in Variant:
            if runs := training.select(facts.task, arm, variant):
                table.add_row(*_row(facts, arm, variant, runs))
    return table


def _row(facts: TaskFacts, arm: Arm, variant: Variant, runs: Sequence[TrainingRun]) -> list[str]:
    shape, count = (
        (facts.deep, facts.deep_parameters) if arm is Arm.DEEP else (facts.wide, facts.wide_parameters)
    )  # fmt: skip
    ratios = [ratio for run in runs if (ratio := run.gradients[0].first_to_last) is not None]
    return [
        arm, describe(shape), variant, f"{count:,}", f"{runs[0].learning_rate:g}",
        _losses([run.train_loss for run in runs]), _losses([run.held_out_loss for run in runs]),
        f"{sum(run.diverged for run in runs)}/{len(runs)}", f"{statistics.median(ratios):.2g}" if ratios else "-",
    ]  # fmt: skip


def _losses(losses: Sequence[float | None]) -> str:
    known = [loss for loss in losses if loss is not None]
    # Without markup's brackets: rich would read [0.1..0.2] as a style.
    return f"{spread(known):.4f}".replace("[", "\\[") if known else "-"
