"""The depth price card of each fit: the price of a layer, the gap of each shipped pair, and which shapes to ship."""

import math
from collections.abc import Mapping, Sequence

import altair as alt

from models.shape import describe
from scripts.analysis.price.card import DepthGap, price_card
from scripts.analysis.price.price import PriceFit
from scripts.analysis.price.recommend import Quality, Recommendation, recommend
from scripts.analysis.price.sweep import SetupPrice, storage_of
from scripts.records.comparable import Setup
from scripts.report.kit.blocks import Card, Column, DataRow, Figure, Row, Table
from scripts.report.kit.charts import finish, named, row_names, rows_of, tooltip
from scripts.report.kit.fit_words import fit_interval, fit_percents, interval_ends, told_interval
from scripts.report.kit.palette import css
from scripts.report.kit.setups import SetupView, tags
from scripts.report.kit.words import MISSING, number, percent, plural

Fitted = Sequence[tuple[SetupPrice, PriceFit]]
Views = Mapping[Setup, SetupView]
# The budgets of the shipped pairs of decoders.
BUDGETS = (125_000_000, 350_000_000)
CONTEXT = 512
_GAP_COLUMNS = ("context", "deep ms", "wide ms", "gap ms", "95 %", "gap", "95 %", "τ for 5 %", "10 %", "25 %")


def depth_gaps(fits: Fitted) -> dict[Setup, tuple[DepthGap, ...]]:
    """The gaps of all shipped pairs under the scheme that was fitted, for each setup with a fit."""
    return {p.setup: price_card(f, p.setup.target, p.setup.scheme, p.probe_bytes_per_s).gaps for p, f in fits}


def gap_rows(fits: Fitted, gaps: Mapping[Setup, Sequence[DepthGap]], views: Views) -> list[DataRow]:
    """The data set `gap`: pairs at each context under the scheme that was fitted, in percent of the wide arm."""
    return [
        {
            **tags(views[price.setup]),
            "row": f"{views[price.setup].full_label} · {each.pair} · {each.context}",
            "name": f"{each.pair}, context {each.context}",
            "gap": round(100 * each.relative.value, 2),
            **interval_ends(fit, each.relative, 100),
            "ms": round(each.gap_ns.value / 1e6, 4),
            "label": f"{number(each.gap_ns.value / 1e6)} ms",
        }
        for price, fit in fits
        for each in gaps[price.setup]
    ]


def gap_figure() -> Figure:
    """What the depth of each shipped pair costs in one setup."""
    x, y = alt.X("gap:Q", title="deep arm slower by, % of the wide arm", scale=alt.Scale(zero=True)), rows_of()
    zero = alt.Chart(alt.InlineData([{"gap": 0}])).mark_rule(strokeWidth=1.2, color=css("ink")).encode(x="gap:Q")
    line = named("gap").mark_rule(strokeWidth=2, color=css("ceiling")).encode(x="low:Q", x2="high:Q", y=y)
    tips = tooltip(("name:N", "pair"), ("gap:Q", "%"), ("low:Q", "from"), ("high:Q", "to"), ("ms:Q", "gap in ms"))
    point = (
        named("gap").mark_point(filled=True, size=70, opacity=1, color=css("ceiling")).encode(x=x, y=y, tooltip=tips)
    )
    label = (
        named("gap")
        .mark_text(align="left", dx=6, fontSize=10, color=css("soft"))
        .encode(x="end:Q", y=y, text="label:N")
    )
    return Figure(
        name="gap",
        question="How much slower is the deep arm of each shipped pair here, by the fit?",
        spec=finish([zero, line, point, label, *row_names("gap")]),
        note="Mark: (deep - wide) / wide, predicted, in %; line: 95 % interval with the model's own error, none where "
        "each shape was run once; beside it the gap in ms a token. Under the scheme that was fitted. One setup.",
        table=Table("In numbers: the depth price cards", (), ()),
        one_setup=True,
    )


def price_cards(fits: Fitted, gaps: Mapping[Setup, Sequence[DepthGap]], views: Views) -> list[Card]:
    """One card for each fit."""
    return [_card(price, fit, gaps[price.setup], views[price.setup]) for price, fit in fits]


def _card(price: SetupPrice, fit: PriceFit, gaps: Sequence[DepthGap], view: SetupView) -> Card:
    tau, scheme = fit.tau_ns, price.setup.scheme
    lines = (
        f"One more layer costs {number(tau.value / 1e3)} µs a token at equal bytes ({told_interval(fit, tau, 1e-3)}; "
        f"{plural(price.num_runs, 'usable run')} of "
        f"{plural(len(fit.shapes), 'shape')}). Decode: {fit.label}.",
        *([f"Warning: {fit.warning}."] if fit.left_one_out and fit.warning else []),
        f"In the tables, {_BREAK_EVEN}.",
        *(f"Mind: {each}." for each in fit.remarks(price.probe_bytes_per_s)),
        *(f"Left out: {each.name}, {each.reason}." for each in fit.left_out),
    )
    tables = [_gap_table(f"Gap of each shipped pair at {scheme}, deep - wide, by the fit", fit, gaps)]
    tables += [_shapes_table(price, fit, budget) for budget in BUDGETS]
    return Card("Depth price card", lines, view, tuple(tables), strong=True)


_BREAK_EVEN = "“τ for 5 %” is the price of a layer, in µs, at which the gap is 5 %"


def _gap_table(caption: str, fit: PriceFit, gaps: Sequence[DepthGap]) -> Table:
    columns = (Column("pair"), Column("scheme"), *(Column(title, numeric=True) for title in _GAP_COLUMNS))
    return Table(caption, columns, [_gap_row(fit, each) for each in gaps])


def _gap_row(fit: PriceFit, gap: DepthGap) -> Row:
    taus = [number(each.tau_ns / 1e3) if each.tau_ns is not None else "none" for each in gap.break_even]
    return Row(
        (
            gap.pair,
            gap.scheme,
            str(gap.context),
            number(gap.deep_ns / 1e6),
            number(gap.wide_ns / 1e6),
            number(gap.gap_ns.value / 1e6),
            fit_interval(fit, gap.gap_ns, 1e-6),
            percent(gap.relative.value),
            fit_percents(fit, gap.relative),
            *taus,
        )
    )


def _shapes_table(price: SetupPrice, fit: PriceFit, budget: int) -> Table:
    """The front of speed and quality: no faster depth of the budget is as good, within the law's error."""
    found = recommend(fit, storage_of(price.setup), budget, math.inf, Quality.GEMSTONES, CONTEXT)
    titles = ("predicted ms", "95 % prediction interval", "loss, nats")
    return Table(
        f"Which shape of {budget / 1e6:g} M parameters? Depths that no faster one at context {CONTEXT} equals "
        "in loss, within the error of the law of Gemstones (a ranking within one family, no forecast for your data)",
        (Column("shape"), *(Column(title, numeric=True) for title in titles), Column("mind")),
        [_shape_row(fit, each) for each in found if each.on_front],
    )


def _shape_row(fit: PriceFit, each: Recommendation) -> Row:
    predicted = each.predicted_ns
    return Row(
        (
            describe(each.shape),
            number(predicted.value / 1e6),
            fit_interval(fit, predicted, 1e-6),
            MISSING if each.loss is None else f"{each.loss:.2f}",
            "; ".join(each.warnings) or "inside what was measured and trained",
        )
    )
