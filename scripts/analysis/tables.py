"""Metrics and verdicts as tables, one for each setup."""

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import TypeVar

from scripts.analysis.cells import Cell, RunState
from scripts.analysis.metrics import METRICS, At, Metric, MetricName, Unit
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.price.fit import NO_INTERVAL
from scripts.console import shown
from scripts.records.comparable import Setup
from scripts.tables import Column, Entry, ResultTable, number, text

Row = TypeVar("Row")
_SUFFIX = MappingProxyType({
    Unit.MS: "ms", Unit.TOKENS_PER_S: "tokens_per_s", Unit.BYTES: "bytes", Unit.GB_PER_S: "gb_per_s",
    Unit.RATIO: "ratio",
})  # fmt: skip


def cell_tables(cells: Sequence[Cell], metric: MetricName) -> list[ResultTable]:
    """Median and range over runs of one metric."""
    return [
        ResultTable(
            title=setup.label, kind=setup.device.kind, columns=_cell_columns(METRICS[metric]),
            rows=tuple(_cell_row(cell, metric, at) for cell in mine for at in _places(cell, metric)),
        )
        for setup, mine in by_setup([(cell.key.setup, cell) for cell in cells])
    ]  # fmt: skip


def verdict_tables(rows: Sequence[PairVerdict], explanations: Sequence[str]) -> list[ResultTable]:
    """The deep arm against the wide one, reasons below.

    Args:
        rows: of one metric.
        explanations: one for each row, empty where there is none.
    """
    told = list(zip(rows, explanations, strict=True))
    return [
        ResultTable(
            title=setup.label, kind=setup.device.kind, columns=_verdict_columns(METRICS[mine[0][0].metric]),
            rows=tuple(_verdict_row(row) for row, _ in mine),
            notes=tuple(f"{row.pair} {_at(row.at)}: {_because(row, why)}" for row, why in mine),
        )
        for setup, mine in by_setup([(row.setup, (row, why)) for row, why in told])
    ]  # fmt: skip


def metric_note(metric: MetricName) -> str:
    """What the numbers of a table mean."""
    definition = METRICS[metric]
    return (
        f"{definition.unit}: median over runs of {metric}, of each run {definition.formula} ({definition.source}); "
        f"{definition.better} is better"
    )


def by_setup(rows: Sequence[tuple[Setup, Row]]) -> list[tuple[Setup, list[Row]]]:
    """Rows of each setup, in the order in which setups first come."""
    found: dict[Setup, list[Row]] = {}
    for setup, row in rows:
        found.setdefault(setup, []).append(row)
    return list(found.items())


def _cell_columns(metric: Metric) -> tuple[Column, ...]:
    suffix = _SUFFIX[metric.unit]
    return (
        Column("network", ("pair", "shape")), _at_column(metric), Column(">runs", ("runs",)),
        Column(">not used", ("runs_not_used",)), Column(f">{metric.unit}", (f"median_{suffix}",)),
        Column(">range", (f"least_{suffix}", f"largest_{suffix}")),
    )  # fmt: skip


def _cell_row(cell: Cell, metric: MetricName, at: int | None) -> tuple[Entry, ...]:
    unused = sum(cell.counts.values()) - cell.counts.get(RunState.USABLE, 0)
    values, middle, network = cell.values(metric, at), cell.median(metric, at), cell.key.network
    return (
        Entry(f"{network.pair}/{network.shape_name}", (network.pair, network.shape_name)), text(at),
        text(len(values)), text(unused), _median(middle),
        Entry(f"{min(values):.4g} to {max(values):.4g}", (min(values), max(values)))
        if values else Entry("", (None, None)),
    )  # fmt: skip


def _verdict_columns(metric: Metric) -> tuple[Column, ...]:
    suffix = _SUFFIX[metric.unit]
    return (
        Column("pair", ("pair",)), _at_column(metric), Column(f">deep {metric.unit}", (f"deep_{suffix}",)),
        Column(f">wide {metric.unit}", (f"wide_{suffix}",)), Column("deep is", ("deep_is",)),
        Column(">deep / wide", ("deep_over_wide",)),
        Column(">95 % interval", ("deep_over_wide_low", "deep_over_wide_high")), Column(">p", ("p_adjusted",)),
        Column(">p all", ("p_all",)), Column(">runs", ("runs_deep", "runs_wide")),
    )  # fmt: skip


def _verdict_row(row: PairVerdict) -> tuple[Entry, ...]:
    verdict = row.verdict
    low, high = verdict.low, verdict.high
    interval = NO_INTERVAL if math.isnan(low) else f"{shown(low)} to {shown(high)}"
    return (
        text(row.pair), text(row.at), _median(row.deep.median(row.metric, row.at)),
        _median(row.wide.median(row.metric, row.at)), text(verdict.word), number(shown(verdict.ratio), verdict.ratio),
        Entry(interval, (low, high)), number(f"{verdict.p_adjusted:.2g}", verdict.p_adjusted),
        number(f"{row.p_all:.2g}", row.p_all), Entry(f"{verdict.n_a}+{verdict.n_b}", (verdict.n_a, verdict.n_b)),
    )  # fmt: skip


def _at_column(metric: Metric) -> Column:
    match metric.at:
        case At.RUN:
            return Column(">at", ("at",))
        case At.CONTEXT:
            return Column(">context", ("context_tokens",))
        case At.PROMPT:
            return Column(">prompt", ("prompt_tokens",))


def _places(cell: Cell, metric: MetricName) -> list[int | None]:
    protocol = cell.runs[0].request.protocol if cell.runs else None
    match METRICS[metric].at:
        case At.RUN:
            return [None]
        case At.CONTEXT:
            return list(cell.key.setup.protocol.contexts)
        case At.PROMPT:
            return list(protocol.prompt_lengths) if protocol else []


def _median(value: float | None) -> Entry:
    return number("" if value is None else f"{value:.4g}", value)


def _because(row: PairVerdict, why: str) -> str:
    return f"{row.verdict.reason}{'; ' * bool(why)}{why}"


def _at(at: int | None) -> str:
    return "" if at is None else str(at)
