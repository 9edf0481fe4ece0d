"""Section: the price of a layer, as `scripts.analysis.price.sweep` fits it."""

from collections.abc import Mapping, Sequence

import altair as alt

from scripts.analysis.price.model import Term
from scripts.analysis.price.price import Interval, PriceFit, Unidentified
from scripts.analysis.price.sweep import SetupPrice
from scripts.records.comparable import Setup
from scripts.report.kit.blocks import Block, Column, DataRow, Figure, Group, Row, Section, Table, in_group
from scripts.report.kit.charts import finish, named, row_names, rows_of, series_color, tooltip
from scripts.report.kit.fit_words import fit_interval, interval_ends
from scripts.report.kit.palette import css
from scripts.report.kit.setups import SetupView, tags
from scripts.report.kit.words import MISSING, number, percent, plural
from scripts.report.sections.price_cards import depth_gaps, gap_figure, gap_rows, price_cards

Views = Mapping[Setup, SetupView]
_LEAD = (
    "Time of a token as t = t0 + L·τ + W/B_w + KV/B_kv, fitted over shapes whose depth and bytes differ: L layers, W "
    "weight bytes and KV cache bytes that a token reads. τ is what one more layer costs at equal bytes. Where it "
    "predicts unseen shapes clearly better there is a fifth term, attention: cache bytes counted once "
    "for every query head.",
)


def depth_price_section(prices: Sequence[SetupPrice], views: Views) -> Section:
    """Fits with intervals, or the reason why there is none."""
    if not prices:
        return Section(
            "price",
            "The price of depth",
            (*_LEAD, "No setup measured two different decoders, so there is nothing to fit."),
        )
    fits = [(price, price.outcome) for price in prices if isinstance(price.outcome, PriceFit)]
    refused = [(price, price.outcome) for price in prices if isinstance(price.outcome, Unidentified)]
    gaps = depth_gaps(fits)
    blocks: list[Block] = []
    if fits:
        blocks += [_tau_figure(fits, views), *in_group("The gap of each shipped pair, by the fit", [gap_figure()])]
        cards = zip(fits, price_cards(fits, gaps, views), strict=True)
        blocks += [Group(_card_title(price, fit, views), [card]) for (price, fit), card in cards]
        blocks += in_group(
            "How well the fits predict, and their terms", [_fit_figure(fits, views), _terms(fits, views)]
        )
    if refused:
        why = _refused(refused, views)
        blocks += in_group(f"{plural(len(refused), 'setup')} without a price, and why", [why]) if fits else [why]
    data = {
        "gap": gap_rows(fits, gaps, views),
        "tau": [_tau_row(price, fit, views) for price, fit in fits],
        "fit": [row for price, fit in fits for row in _fit_rows(price, fit, views)],
    }
    return Section("price", "The price of depth", _LEAD, blocks, data)


def _card_title(price: SetupPrice, fit: PriceFit, views: Views) -> str:
    tau = fit.tau_ns
    return (
        f"{views[price.setup].full_label}: {number(tau.value / 1e3)} µs a layer "
        f"({fit_interval(fit, tau, 1e-3)}), and which shapes to ship"
    )


Fitted = Sequence[tuple[SetupPrice, PriceFit]]


def _tau_figure(fits: Fitted, views: Views) -> Figure:
    x, y = alt.X("tau:Q", title="µs for one more layer", scale=alt.Scale(zero=True)), rows_of()
    line = named("tau").mark_rule(strokeWidth=2, color=css("ceiling")).encode(x="low:Q", x2="high:Q", y=y)
    point = (
        named("tau")
        .mark_point(filled=True, size=70, opacity=1, color=css("ceiling"))
        .encode(
            x=x, y=y, tooltip=tooltip(("row:N", "setup"), ("tau:Q", "µs a layer"), ("low:Q", "from"), ("high:Q", "to"))
        )
    )
    label = (
        named("tau")
        .mark_text(align="left", dx=6, fontSize=10, color=css("soft"))
        .encode(x="end:Q", y=y, text="n_label:N")
    )
    columns = (Column("setup"), Column("τ, µs a layer", True), Column("95 % interval", True), Column("runs", True))
    rows = [Row((views[p.setup].full_label, *_micro(f, f.tau_ns), str(p.num_runs)), views[p.setup]) for p, f in fits]
    return Figure(
        name="tau",
        question="What does one more layer cost at equal bytes?",
        spec=finish([line, point, label, *row_names("tau")]),
        note="Mark: τ in µs; line: 95 % interval over shapes and runs, none where each shape was run once; n: usable "
        "runs in the fit.",
        table=Table("Price of a layer", columns, rows),
    )


def _fit_figure(fits: Fitted, views: Views) -> Figure:
    x = alt.X("measured:Q", title="measured, ms for one token", scale=alt.Scale(zero=False))
    y = alt.Y("model:Q", title="predicted, ms for one token", scale=alt.Scale(zero=False))
    line = (
        named("fit")
        .mark_line(strokeWidth=1, strokeDash=[4, 3], color=css("soft"))
        .encode(x=x, y=alt.Y("measured:Q", title="predicted, ms for one token"))
    )
    point = (
        named("fit")
        .mark_point(filled=True, size=50, opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=series_color(),
            tooltip=tooltip(
                ("network:N", "shape"),
                ("attended:Q", "context"),
                ("measured:Q", "measured ms"),
                ("model:Q", "predicted ms"),
                ("error:Q", "error %"),
            ),
        )
    )
    columns = (Column("setup"), *_titles("fitted shapes", "R²", "median error, shape left out", "worst", "n"))
    rows = [
        Row(
            (
                views[p.setup].full_label,
                str(len(f.shapes)),
                number(f.r_squared),
                percent(f.loo_median) if f.left_one_out else MISSING,
                percent(f.loo_worst) if f.left_one_out else MISSING,
                str(p.num_runs),
            ),
            views[p.setup],
        )
        for p, f in fits
    ]
    return Figure(
        name="fit",
        question="How well does the fit predict shapes that it did not see?",
        spec=finish([line, point], 320),
        note="Mark: one shape at one context in ms, median over runs against the prediction of a fit to all other "
        "shapes (of the fit itself where there are too few to leave one out); broken line: predicted = measured. "
        "One setup. The axes need not start at 0.",
        table=Table("How well each fit predicts a shape that it did not see", columns, rows),
        one_setup=True,
    )


def _terms(fits: Fitted, views: Views) -> Table:
    columns = (
        Column("setup"),
        *_titles("τ µs", "95 %", "t0 µs", "95 %", "B_w GB/s", "95 %", "of probe", "B_kv GB/s", "95 %", "of probe"),
        *_titles("attention GB/s", "95 %"),
    )
    rows = [
        Row(
            (
                views[p.setup].full_label,
                *_micro(f, f.tau_ns),
                *_micro(f, f.t0_ns),
                *_speed(f, f.weight_bytes_per_s, p),
                *_speed(f, f.kv_bytes_per_s, p),
                *_attention(f),
            ),
            views[p.setup],
        )
        for p, f in fits
    ]
    return Table("The terms, with 95 % intervals: delete-one-shape jackknife and bootstrap over runs", columns, rows)


def _refused(refused: Sequence[tuple[SetupPrice, Unidentified]], views: Views) -> Table:
    columns = (
        *[Column(title) for title in ("setup", "why there is no price", "reason", "what would help")],
        Column("runs", True),
    )
    rows = [
        Row((views[p.setup].full_label, u.label, u.reason, u.advice, str(p.num_runs)), views[p.setup])
        for p, u in refused
    ]
    return Table("Setups whose depth price cannot be told from these records", columns, rows)


def _tau_row(price: SetupPrice, fit: PriceFit, views: Views) -> DataRow:
    view, tau = views[price.setup], fit.tau_ns
    return {
        **tags(view),
        "row": view.full_label,
        "name": f"{view.runtime} {view.scheme}",
        "tau": round(tau.value / 1e3, 3),
        **interval_ends(fit, tau, 1e-3),
        "n_label": f"n {price.num_runs}",
    }


def _fit_rows(price: SetupPrice, fit: PriceFit, views: Views) -> list[DataRow]:
    arms = {cell.key.network.shape_name: str(cell.key.network.arm or "sweep") for cell in price.cells}
    return [
        {
            **tags(views[price.setup]),
            "network": each.workload.name,
            "series": arms.get(each.workload.name, "sweep"),
            "attended": round(each.workload.context),
            "measured": round(each.measured_ns / 1e6, 4),
            "model": round(each.model_ns / 1e6, 4),
            "error": round(100 * each.error, 2),
        }
        for each in fit.left_one_out or fit.residuals
    ]


def _micro(fit: PriceFit, value: Interval) -> tuple[str, str]:
    return number(value.value / 1e3), fit_interval(fit, value, 1e-3)


def _speed(fit: PriceFit, value: Interval, price: SetupPrice) -> tuple[str, str, str]:
    share = percent(value.value / price.probe_bytes_per_s, 0) if price.probe_bytes_per_s else MISSING
    return number(value.value / 1e9), fit_interval(fit, value, 1e-9), share


def _attention(fit: PriceFit) -> tuple[str, str]:
    if Term.ATTENTION not in fit.terms:
        return "not fitted", MISSING
    speed = fit.attention_bytes_per_s
    return number(speed.value / 1e9), fit_interval(fit, speed, 1e-9)


def _titles(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, numeric=True) for title in titles)
