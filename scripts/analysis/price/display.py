"""The price of a layer as tables: the fit of a setup, and beside it residuals, price card and predictions."""

from collections.abc import Sequence

from scripts.analysis.price.card import DepthGap, PriceCard
from scripts.analysis.price.fit import NO_INTERVAL
from scripts.analysis.price.model import Term, Workload
from scripts.analysis.price.price import Interval, PriceFit, Unidentified
from scripts.analysis.price.sweep import Checked, SetupPrice
from scripts.console import shown
from scripts.tables import Column, Entry, ResultTable, Value, number, text

_NS_PER_MS, _NS_PER_US, _GB = 1e6, 1e3, 1e9
PRICE_NOTE = (
    "time of a decode step: median over runs of each run's median, the runtime's call alone; "
    "the model is t = t0 + L * tau + W / B_w + KV / B_kv"
)


def _with_interval(heading: str, name: str) -> Column:
    return Column(heading, (name, f"{name}_low", f"{name}_high"))


_FIT = (
    Column("fit", ("fit",)), _with_interval(">tau us a layer", "tau_us_per_layer"), _with_interval(">t0 us", "t0_us"),
    _with_interval(">B_w GB/s", "b_w_gb_per_s"), _with_interval(">B_kv GB/s", "b_kv_gb_per_s"),
    _with_interval(">attention GB/s", "attention_gb_per_s"), Column(">R2", ("r_squared",)),
    Column(">condition number", ("condition_number",)), Column(">shapes", ("shapes",)), Column(">runs", ("runs",)),
)  # fmt: skip
_RESIDUALS = ("shape", ">context", ">measured ms", ">model ms", ">error", ">left out")
_CARD = (
    "pair", "scheme", ">context", ">deep ms", ">wide ms", ">gap ms", ">gap", ">95 % interval", ">break-even us",
)  # fmt: skip
_CHECKED = (
    "not in the fit", ">context", ">runs", ">measured ms", ">predicted ms", ">95 % interval", ">error", "covered",
)  # fmt: skip


def price_tables(price: SetupPrice, card: PriceCard | None, checked: Sequence[Checked]) -> list[ResultTable]:
    """A setup's fit, its residuals and card, and how its predictions held. CSV has the fit only."""
    outcome = price.outcome
    is_fit = isinstance(outcome, PriceFit)
    cells = _fit_entries(outcome) if is_fit else _no_entries(outcome)
    found = [
        ResultTable(
            title=price.setup.label, kind=price.setup.device.kind, columns=_FIT,
            rows=((*cells, text(len(price.cells)), text(price.num_runs)),),
            notes=tuple(_fit_notes(outcome, price, card) if is_fit else _refusal_notes(outcome)),
        )
    ]  # fmt: skip
    if is_fit:
        found.append(_residual_table(outcome))
        if card:
            found.append(_card_table(card, outcome.has_intervals))
        if checked:
            found.append(_beside("predictions", _CHECKED, [_checked_row(each) for each in checked]))
    return found


def _fit_entries(fit: PriceFit) -> tuple[Entry, ...]:
    attention = _scaled(fit, fit.attention_bytes_per_s, _GB) if Term.ATTENTION in fit.terms else _none(3)
    return (
        text(fit.label), _scaled(fit, fit.tau_ns, _NS_PER_US), _scaled(fit, fit.t0_ns, _NS_PER_US),
        _scaled(fit, fit.weight_bytes_per_s, _GB), _scaled(fit, fit.kv_bytes_per_s, _GB), attention,
        number(f"{fit.r_squared:.3f}", fit.r_squared), number(f"{fit.condition_number:.1f}", fit.condition_number),
    )  # fmt: skip


def _no_entries(refused: Unidentified) -> tuple[Entry, ...]:
    values = len(_FIT) - 3  # all but label, shapes and runs
    return text(refused.label), *(_none(len(column.names)) for column in _FIT[1 : 1 + values])


def _fit_notes(fit: PriceFit, price: SetupPrice, card: PriceCard | None) -> list[str]:
    shares = (("B_w", card and card.probe_share_weights), ("B_kv", card and card.probe_share_kv))
    notes = [f"{name} is {share:.0%} of the runs' own probe" for name, share in shares if share is not None]
    if Term.ATTENTION in fit.terms:
        notes.append("attention: cache bytes counted once for every query head")
    notes += [f"mind: {each}" for each in fit.remarks(price.probe_bytes_per_s)]
    notes.append(f"left one out: median error {fit.loo_median:.1%}, worst {fit.loo_worst:.1%}")
    if fit.warning:
        notes.append(fit.warning)
    return notes + [f"left out: {each.name}, {each.reason}" for each in fit.left_out]


def _refusal_notes(refused: Unidentified) -> list[str]:
    notes = [f"{refused.reason}; {refused.advice}"]
    if refused.weight_bytes_per_s and refused.intercept_ns is not None:
        rest = refused.intercept_ns / _NS_PER_MS
        notes.append(f"time against weight bytes: {refused.weight_bytes_per_s / _GB:.1f} GB/s, intercept {rest:.2f} ms")
    return notes + [f"left out: {each.name}, {each.reason}" for each in refused.left_out]


def _residual_table(fit: PriceFit) -> ResultTable:
    rows = [
        (*_place(mine.workload), _ms(mine.measured_ns, 3), _ms(mine.model_ns, 3), f"{mine.error:+.1%}",
         f"{out.error:+.1%}")
        for mine, out in zip(fit.residuals, fit.left_one_out, strict=True)
    ]  # fmt: skip
    return _beside("residuals", _RESIDUALS, rows)


def _card_table(card: PriceCard, has_intervals: bool) -> ResultTable:
    ms = card.ms_per_layer
    told = f" [{ms.low:.4f} to {ms.high:.4f}]" if has_intervals else ", no interval"
    notes = (
        f"{ms.value:.4f} ms for each further layer{told}",
        "break-even: the price of a layer that makes the deep arm 5 / 10 / 25 % slower, - where bytes alone do",
    )
    return _beside("depth price card", _CARD, [_gap_row(gap, has_intervals) for gap in card.gaps], notes)


def _gap_row(gap: DepthGap, has_intervals: bool) -> tuple[str, ...]:
    relative = gap.relative
    return (
        gap.pair, gap.scheme, str(gap.context), _ms(gap.deep_ns, 2), _ms(gap.wide_ns, 2), _ms(gap.gap_ns.value, 2),
        f"{relative.value:+.1%}",
        f"{relative.low:+.1%} to {relative.high:+.1%}" if has_intervals else NO_INTERVAL,
        " / ".join("-" if e.tau_ns is None else f"{e.tau_ns / _NS_PER_US:.0f}" for e in gap.break_even),
    )  # fmt: skip


def _checked_row(each: Checked) -> tuple[str, ...]:
    predicted = each.predicted
    return (
        *_place(each.workload), str(each.runs), _ms(each.measured_ns, 3), _ms(predicted.value, 3),
        f"{_ms(predicted.low, 3)} to {_ms(predicted.high, 3)}", f"{each.error:+.1%}", "yes" if each.covered else "no",
    )  # fmt: skip


def _beside(
    title: str, headings: Sequence[str], rows: Sequence[tuple[str, ...]], notes: tuple[str, ...] = ()
) -> ResultTable:
    """A table that is not in CSV."""
    entries = tuple(tuple(text(cell) for cell in row) for row in rows)
    return ResultTable(title=title, kind=None, columns=tuple(map(Column, headings)), rows=entries, notes=notes)


def _place(load: Workload) -> tuple[str, str]:
    return load.name, f"{load.context:.0f}"


def _ms(ns: float, digits: int) -> str:
    return f"{ns / _NS_PER_MS:.{digits}f}"


def _none(count: int) -> Entry:
    return Entry("", (None,) * count)


def _scaled(fit: PriceFit, interval: Interval, unit: float) -> Entry:
    value, low, high = (each / unit for each in (interval.value, interval.low, interval.high))
    if not fit.has_intervals:
        nothing: tuple[Value, ...] = (value, None, None)
        return Entry(f"{shown(value)} [{NO_INTERVAL}]", nothing)
    return Entry(f"{shown(value)} [{shown(low)} to {shown(high)}]", (value, low, high))
