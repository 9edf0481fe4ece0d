"""The command line: `python -m scripts.report RESULTS --out report.html` and `python -m scripts.report claims`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from export.console import print_json, run_app, say
from export.files import write_text
from models.errors import UserError
from scripts.analysis.cells import Cell, group_cells, load_records
from scripts.claims.answers import claims_table
from scripts.claims.claim import ClaimRow
from scripts.claims.display import print_claims
from scripts.claims.inputs import read_seed_article, read_training
from scripts.files import check_folder, check_target
from scripts.records.shared import shared_element
from scripts.report.html import render_page
from scripts.report.kit.evidence import gather
from scripts.report.page import build_page
from scripts.report.pictures import write_figures
from scripts.report.summary import summarize

_STDOUT = "-"


class _PageFirst(TyperGroup):
    """Takes a first argument that names no command as the folder of `page`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if args and args[0] not in self.commands and args[0] not in ("--help",):
            args = ["page", *args]
        return super().parse_args(ctx, _with_stdout(args) if args[:1] == ["page"] else args)


def _with_stdout(args: list[str]) -> list[str]:
    """`--json` without a file means standard output."""
    given: list[str] = []
    for place, arg in enumerate(args):
        given.append(arg)
        if arg == "--json" and (place + 1 == len(args) or args[place + 1].startswith("--")):
            given.append(_STDOUT)
    return given


app = typer.Typer(
    cls=_PageFirst,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From records to a decision. `python -m scripts.report RESULTS` is short for `... page RESULTS`.",
)

Results = Annotated[Path, typer.Argument(help="A folder of records, such as results/, or a shared file.")]


SeedArticle = Annotated[
    Path | None,
    typer.Option("--seed-article", metavar="FILE", help="What `python -m scripts.claims.seed_article` wrote."),
]
Training = Annotated[
    Path | None,
    typer.Option("--training", metavar="FILE", help="What `python -m scripts.claims.training.probe` wrote."),
]


@app.command("page")
def page(
    results: Results,
    out: Annotated[Path, typer.Option("--out", help="The page: one file that needs no network.")] = Path("report.html"),
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json",
            metavar="[FILE]",
            help="Also write a summary as JSON; without FILE on the last line of standard output.",
        ),
    ] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Also write each chart as SVG and PNG.")
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Headline of the page.")] = "Deep or wide: measured",
    seed_article: SeedArticle = None,
    training: Training = None,
) -> None:
    r"""Write the page of everything that was measured.

    \b
    python -m scripts.report results --out report.html
    python -m scripts.report results/nightly --json summary.json --figures figures
    """
    _check_outputs(out, json_file, figures)
    evidence = gather(load_records(results))
    built = build_page(evidence, title, _claims(evidence.cells, seed_article, training))
    write_text(out, render_page(built))
    for path in write_figures(built, figures) if figures else []:
        say(f"wrote {path}")
    say(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB, {len(evidence.records)} runs)")
    summary = summarize(evidence, out)
    if json_file == _STDOUT:
        print_json(summary)
    elif json_file:
        write_text(Path(json_file), summary.model_dump_json(indent=1, by_alias=True) + "\n")


@app.command("share")
def share(
    results: Results,
    out: Annotated[Path, typer.Option("--out", help="The file to send: the page with its records inside.")] = Path(
        "shared.html"
    ),
    title: Annotated[str, typer.Option("--title", help="Headline of the page.")] = "Deep or wide: measured",
    seed_article: SeedArticle = None,
    training: Training = None,
) -> None:
    r"""Write one file that carries a result to somebody else: the page, with every record inside.

    \b
    python -m scripts.report share results/nightly --out nightly.html
    python -m scripts.report nightly.html --out again.html      # whoever gets it: the page again
    python -m scripts.analysis compare nightly.html results     # or beside their own
    """
    check_target(out)
    if not results.is_dir():
        raise UserError(f"{results}: no such folder; give a folder of records, such as results/")
    evidence = gather(load_records(results))
    built = build_page(evidence, title, _claims(evidence.cells, seed_article, training))
    write_text(out, render_page(built, shared_element(results)))
    say(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB, {len(evidence.records)} runs; it names devices by their ids)")


@app.command("claims")
def claims(
    results: Annotated[Path | None, typer.Argument(help="A folder of records.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on the last line of standard output.")] = False,
    seed_article: SeedArticle = None,
    training: Training = None,
) -> None:
    """What is said of deep-narrow networks, claim by claim, held against what was measured."""
    cells = group_cells(load_records(results).records) if results else ()
    print_claims(_claims(cells, seed_article, training), as_json)


def _check_outputs(out: Path, json_file: str | None, figures: Path | None) -> None:
    check_target(out)
    if json_file not in (None, _STDOUT):
        check_target(Path(str(json_file)))
    if figures:
        check_folder(figures)


def _claims(cells: Sequence[Cell], seed_article: Path | None, training: Path | None) -> Sequence[ClaimRow]:
    return claims_table(
        cells,
        read_seed_article(seed_article) if seed_article else None,
        read_training(training) if training else None,
    )


def main() -> int:
    """Run; the exit code."""
    return run_app(app, "python -m scripts.report")
