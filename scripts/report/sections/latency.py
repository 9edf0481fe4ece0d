"""Section: how long a token takes."""

from collections.abc import Sequence

import altair as alt

from scripts.report.kit.blocks import Block, Column, Figure, Row, Section, Table, in_group
from scripts.report.kit.charts import (
    SIDES,
    Layer,
    band_names,
    finish,
    finish_bands,
    in_band,
    named,
    row_names,
    rows_of,
    series_color,
    series_shape,
    slot,
    tooltip,
)
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.numbers import CellNumbers, Spread, arms_of, shapes_of
from scripts.report.kit.palette import SERIES, css
from scripts.report.kit.words import interval, number, plural
from scripts.report.sections.sustained import sustained_blocks, sustained_rows
from scripts.report.sections.timelines import MAX_POINTS, points_of, quantile_rows, timeline_rows

# Beyond this ratio of the slowest p99 to the fastest median the medians could not be told apart on a linear axis.
_LOGARITHMIC = 3.0
# Room for the labels, as a share of what the marks span.
_LABELS = 0.3
_N = "n is the number of usable runs, each a fresh process; a run gives one number."


def latency_section(evidence: Evidence, cells: Sequence[CellNumbers]) -> Section:
    """Decode latency: every network, then one setup in detail."""
    if not cells:
        return Section("latency", "Latency of a token", ("No usable run timed a token.",))
    lead = (
        "Time of one decode step: the runtime's call alone, batch 1, tokens forced, no tokenizer and no sampling. "
        "Context is the number of positions in the cache before the first timed step.",
    )
    arms, shapes, sustained = arms_of(cells), shapes_of(cells), sustained_rows(evidence)
    blocks: list[Block] = [
        *([_arms(arms)] if arms else []),
        *in_group("Shapes that are no arm of a pair, such as a sweep's", [_shapes(shapes)] if shapes else []),
        *in_group(
            "Step by step, and what a longer context costs", [_timeline(evidence), _distribution(), _context(cells)]
        ),
        *in_group("Minutes of decoding, with temperature", sustained_blocks(sustained, tuple(evidence.views.values()))),
    ]
    data = {"timeline": timeline_rows(evidence), "quantiles": quantile_rows(evidence), "sustained": sustained}
    return Section("latency", "Latency of a token", lead, blocks, data)


def _arms(cells: Sequence[CellNumbers]) -> Figure:
    return Figure(
        name="latency",
        question="How long does a token take, and how long do the slow ones take?",
        spec=finish_bands(
            [*_marks("arms", in_band(), slot("series", SIDES), _axis(cells)), *band_names("arms", SIDES)], len(SIDES)
        ),
        note=_overview_note(cells),
        table=_table(cells),
    )


def _shapes(cells: Sequence[CellNumbers]) -> Figure:
    return Figure(
        name="shapes",
        question="How long does a token take in the other shapes?",
        spec=finish([*_marks("shapes", rows_of(), None, _axis(cells)), *row_names("shapes")]),
        note=_overview_note(cells),
        table=_table(cells),
    )


def _is_logarithmic(cells: Sequence[CellNumbers]) -> bool:
    """Whether the slow steps would push the medians together on a linear axis."""
    ends = [max(cell.p50.high, cell.p99.median if cell.p99 else 0.0) for cell in cells]
    return max(ends) > _LOGARITHMIC * min(cell.p50.low for cell in cells)


def _overview_note(cells: Sequence[CellNumbers]) -> str:
    axis = "Logarithmic axis. " if _is_logarithmic(cells) else ""
    return (
        f"{axis}Mark: median over runs of each run's p50, in ms. Thick line: lowest to highest run. Tick: p90; end of "
        f"the thin line: p99 (medians over runs). At the chosen context. {_N}"
    )


def _axis(cells: Sequence[CellNumbers]) -> alt.X:
    """To the right there is room for labels."""
    ends = [max(cell.p50.high, cell.p99.median if cell.p99 else 0.0) for cell in cells]
    low, high = min(cell.p50.low for cell in cells), max(ends)
    if _is_logarithmic(cells):
        scale = alt.Scale(type="log", domain=[low / 1.1, high * (high / low) ** _LABELS], nice=False)
    else:
        scale = alt.Scale(domain=[0, high * (1 + _LABELS)], nice=False)
    return alt.X("p50:Q", title="ms for one token", scale=scale)


def _marks(data: str, y: alt.Y, offset: alt.YOffset | None, x: alt.X) -> list[Layer]:
    """Median, runs, p90 and p99 of each network, with its numbers beside it."""
    places = [y] if offset is None else [y, offset]
    names = SERIES if offset is None else SIDES
    color = series_color(names)
    tips = tooltip(
        ("row:N", "network"),
        ("p50:Q", "p50 ms"),
        ("p50_low:Q", "lowest run"),
        ("p50_high:Q", "highest run"),
        ("p90:Q", "p90 ms"),
        ("p99:Q", "p99 ms"),
        ("n:Q", "runs"),
    )
    return [
        named(data).mark_rule(strokeWidth=1, opacity=0.7).encode(*places, x=x, x2="p99:Q", color=color),
        named(data).mark_rule(strokeWidth=5, opacity=0.35).encode(*places, x="p50_low:Q", x2="p50_high:Q", color=color),
        named(data).mark_tick(thickness=1.5, size=11).encode(*places, x="p90:Q", color=color),
        named(data)
        .mark_point(filled=True, size=60, opacity=1)
        .encode(*places, x=x, color=color, shape=series_shape(names), tooltip=tips),
        named(data)
        .mark_text(align="left", baseline="middle", dx=6, fontSize=10.5, color=css("soft"))
        .encode(*places, x="end:Q", text=alt.Text("p50_label:N")),
    ]


def _timeline(evidence: Evidence) -> Figure:
    steps = points_of(evidence.measured)
    thinned = (
        f"Thinned to at most {MAX_POINTS} points: one stands for up to {plural(steps, 'neighbouring step')}, of which "
        "each run's median is taken."
        if steps > 1
        else "Every step is drawn."
    )
    x = alt.X("step:Q", title="timed step", scale=alt.Scale(nice=False))
    y = alt.Y("ms:Q", title="ms for the step", scale=alt.Scale(zero=False, nice=True))
    band = (
        named("timeline")
        .mark_area(opacity=0.18)
        .encode(x=x, y="low:Q", y2="high:Q", color=series_color(), detail="network:N")
    )
    line = (
        named("timeline")
        .mark_line(strokeWidth=1.6)
        .encode(
            x=x,
            y=y,
            color=series_color(),
            detail="network:N",
            tooltip=tooltip(
                ("network:N", "network"),
                ("step:Q", "step"),
                ("ms:Q", "ms"),
                ("low:Q", "fastest run"),
                ("high:Q", "slowest run"),
            ),
        )
    )
    return Figure(
        name="timeline",
        question="Do tokens take the same time from the first step to the last?",
        spec=finish([band, line], 230),
        note=f"Line: median over runs, in ms; band: fastest to slowest run. {thinned} The chosen context. "
        "The vertical axis need not start at 0.",
        table=Table("In numbers: p50, p90, p99 and slowest step in the table of the first chart", (), ()),
        one_setup=True,
        one_pair=True,
    )


def _distribution() -> Figure:
    x = alt.X("ms:Q", title="ms for a step", scale=alt.Scale(zero=False))
    y = alt.Y("share:Q", title="% of steps at most this long", scale=alt.Scale(domain=[0, 100]))
    line = (
        named("quantiles")
        .mark_line(strokeWidth=1.8, point=alt.OverlayMarkDef(size=14))
        .encode(
            x=x,
            y=y,
            color=series_color(),
            detail="network:N",
            order="share:Q",
            tooltip=tooltip(
                ("network:N", "network"),
                ("share:Q", "% of steps"),
                ("ms:Q", "ms"),
                ("low:Q", "lowest run"),
                ("high:Q", "highest run"),
            ),
        )
    )
    return Figure(
        name="distribution",
        question="What share of tokens is slower than a given time?",
        spec=finish([line], 230),
        note="Each curve: median over runs of the run's quantiles, in ms. A long flat top is a long tail. "
        "The chosen context. The horizontal axis need not start at 0.",
        table=Table("In numbers: p50, p90, p99 and slowest step in the table of the first chart", (), ()),
        one_setup=True,
        one_pair=True,
    )


def _context(cells: Sequence[CellNumbers]) -> Figure:
    x = alt.X(
        "context:Q",
        title="positions in the cache before the first timed step",
        scale=alt.Scale(zero=True, nice=False, padding=14),
    )
    y = alt.Y("p50:Q", title="ms for one token", scale=alt.Scale(zero=True))
    line = named("cells").mark_line(strokeWidth=1.6).encode(x=x, y=y, color=series_color(), detail="network:N")
    bar = named("cells").mark_rule(strokeWidth=1.6).encode(x=x, y="p50_low:Q", y2="p50_high:Q", color=series_color())
    point = (
        named("cells")
        .mark_point(filled=True, size=55, opacity=1)
        .encode(
            x=x,
            y=y,
            color=series_color(),
            shape=series_shape(),
            tooltip=tooltip(
                ("network:N", "network"),
                ("context:Q", "context"),
                ("p50:Q", "p50 ms"),
                ("p50_low:Q", "lowest run"),
                ("p50_high:Q", "highest run"),
                ("n:Q", "runs"),
            ),
        )
    )
    return Figure(
        name="context",
        question="What does a longer context cost each network?",
        spec=finish([line, bar, point], 280),
        note=f"Mark: median over runs of p50, in ms; bar: lowest to highest run. All contexts. {_N}",
        table=Table(
            "Decode latency in ms against context, median over runs",
            (Column("setup"), Column("network"), *_numeric("context", "p50", "n")),
            [
                Row((c.view.full_label, c.network, str(c.context), number(c.p50.median), str(c.n)), c.view)
                for c in cells
            ],
        ),
        one_setup=True,
        one_pair=True,
        all_contexts=True,
    )


def _table(cells: Sequence[CellNumbers]) -> Table:
    return Table(
        "Decode, all networks at all contexts: median over runs; in brackets the lowest and the highest run",
        (
            Column("setup"),
            Column("network"),
            *_numeric("context", "p50 ms", "p90 ms", "p99 ms", "slowest ms", "tokens/s", "n"),
        ),
        [
            Row(
                (
                    c.view.full_label,
                    c.network,
                    str(c.context),
                    _bracketed(c.p50),
                    _middle(c.p90),
                    _middle(c.p99),
                    _middle(c.slowest),
                    _middle(c.tokens_per_s),
                    str(c.n),
                ),
                c.view,
                c.context,
            )
            for c in cells
        ],
    )


def _numeric(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, numeric=True) for title in titles)


def _middle(spread: Spread | None) -> str:
    return number(spread.median if spread else None)


def _bracketed(spread: Spread) -> str:
    return f"{number(spread.median)} [{interval(spread.low, spread.high)}]"
