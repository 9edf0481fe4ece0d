"""Section: how much of the memory bandwidth decoding uses."""

from collections.abc import Sequence

import altair as alt

from scripts.report.kit.blocks import Block, Column, DataRow, Figure, Row, Section, Table, in_group
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
from scripts.report.kit.numbers import CellNumbers, Spread, arms_of, shapes_of
from scripts.report.kit.palette import SERIES, css
from scripts.report.kit.words import MISSING, interval, number, percent

# Room for the labels, as a share of the highest ceiling.
_LABELS = 0.2
_CEILING = (
    "The ceiling is what the same run's own probe read per second with the same number of threads, seconds before it "
    "decoded; no data sheet enters."
)


def bandwidth_section(cells: Sequence[CellNumbers]) -> Section:
    """Achieved bandwidth against the ceiling, and each network against the time its bytes alone would take."""
    known = [cell for cell in cells if cell.achieved and cell.ceiling]
    if not known:
        return Section(
            "bandwidth", "Memory bandwidth", ("No usable run has both a timed token and a bandwidth probe.",)
        )
    lead = (
        "A decoded token reads nearly all weights and the cache so far: bytes divided by bandwidth is the least time "
        f"it can take. {_CEILING} A network may pass 100 % where its weights stay in "
        "a processor cache.",
    )
    arms, shapes = arms_of(known), shapes_of(known)
    blocks: list[Block] = [
        *([_arms(arms)] if arms else []),
        *in_group("Shapes that are no arm of a pair, such as a sweep's", [_shapes(shapes)] if shapes else []),
        *in_group("Each network beside the time that its bytes alone would take", [_roofline(known)]),
    ]
    return Section("bandwidth", "Memory bandwidth", lead, blocks, {"floor": floor_rows(known)})


def floor_rows(cells: Sequence[CellNumbers]) -> list[DataRow]:
    """The data set `floor`: two ends of the line bytes / ceiling for each setup and context."""
    rows: list[DataRow] = []
    groups: dict[tuple[str, int], list[CellNumbers]] = {}
    for cell in cells:
        groups.setdefault((cell.view.key, cell.context), []).append(cell)
    for (setup, context), group in groups.items():
        sizes = [cell.megabytes for cell in group if cell.megabytes]
        ceilings = [cell.ceiling.median for cell in group if cell.ceiling]
        fastest = max(ceilings)
        for size in (0.0, 1.05 * max(sizes)):
            rows.append({"setup": setup, "context": context, "mb": round(size, 3), "p50": round(size / fastest, 5)})
    return rows


def _arms(cells: Sequence[CellNumbers]) -> Figure:
    marks = _marks("arms", in_band(), slot("series", SIDES), cells)
    return Figure(
        name="bandwidth",
        question="How close does decoding come to the memory's ceiling?",
        spec=finish_bands([*marks, *band_names("arms", SIDES)], len(SIDES)),
        note=_NOTE,
        table=_table(cells),
    )


def _shapes(cells: Sequence[CellNumbers]) -> Figure:
    return Figure(
        name="shapes-bandwidth",
        question="How close do the other shapes come to it?",
        spec=finish([*_marks("shapes", rows_of(), None, cells), *row_names("shapes")]),
        note=_NOTE,
        table=_table(cells),
    )


_NOTE = (
    "Bar: achieved GB/s, median over runs; line: lowest to highest run; upright mark: probed ceiling, median over the "
    "same runs, with achieved / ceiling (MBU). At the chosen context. n: usable runs."
)


def _table(cells: Sequence[CellNumbers]) -> Table:
    titles = ("context", "MB a token", "achieved", "lowest to highest run", "ceiling", "MBU", "n")
    return Table(
        "Achieved bandwidth and probed ceiling in GB/s; MBU is their ratio; medians over runs",
        (Column("setup"), Column("network"), *[Column(title, numeric=True) for title in titles]),
        [_row(cell) for cell in cells],
    )


def _row(cell: CellNumbers) -> Row:
    cells = (
        cell.view.full_label,
        cell.network,
        str(cell.context),
        number(cell.megabytes),
        _middle(cell.achieved),
        interval(cell.achieved.low, cell.achieved.high) if cell.achieved else MISSING,
        _middle(cell.ceiling),
        percent(cell.mbu.median if cell.mbu else None, 0),
        str(cell.n),
    )
    return Row(cells, cell.view, cell.context)


def _marks(data: str, y: alt.Y, offset: alt.YOffset | None, cells: Sequence[CellNumbers]) -> list[Layer]:
    """Bars with their runs, and the ceiling with the share that is reached."""
    places = [y] if offset is None else [y, offset]
    highest = max(max(cell.ceiling.high, cell.achieved.high) for cell in cells if cell.ceiling and cell.achieved)
    x = alt.X("achieved:Q", title="GB/s", scale=alt.Scale(domain=[0, highest * (1 + _LABELS)], nice=False))
    tips = tooltip(
        ("row:N", "network"),
        ("achieved:Q", "achieved GB/s"),
        ("ceiling:Q", "ceiling GB/s"),
        ("mbu:Q", "MBU"),
        ("mb:Q", "MB a token"),
        ("n:Q", "runs"),
    )
    return [
        named(data)
        .mark_bar(size=9)
        .encode(*places, x=x, color=series_color(SERIES if offset is None else SIDES), tooltip=tips),
        named(data)
        .mark_rule(strokeWidth=1.5, color=css("ink"))
        .encode(*places, x="achieved_low:Q", x2="achieved_high:Q"),
        named(data).mark_tick(thickness=2.5, size=14, color=css("ceiling")).encode(*places, x="ceiling:Q"),
        named(data)
        .mark_text(align="left", baseline="middle", dx=6, fontSize=10.5, color=css("soft"))
        .encode(*places, x="ceiling:Q", text=alt.Text("mbu_label:N")),
    ]


def _roofline(cells: Sequence[CellNumbers]) -> Figure:
    x = alt.X("mb:Q", title="MB a token reads, weights and cache", scale=alt.Scale(zero=True))
    y = alt.Y("p50:Q", title="ms for one token", scale=alt.Scale(zero=True))
    floor = named("floor").mark_line(strokeWidth=1.6, strokeDash=[6, 3], color=css("ceiling")).encode(x=x, y=y)
    bar = named("cells").mark_rule(strokeWidth=1.5).encode(x=x, y="p50_low:Q", y2="p50_high:Q", color=series_color())
    point = (
        named("cells")
        .mark_point(filled=True, size=60, opacity=0.9)
        .encode(
            x=x,
            y=y,
            color=series_color(),
            shape=series_shape(),
            tooltip=tooltip(
                ("network:N", "network"), ("mb:Q", "MB a token"), ("p50:Q", "p50 ms"), ("mbu:Q", "MBU"), ("n:Q", "runs")
            ),
        )
    )
    return Figure(
        name="roofline",
        question="How far above the memory's floor is each network?",
        spec=finish([floor, bar, point], 280),
        note="Broken line: bytes / probed ceiling (the highest median among the setup's networks), the least time if "
        "every byte came from memory. Mark: median over runs of p50; bar: lowest to highest run. The height above the "
        "line is what layers, compute and dispatch cost. One setup, the chosen context, all its networks.",
        table=Table(
            "Megabytes a token reads and ms it takes",
            (
                Column("setup"),
                Column("network"),
                *[Column(title, numeric=True) for title in ("context", "MB a token", "ms", "n")],
            ),
            [
                Row(
                    (c.view.full_label, c.network, str(c.context), number(c.megabytes), number(c.p50.median), str(c.n)),
                    c.view,
                    c.context,
                )
                for c in cells
            ],
        ),
        one_setup=True,
    )


def _middle(spread: Spread | None) -> str:
    return number(spread.median if spread else None)
