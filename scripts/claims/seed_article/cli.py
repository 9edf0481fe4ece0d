"""The command line: `python -m scripts.claims.seed_article`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from export.console import run_app, say_progress
from export.files import write_json
from models.errors import UserError
from scripts.claims.seed_article.display import print_article
from scripts.claims.seed_article.measure import Plan, available_computes, measure
from scripts.claims.seed_article.pairs import SEED_PAIRS, pair_facts
from scripts.claims.seed_article.record import Compute, Measurement, SeedArticle
from scripts.files import check_writable
from scripts.host.environment import usable_cores
from scripts.host.machine import this_machine

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def seed_article(
    device: Annotated[
        Compute | None, typer.Option("--device", help="Default: the CPU, and CUDA where there is a GPU.")
    ] = None,
    threads: Annotated[
        str,
        typer.Option("--threads", help="Threads of the CPU engines, several with commas. Default: 1 and all cores."),
    ] = "",
    batch: Annotated[str, typer.Option("--batch", help="Rows of a call, several with commas.")] = "1,128",
    runs: Annotated[int, typer.Option("--runs", min=1, help="Runs of each arm in each comparison.")] = 12,
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", help="Folder with fp32 artifacts of seed-mlp and seed-mlp-matched.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write all figures, raw ones included, as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON instead.")] = False,
) -> None:
    """Latency, parameters and activation MB of the seed article's two networks, beside a pair of equal size.

    The article does not rest on a batch that its numbers would show, so two are measured: 1, which is what a phone
    computes for a token, and 128, a chunk of a prompt, at which activations come to megabytes.
    """
    computes = _computes(device)
    settings = _numbers(threads, "threads") if threads else tuple(sorted({1, len(usable_cores())}))
    if max(settings) > len(usable_cores()):
        raise UserError(f"--threads {max(settings)}: this machine has {len(usable_cores())} cores")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        check_writable(out, "--out")
    machine = this_machine()
    plan = Plan(
        computes=computes, threads=settings, batches=_numbers(batch, "batch"), runs=runs, artifacts=artifacts
    )  # fmt: skip
    comparisons = measure(plan, lambda line, done, total: say_progress(f"[{done + 1}/{total}] {line}"))
    article = SeedArticle(
        schema="deepnarrow/seed-article/1",
        measurement=Measurement(
            date=machine.date, system=machine.system, processor=machine.processor, cores=machine.cores,
            load_average=machine.load_average, packages=machine.packages,
        ),
        pairs=tuple(map(pair_facts, SEED_PAIRS)), comparisons=comparisons,
    )  # fmt: skip
    if out:
        write_json(article, out)
    print(json.dumps(article.model_dump(mode="json", by_alias=True))) if as_json else print_article(article)


def _computes(device: Compute | None) -> tuple[Compute, ...]:
    available = available_computes()
    if device is not None and device not in available:
        raise UserError(f"--device {device}: PyTorch finds no GPU here; choose {', '.join(available)}")
    return (device,) if device else tuple(available)


def _numbers(text: str, option: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise UserError(f"--{option} {text!r} must be numbers above 0 with commas between them, such as 1,128")
    return tuple(sorted({int(part) for part in parts}))


def main() -> int:
    """Run; the exit code."""
    return run_app(app, "python -m scripts.claims.seed_article")
