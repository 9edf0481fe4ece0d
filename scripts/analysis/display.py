"""What the commands print for people."""

import math
from collections.abc import Sequence
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from scripts.analysis.budget import BudgetAudit
from scripts.analysis.card import PriceCard
from scripts.analysis.cells import Cell, Loaded, RunState, Setup
from scripts.analysis.comparison import Comparison
from scripts.analysis.health import DeviceHealth
from scripts.analysis.history import Series, Step
from scripts.analysis.metrics import METRICS, At, MetricName
from scripts.analysis.pair_verdicts import PairVerdict
from scripts.analysis.price import Interval, PriceFit, Unidentified
from scripts.analysis.recommend import Recommendation
from scripts.analysis.sweep_price import Checked, SetupPrice
from scripts.analysis.token_model import Term
from scripts.analysis.verdict import Verdict, Word
from scripts.records import DeviceKind

Row = TypeVar("Row")
_TABLE_WIDTH = 200
_NS_PER_MS, _NS_PER_US, _GB = 1e6, 1e3, 1e9


def say(line: str) -> None:
    """One line on standard error."""
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def say_unreadable(loaded: Loaded) -> None:
    """One line for each record that could not be read."""
    for each in loaded.unreadable:
        say(f"skipped: {each.reason}")


def print_cells(cells: Sequence[Cell], metric: MetricName) -> None:
    """Median and range over runs of one metric, a table for each setup."""
    definition = METRICS[metric]
    place = "" if definition.at is At.RUN else f"{definition.at}"
    for setup, mine in _by_setup([(cell.key.setup, cell) for cell in cells]):
        print_setup(setup)
        table = _table("network", f">{place}", ">runs", ">not used", f">{definition.unit}", "range")
        for cell in mine:
            unused = sum(cell.counts.values()) - cell.counts.get(RunState.USABLE, 0)
            for at in _places(cell, metric):
                values, middle = cell.values(metric, at), cell.median(metric, at)
                table.add_row(
                    f"{cell.key.subject.pair}/{cell.key.subject.shape_name}", _at(at), str(len(values)), str(unused),
                    "" if middle is None else f"{middle:.4g}",
                    f"{min(values):.4g} to {max(values):.4g}" if values else "",
                )  # fmt: skip
        _print(table)
    say(f"{metric}: {definition.formula}; {definition.better} is better")


def print_price(price: SetupPrice, card: PriceCard | None, checked: Sequence[Checked]) -> None:
    """A setup's fit, its residuals and card, and how its predictions held."""
    _print(
        f"\n{price.setup.label}{_kind_note(price.setup.device.kind)}: {len(price.cells)} shapes, {price.num_runs} runs"
    )
    if isinstance(price.outcome, Unidentified):
        _print_unidentified(price.outcome)
        return
    fit = price.outcome
    _print(f"  {fit.label}; R2 {fit.r_squared:.3f}; condition number {fit.condition_number:.1f}")
    _print(f"  tau   {_scaled(fit.tau_ns, _NS_PER_US)} us a layer")
    _print(f"  t0    {_scaled(fit.t0_ns, _NS_PER_US)} us")
    _print(f"  B_w   {_scaled(fit.weight_bytes_per_s, _GB)} GB/s{_probe_share(card and card.probe_share_weights)}")
    _print(f"  B_kv  {_scaled(fit.kv_bytes_per_s, _GB)} GB/s{_probe_share(card and card.probe_share_kv)}")
    if Term.ATTENTION in fit.terms:
        speed = fit.attention_bytes_per_s
        _print(f"  attention {_scaled(speed, _GB)} GB/s of cache bytes counted once for every query head")
    _print(f"  left one out: median error {fit.loo_median:.1%}, worst {fit.loo_worst:.1%}")
    if fit.warning:
        _print(f"  {fit.warning}")
    for each in fit.left_out:
        _print(f"  left out: {each.name}, {each.reason}")
    _print_residuals(fit)
    if card:
        _print_card(card)
    if checked:
        _print_checked(checked)


def print_recommendations(rows: Sequence[Recommendation], limits: str | None) -> None:
    """Shapes, best first."""
    table = _table("shape", ">ms", ">95 % interval", ">loss", "front", "warnings")
    for row in rows:
        shape, ms = row.shape, row.predicted_ns
        table.add_row(
            f"{shape.num_layers}x{shape.hidden_size}, ffn {shape.ffn_size}", f"{ms.value / _NS_PER_MS:.2f}",
            f"{ms.low / _NS_PER_MS:.2f} to {ms.high / _NS_PER_MS:.2f}", "" if row.loss is None else f"{row.loss:.3f}",
            "*" if row.on_front else "", "; ".join(row.warnings),
        )  # fmt: skip
    _print(table)
    if limits:
        say(limits)


def print_verdicts(rows: Sequence[PairVerdict], explanations: Sequence[str]) -> None:
    """The deep arm against the wide one, a table for each setup, reasons below it."""
    told = list(zip(rows, explanations, strict=True))
    for setup, mine in _by_setup([(row.setup, (row, why)) for row, why in told]):
        print_setup(setup)
        table = _table("pair", ">at", "deep is", ">ratio", "95 % interval", ">p", ">p all", ">runs")
        for row, _ in mine:
            table.add_row(row.pair, _at(row.at), *_verdict_columns(row.verdict, row.p_all))
        _print(table)
        for row, why in mine:
            _print(f"  {row.pair} {_at(row.at)}: {row.verdict.reason}{'; ' * bool(why)}{why}")


def print_comparison(comparison: Comparison) -> None:
    """Candidate against baseline, a table for each setup."""
    for setup, mine in _by_setup([(each.candidate.key.setup, each) for each in comparison.cells]):
        print_setup(setup)
        table = _table("network", ">at", "candidate is", ">ratio", "95 % interval", ">p", ">runs")
        for each in mine:
            subject = each.candidate.key.subject
            table.add_row(f"{subject.pair}/{subject.shape_name}", _at(each.at), *_verdict_columns(each.verdict))
        _print(table)
        for reason in dict.fromkeys(each.verdict.reason for each in mine if each.verdict.word is Word.NOT_ENOUGH):
            say(f"  {reason}")
    for each in comparison.incomparable:
        say(f"incomparable: {each.network}: {each.reason}")
    for name in comparison.missing:
        say(f"only on one side: {name}")


def print_history(rows: Sequence[tuple[Series, Sequence[Step]]]) -> None:
    """Each series and its steps."""
    table = _table("device", "network", ">at", ">campaigns", "steps")
    for series, steps in rows:
        told = [f"{step.ratio - 1:+.1%} at {series.campaigns[step.index]}" for step in steps]
        name = f"{series.network[0]}/{series.network[2]} {series.runtime}"
        at = "" if series.at is None else str(series.at)
        table.add_row(series.device.id, name, at, str(len(series.values)), "; ".join(told) or "none")
    _print(table)


def print_health(rows: Sequence[DeviceHealth]) -> None:
    """Each device's score."""
    table = _table("device", "kind", ">score", "grade", ">spread", ">drift", "runs")
    for row in rows:
        counts = ", ".join(f"{count} {state}" for state, count in row.counts.items() if count)
        table.add_row(
            row.device.id, row.device.kind, "" if row.score is None else f"{row.score:.0f}", row.grade,
            "" if row.spread is None else f"{row.spread:.1%}",
            "" if row.worst_drift is None else f"{row.worst_drift:.2f}", counts,
        )  # fmt: skip
    _print(table)


def print_budgets(audit: BudgetAudit) -> None:
    """The winner under every budget."""
    table = _table(
        "budget", "tables", "deep", "wide", ">bytes deep / wide", ">time deep / wide", "95 % interval", "faster"
    )
    for each in audit.verdicts:
        row, ratio = each.row, each.ratio
        deep, wide = (f"{s.num_passes}x{s.hidden_size}" for s in (row.deep.shape, row.wide.shape) if s.family != "mlp")
        table.add_row(
            row.budget, "tied" if row.tied else "untied", deep, wide, f"{row.ratio:.3f}", f"{ratio.value:.3f}",
            f"{ratio.low:.3f} to {ratio.high:.3f}", each.winner,
        )  # fmt: skip
    _print(table)
    say(audit.warning or "every budget has the same winner")


def _print_unidentified(refused: Unidentified) -> None:
    _print(f"  {refused.label}")
    _print(f"  {refused.reason}; {refused.advice}")
    if refused.weight_bytes_per_s and refused.intercept_ns is not None:
        rest = refused.intercept_ns / _NS_PER_MS
        _print(f"  time against weight bytes: {refused.weight_bytes_per_s / _GB:.1f} GB/s, intercept {rest:.2f} ms")


def _print_residuals(fit: PriceFit) -> None:
    table = _table("shape", ">context", ">measured ms", ">model ms", ">error", ">left out")
    for mine, out in zip(fit.residuals, fit.left_one_out, strict=True):
        load = mine.workload
        table.add_row(
            load.name, f"{load.context:.0f}", f"{mine.measured_ns / _NS_PER_MS:.3f}",
            f"{mine.model_ns / _NS_PER_MS:.3f}", f"{mine.error:+.1%}", f"{out.error:+.1%}",
        )  # fmt: skip
    _print(table)


def _print_card(card: PriceCard) -> None:
    ms = card.ms_per_layer
    _print(f"  depth price card: {ms.value:.4f} ms for each further layer [{ms.low:.4f} to {ms.high:.4f}]")
    table = _table(
        "pair",
        "scheme",
        ">context",
        ">deep ms",
        ">wide ms",
        ">gap ms",
        ">gap",
        "95 % interval",
        ">break-even us",
    )
    for gap in card.gaps:
        relative = gap.relative
        table.add_row(
            gap.pair, f"{gap.scheme}{'*' * gap.transferred}", str(gap.context),
            f"{gap.deep_ns / _NS_PER_MS:.2f}", f"{gap.wide_ns / _NS_PER_MS:.2f}",
            f"{gap.gap_ns.value / _NS_PER_MS:.2f}", f"{relative.value:+.1%}",
            f"{relative.low:+.1%} to {relative.high:+.1%}",
            " / ".join("-" if e.tau_ns is None else f"{e.tau_ns / _NS_PER_US:.0f}" for e in gap.break_even),
        )  # fmt: skip
    _print(table)
    _print("  * bytes of another scheme with the terms fitted here; break-even: the price of a layer that makes the")
    _print("  deep arm 5 / 10 / 25 % slower, - where bytes alone do")


def _print_checked(checked: Sequence[Checked]) -> None:
    table = _table(
        "not in the fit", ">context", ">runs", ">measured ms", ">predicted ms", "95 % interval", ">error", "covered"
    )
    for each in checked:
        p = each.predicted
        table.add_row(
            each.workload.name, f"{each.workload.context:.0f}", str(each.runs), f"{each.measured_ns / _NS_PER_MS:.3f}",
            f"{p.value / _NS_PER_MS:.3f}", f"{p.low / _NS_PER_MS:.3f} to {p.high / _NS_PER_MS:.3f}",
            f"{each.error:+.1%}", "yes" if each.covered else "no",
        )  # fmt: skip
    _print(table)


def _places(cell: Cell, metric: MetricName) -> list[int | None]:
    protocol = cell.runs[0].request.protocol if cell.runs else None
    match METRICS[metric].at:
        case At.RUN:
            return [None]
        case At.DEPTH:
            return list(cell.key.setup.protocol.depths)
        case At.PROMPT:
            return list(protocol.prompt_lengths) if protocol else []


def _by_setup(rows: Sequence[tuple[Setup, Row]]) -> list[tuple[Setup, list[Row]]]:
    found: dict[Setup, list[Row]] = {}
    for setup, row in rows:
        found.setdefault(setup, []).append(row)
    return list(found.items())


def print_setup(setup: Setup) -> None:
    """A heading."""
    _print(f"\n{setup.label}{_kind_note(setup.device.kind)}")


def _verdict_columns(verdict: Verdict, p_all: float | None = None) -> list[str]:
    interval = f"{_number(verdict.low)} to {_number(verdict.high)}"
    numbers = [f"{verdict.p_adjusted:.2g}"] + ([] if p_all is None else [f"{p_all:.2g}"])
    return [verdict.word, _number(verdict.ratio), interval, *numbers, f"{verdict.n_a}+{verdict.n_b}"]


def _at(at: int | None) -> str:
    return "" if at is None else str(at)


def _kind_note(kind: DeviceKind) -> str:
    return "" if kind is DeviceKind.PHONE else f" [{kind}]"


def _probe_share(share: float | None) -> str:
    return "" if share is None else f", {share:.0%} of the runs' own probe"


def _scaled(interval: Interval, unit: float) -> str:
    return f"{_number(interval.value / unit)} [{_number(interval.low / unit)} to {_number(interval.high / unit)}]"


def _number(value: float) -> str:
    if math.isnan(value):
        return ""
    return "unbounded" if math.isinf(value) else f"{value:.3g}"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    return table


def _print(what: object) -> None:
    # Rows are never cut or folded to the terminal's width: numbers would be lost.
    console = Console(width=_TABLE_WIDTH) if isinstance(what, Table) else Console()
    console.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))
