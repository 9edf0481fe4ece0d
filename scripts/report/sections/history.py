"""Section: how the numbers moved from campaign to campaign, and the steps that analysis finds in them."""

from collections.abc import Sequence

import altair as alt

from scripts.analysis.cells import Cell
from scripts.analysis.history import NIGHTS_AFTER, NIGHTS_BEFORE, Series, find_steps
from scripts.analysis.history import series_of as history_series
from scripts.report.kit.blocks import Block, Column, DataRow, Figure, Row, Section, Table, in_group
from scripts.report.kit.charts import finish, named, tooltip
from scripts.report.kit.palette import css
from scripts.report.kit.words import number, percent
from scripts.report.sections.health import marked

_MIN_CAMPAIGNS = 2


def history_section(cells: Sequence[Cell]) -> Section | None:
    """Nothing where no device ran the same network in two campaigns."""
    series = [each for each in history_series(cells) if len(each.values) >= _MIN_CAMPAIGNS]
    if not series:
        return None
    lead = (
        "The same device, network and protocol from campaign to campaign; what may change is the software. A step is a "
        f"lasting change that analysis confirms; it takes {NIGHTS_BEFORE} campaigns before it and {NIGHTS_AFTER} from "
        "it on to find one.",
    )
    blocks: list[Block] = []
    if steps := _steps(series):
        blocks += [_figure(series), Table("Steps: lasting changes of decode p50", _STEP_COLUMNS, steps)]
    else:
        blocks += in_group(f"No step in {len(series)} series: their campaigns", [_figure(series)])
    data = {"history": [row for index, each in enumerate(series) for row in _rows(index, each, len(series))]}
    return Section("history", "History", lead, blocks, data)


_STEP_COLUMNS = (
    Column("device"),
    Column("network"),
    Column("context", numeric=True),
    Column("first campaign after it"),
    Column("change", numeric=True),
    Column("p", numeric=True),
    Column("what changed with it"),
)


def _figure(series: Sequence[Series]) -> Figure:
    x = alt.X("day:T", title="start of the campaign, UTC", scale=alt.Scale(type="utc"))
    y = alt.Y("percent:Q", title="% of the series' first campaign", scale=alt.Scale(zero=False))
    line = named("history").mark_line(strokeWidth=1.2, opacity=0.6, color=css("deep")).encode(x=x, y=y, detail="line:N")
    tips = tooltip(("network:N", "network"), ("campaign:N", "campaign"), ("ms:Q", "p50 ms"), ("step:N", "step"))
    point = (
        named("history")
        .mark_point(filled=True, opacity=1)
        .encode(
            x=x,
            y=y,
            tooltip=tips,
            size=alt.condition("datum.step", alt.value(110), alt.value(22)),
            color=alt.condition("datum.step", alt.value(css("ceiling")), alt.value(css("deep"))),
        )
    )
    titles = ("context", "campaigns", "first ms", "last ms", "last / first")
    rows = [
        Row(
            (
                marked(each.device),
                _network(each),
                str(each.at),
                str(len(each.values)),
                number(each.values[0]),
                number(each.values[-1]),
                number(each.values[-1] / each.values[0]),
            )
        )
        for each in series
    ]
    return Figure(
        name="history",
        question="Did a device become slower or faster over time?",
        spec=finish([line, point], 230),
        note="One line for each device, network, runtime and context (n = points): median of a campaign's runs, in % "
        "of the series' first. Large marks: first campaign after a step. Hover for names and ms.",
        table=Table(
            "Series", (Column("device"), Column("network"), *(Column(title, numeric=True) for title in titles)), rows
        ),
    )


def _rows(index: int, series: Series, num_series: int) -> list[DataRow]:
    steps = {step.index for step in find_steps(series.values, num_series=num_series)}
    return [
        {
            "line": str(index),
            "network": _network(series),
            "context": series.at,
            "campaign": campaign,
            "day": time,
            "ms": round(value, 4),
            "percent": round(100 * value / series.values[0], 2),
            "step": place in steps,
        }
        for place, (campaign, time, value) in enumerate(zip(series.campaigns, series.times, series.values, strict=True))
    ]


def _steps(series: Sequence[Series]) -> list[Row]:
    return [
        Row(
            (
                marked(each.device),
                _network(each),
                str(each.at),
                each.campaigns[step.index],
                percent(step.ratio - 1),
                number(step.p, 2),
                _changed(each, step.index),
            )
        )
        for each in series
        for step in find_steps(each.values, num_series=len(series))
    ]


def _changed(series: Series, index: int) -> str:
    before, after = series.builds[index - 1], series.builds[index]
    return "; ".join(f"{a} -> {b}" for a, b in zip(before, after, strict=True) if a != b) or "no version"


def _network(series: Series) -> str:
    pair, _, shape = series.network
    return f"{pair}: {shape}, {series.runtime}"
