"""The command line: `python -m scripts.analysis metrics|price|verdicts|import|recommend|budget|compare|...`."""

from pathlib import Path
from typing import Annotated

import typer

from export.arguments import parse_count, parse_depths
from export.console import ExitCode, run_app, say
from models.errors import UserError
from models.pair import reference_for
from scripts.analysis import display, output
from scripts.analysis.cells import Cell, group_cells, load_records
from scripts.analysis.comparison import compare_results
from scripts.analysis.foreign import foreign_tables
from scripts.analysis.health import device_health
from scripts.analysis.history import find_steps, series_of
from scripts.analysis.llama_bench import read_llama_bench
from scripts.analysis.metrics import METRICS, Better, MetricName
from scripts.analysis.pairs import pair_verdicts
from scripts.analysis.price.budget import audit_budgets
from scripts.analysis.price.display import PRICE_NOTE, price_tables
from scripts.analysis.price.pair_explanations import explanations, size_explanations
from scripts.analysis.price.price import PriceFit
from scripts.analysis.price.recommend import Quality, limits
from scripts.analysis.price.recommend import recommend as recommend_shapes
from scripts.analysis.price.sweep import SetupPrice, check_predictions, setup_prices, storage_of
from scripts.analysis.sessions import SESSION_SD, TOLERANCE
from scripts.analysis.tables import cell_tables, metric_note, verdict_tables
from scripts.files import check_folder
from scripts.records.foreign import Program, read_foreign, write_foreign
from scripts.tables import FormatOption, JsonOption, TableFormat, wanted_format, write_tables

EXIT_NO_VERDICT = 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Turn run records into metrics, the price of a layer, and verdicts with error bars. RESULTS is a folder of "
    "records as `python -m scripts.farm` leaves it.",
)

Results = Annotated[Path, typer.Argument(help="Folder of records, searched to the bottom.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, on the last line of standard output.")]
WhichMetric = Annotated[MetricName, typer.Option("--metric", help="What to compare.")]
CacheMb = Annotated[
    float | None,
    typer.Option(
        "--cache-mb", min=0, help="Last-level cache; shapes below twice its size are left out. Default: found."
    ),
]


@app.command("metrics")
def metrics(
    results: Results,
    metric: WhichMetric = MetricName.DECODE_P50_MS,
    form: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a metric of every cell: median and range over its runs. What `import` added has a table of its own."""
    wanted = wanted_format(form, as_json)
    cells, problems = _load(results), list[str]()
    imported = [timing for _, timing in read_foreign(results, problems)]
    for line in problems:
        say(line)
    if wanted is TableFormat.JSON:
        output.print_cells(cells, imported)
    else:
        write_tables([*cell_tables(cells, metric), *foreign_tables(imported)], wanted, [metric_note(metric)])


@app.command("price")
def price(
    results: Results,
    predict: Annotated[
        list[str] | None, typer.Option("--predict", metavar="PAIR", help="Keep out of the fit and predict. Repeatable.")
    ] = None,
    cache_mb: CacheMb = None,
    form: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fit t = t0 + L * tau + W / B_w + KV / B_kv to a sweep, and print what depth costs.

    For example: python -m scripts.analysis price results/sweep --predict mobilellm-125m
    """
    wanted = wanted_format(form, as_json)
    cells, pairs = _load(results), tuple(predict or ())
    prices = _prices(results, setup_prices(cells, pairs, None if cache_mb is None else cache_mb * 1e6))
    rows = [(each, output.card_of(each), check_predictions(each, cells, pairs)) for each in prices]
    if pairs and not any(checked for _, _, checked in rows):
        known = ", ".join(sorted({cell.key.network.pair for cell in cells}))
        raise UserError(f"--predict {', '.join(pairs)}: nothing to predict in a fitted setup; pairs there: {known}")
    if wanted is TableFormat.JSON:
        output.print_prices(rows)
    else:
        write_tables([table for row in rows for table in price_tables(*row)], wanted, [PRICE_NOTE])


@app.command("recommend")
def recommend(
    results: Results,
    params: Annotated[str, typer.Option("--params", help="Total parameters, such as 125M.")],
    max_ms: Annotated[float, typer.Option("--max-ms", min=0, help="Most ms a token may take.")],
    quality: Annotated[
        Quality, typer.Option("--quality", help="Where the quality of a shape comes from.")
    ] = Quality.NONE,
    context: Annotated[int, typer.Option("--context", min=1, help="Positions a token attends.")] = 512,
    as_json: AsJson = False,
) -> None:
    """List the shapes of a size that are fast enough on each measured device, best first.

    For example: python -m scripts.analysis recommend results/sweep --params 125M --max-ms 8 --quality gemstones
    """
    found: list[tuple[SetupPrice, object]] = []
    for each, fit in _fits(results):
        rows = recommend_shapes(fit, storage_of(each.setup), parse_count(params), max_ms * 1e6, quality, context)
        found.append((each, rows))
        if not as_json:
            display.print_setup(each.setup)
            display.print_recommendations(rows, fit, limits(rows, quality))
    if as_json:
        output.print_by_setup("recommendations", found)


@app.command("verdicts")
def verdicts(
    results: Results,
    metric: WhichMetric = MetricName.DECODE_P50_MS,
    form: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the arms of every pair, setup by setup. Corrected by Holm inside a setup; `p all` over everything."""
    wanted = wanted_format(form, as_json)
    cells = _load(results)
    rows = pair_verdicts(cells, metric)
    if not rows:
        raise UserError(f"{results}: no setup measured both arms of a pair")
    by_price, by_size = explanations(rows, setup_prices(cells)), size_explanations(rows)
    told = [full or size for full, size in zip(by_price, by_size, strict=True)]
    if wanted is TableFormat.JSON:
        output.print_verdicts(rows, told)
    else:
        tables = verdict_tables(rows, [each.sentence if each else "" for each in told])
        write_tables(tables, wanted, [metric_note(metric)])


@app.command("budget")
def budget(
    results: Results,
    params: Annotated[str, typer.Option("--params", help="Total parameters of the deep shape, such as 125M.")] = "125M",
    layers: Annotated[str, typer.Option("--layers", help="Depths of the two shapes, deep first.")] = "30,12",
    context: Annotated[int, typer.Option("--context", min=1, help="Positions a token attends.")] = 512,
    as_json: AsJson = False,
) -> None:
    """Predict the winner under every meaning of the same budget, and warn where it changes."""
    deep_layers, wide_layers = parse_depths(layers)
    deep = reference_for(parse_count(params), deep_layers)
    found: list[tuple[SetupPrice, object]] = []
    for each, fit in _fits(results):
        audit = audit_budgets(fit, deep, wide_layers, storage_of(each.setup), context)
        found.append((each, audit))
        if not as_json:
            display.print_setup(each.setup)
            display.print_budgets(audit, fit)
    if as_json:
        output.print_by_setup("budgets", found)


@app.command("compare")
def compare(
    baseline: Annotated[Path, typer.Argument(help="Folder of records to compare with.")],
    candidate: Annotated[Path, typer.Argument(help="Folder of records to judge.")],
    metric: WhichMetric = MetricName.DECODE_P50_MS,
    allow_harness: Annotated[
        bool, typer.Option("--allow-harness", help="Declare the two harness builds compatible.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.001, max=1, help="Relative loss that may pass.")
    ] = TOLERANCE,
    session_sd: Annotated[
        float,
        typer.Option(
            "--session-sd",
            min=0,
            max=1,
            help="How far sessions differ in everything (standard deviation); used below 4 networks a setup.",
        ),
    ] = SESSION_SD,
    as_json: AsJson = False,
) -> None:
    """Judge a candidate session, network by network, once what all networks of a setup share is removed.

    Exit code 0: no network of both sides is worse by more than the tolerance; 1: one became worse; 3: cannot tell, as
    conditions differ, runs are too few, or only one side measured a network; the output names the runs needed.
    """
    _check_direction(metric)
    sides = _load(baseline), _load(candidate)
    comparison = compare_results(*sides, metric, allow_harness, tolerance, session_sd)
    if not comparison.networks and not comparison.incomparable:
        raise UserError(f"{baseline} and {candidate} have no network on the same device in common")
    if as_json:
        output.print_comparison(comparison)
    else:
        display.print_comparison(comparison)
    if comparison.regressions:
        raise typer.Exit(ExitCode.FAILED)
    if not comparison.complete:
        raise typer.Exit(EXIT_NO_VERDICT)


@app.command("history")
def history(results: Results, metric: WhichMetric = MetricName.DECODE_P50_MS, as_json: AsJson = False) -> None:
    """Find lasting steps in each network's history on each device; a point is a campaign."""
    _check_direction(metric)
    series = series_of(_load(results), metric)
    searched = max(1, sum(each.refusal is None for each in series))
    found = [
        (each, [] if each.refusal else find_steps(each.values, METRICS[metric].floor, searched)) for each in series
    ]
    if as_json:
        rows = [{"series": series, "not_searched": series.refusal, "steps": steps} for series, steps in found]
        output.print_result({"series": rows})
    else:
        display.print_history(found)


@app.command("health")
def health(results: Results, as_json: AsJson = False) -> None:
    """Score how steadily each device measures: ExecuTorch's stability score over the runs of its cells."""
    rows = device_health(_load(results))
    if as_json:
        output.print_result({"devices": rows})
    else:
        display.print_health(rows)


@app.command("import")
def import_timings(
    program: Annotated[Program, typer.Argument(help="Program that measured.")],
    file: Annotated[Path, typer.Argument(help="What it printed, such as by `llama-bench -o json`.")],
    out: Annotated[Path, typer.Option("--out", metavar="RESULTS", help="Results folder, made if missing.")],
    device: Annotated[
        str | None, typer.Option("--device", help="What you call the device it ran on; the program does not know.")
    ] = None,
) -> None:
    """Keep another program's timings beside the records of a results folder; `metrics` lists them, nothing pools them.

    For example: python -m scripts.analysis import llama-bench bench.json --out results --device phone-1
    """
    match program:
        case Program.LLAMA_BENCH:
            timing = read_llama_bench(file, device)
    check_folder(out)
    path = write_foreign(timing, out, file.stem)
    say(f"{path}: {len(timing.tests)} tests of {program}")


def _check_direction(metric: MetricName) -> None:
    if METRICS[metric].better is Better.NEITHER:
        known = ", ".join(name for name, each in METRICS.items() if each.better is not Better.NEITHER)
        raise UserError(f"--metric {metric}: describes a run, nothing is better or worse by it; choose one of {known}")


def _load(results: Path) -> list[Cell]:
    loaded = load_records(results)
    display.say_unreadable(loaded)
    return group_cells(loaded.records)


def _prices(results: Path, prices: list[SetupPrice]) -> list[SetupPrice]:
    if not prices:
        raise UserError(f"{results}: no setup measured two decoders; run a sweep: python -m export sweep")
    return prices


def _fits(results: Path) -> list[tuple[SetupPrice, PriceFit]]:
    """Setups with a price.

    Raises:
        UserError: there is none; the message says why for the first.
    """
    prices = _prices(results, setup_prices(_load(results)))
    fits = [(each, each.outcome) for each in prices if isinstance(each.outcome, PriceFit)]
    if not fits:
        first = prices[0].outcome
        assert not isinstance(first, PriceFit)
        raise UserError(f"{results}: {first.label}: {first.reason}; {first.advice}")
    return fits


def main() -> int:
    """Run a command; the exit code."""
    return run_app(app, "python -m scripts.analysis")
