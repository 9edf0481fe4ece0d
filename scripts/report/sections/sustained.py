"""The sustained phase: what a device does after minutes of decoding, with its temperature."""

from collections.abc import Iterator, Sequence

import altair as alt
import numpy as np

from scripts.analysis.cells import Cell
from scripts.records import SustainedSamples
from scripts.report.kit.blocks import Block, Column, DataRow, Figure, Row, Table
from scripts.report.kit.charts import finish, named, series_color, tooltip
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import SetupView, network_name, series_of, tags
from scripts.report.kit.words import MISSING, number

_NS_PER_MINUTE = 60e9
# A phase of ten minutes or more is told minute by minute, a shorter one in tenths.
_POINTS = 10


def sustained_rows(evidence: Evidence) -> list[DataRow]:
    """The data set `sustained`: medians over runs for each cell and stretch of time; empty without the phase."""
    return [row for cell in evidence.measured for row in _cell_rows(cell, evidence.view(cell))]


def sustained_blocks(rows: Sequence[DataRow], views: Sequence[SetupView]) -> list[Block]:
    """Latency and temperature against time, one setup; nothing where nothing was measured."""
    if not rows:
        return []
    heat = [_heat()] if any(row["celsius"] is not None for row in rows) else []
    return [_latency(_table(rows, {view.key: view for view in views})), *heat]


def _latency(table: Table) -> Figure:
    x, y = _minutes(), alt.Y("ms:Q", title="ms for one token", scale=alt.Scale(zero=False))
    band = (
        named("sustained")
        .mark_area(opacity=0.18)
        .encode(x=x, y="low:Q", y2="high:Q", color=series_color(), detail="network:N")
    )
    line = (
        named("sustained")
        .mark_line(strokeWidth=1.8, point=alt.OverlayMarkDef(size=28))
        .encode(x=x, y=y, color=series_color(), detail="network:N", tooltip=_tips())
    )
    return Figure(
        name="sustained",
        question="Does a token take longer after minutes of decoding?",
        spec=finish([band, line], 230),
        note="Mark: median over runs of each run's median in that stretch of the sustained phase, in ms; band: "
        "fastest to slowest run. Steps at the last context, over and over. The vertical axis need not start at 0.",
        table=table,
        one_setup=True,
        one_pair=True,
    )


def _heat() -> Figure:
    y = alt.Y("celsius:Q", title="°C, battery", scale=alt.Scale(zero=False))
    line = (
        named("sustained")
        .mark_line(strokeWidth=1.8, point=alt.OverlayMarkDef(size=28))
        .encode(x=_minutes(), y=y, color=series_color(), detail="network:N", tooltip=_tips())
    )
    return Figure(
        name="heat",
        question="How warm did the device become meanwhile?",
        spec=finish([line], 150),
        note="Battery in °C, median over runs of the readings in the same stretch. The vertical axis need not "
        "start at 0.",
        table=Table("In numbers: the table of the chart above", (), ()),
        one_setup=True,
        one_pair=True,
    )


def _minutes() -> alt.X:
    return alt.X("minute:Q", title="minutes since the phase began", scale=alt.Scale(zero=True, nice=False, padding=14))


def _tips() -> list[alt.Tooltip]:
    fields = (
        ("network:N", "network"), ("minute:Q", "minute"), ("ms:Q", "ms"), ("celsius:Q", "°C"), ("n:Q", "runs"),
    )  # fmt: skip
    return tooltip(*fields)


def _cell_rows(cell: Cell, view: SetupView) -> Iterator[DataRow]:
    phases = [run.sustained for run in cell.runs if run.sustained and run.sustained.forward_ns]
    if not phases:
        return
    length = min(_NS_PER_MINUTE, max(phase.start_ns[-1] for phase in phases) / _POINTS) or 1.0
    for index in range(int(max(phase.start_ns[-1] for phase in phases) / length) + 1):
        start, end = index * length, (index + 1) * length
        times = [value for phase in phases if (value := _median_ms(phase, start, end)) is not None]
        warm = [value for phase in phases if (value := _median_celsius(phase, start, end)) is not None]
        if times:
            yield {
                **tags(view), "pair": cell.key.network.pair, "network": network_name(cell), "series": series_of(cell),
                "minute": round((start + end) / 2 / _NS_PER_MINUTE, 3), "ms": round(float(np.median(times)), 4),
                "low": round(min(times), 4), "high": round(max(times), 4), "n": len(times),
                "celsius": round(float(np.median(warm)), 1) if warm else None,
            }  # fmt: skip


def _median_ms(phase: SustainedSamples, start: float, end: float) -> float | None:
    inside = [took for at, took in zip(phase.start_ns, phase.forward_ns, strict=True) if start <= at < end]
    return float(np.median(inside)) / 1e6 if inside else None


def _median_celsius(phase: SustainedSamples, start: float, end: float) -> float | None:
    inside = [celsius for at, _, celsius in phase.thermal if celsius is not None and start <= at < end]
    return float(np.median(inside)) if inside else None


def _table(rows: Sequence[DataRow], views: dict[str, SetupView]) -> Table:
    titles = ("minute", "ms", "fastest run", "slowest run", "°C", "n")
    return Table(
        "Latency in ms and battery in °C in the middle of each stretch of the sustained phase, medians over runs",
        (Column("setup"), Column("network"), *(Column(title, numeric=True) for title in titles)),
        [_row(row, views[str(row["setup"])]) for row in rows],
    )


def _row(row: DataRow, view: SetupView) -> Row:
    figures = [row[key] for key in ("minute", "ms", "low", "high", "celsius")]
    told = (MISSING if each is None else number(float(each)) for each in figures)
    return Row((view.full_label, str(row["network"]), *told, str(row["n"])), view)
