"""Every step of every run, thinned for a chart: what is drawn is said under the chart.

A point of a timeline stands for a group of neighbouring steps: the median over runs of each run's median in the group,
and the fastest and the slowest of those medians. Quantile curves are medians over runs of each run's quantile. Both
are drawings of raw steps, not metrics: verdicts never look at them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.analysis.cells import Cell
from scripts.report.kit.blocks import DataRow
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import network_name, series_of, tags

MAX_POINTS = 64
QUANTILES = (0, 1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 100)
Array = NDArray[np.float64]


def timeline_rows(evidence: Evidence) -> list[DataRow]:
    """The data set `timeline`: at most `MAX_POINTS` points for each cell and context, in ms."""
    return [row for cell, context, steps in _steps(evidence) for row in _points(_tags(evidence, cell, context), steps)]


def quantile_rows(evidence: Evidence) -> list[DataRow]:
    """The data set `quantiles`: `QUANTILES` of each cell and context, in ms."""
    rows: list[DataRow] = []
    for cell, context, steps in _steps(evidence):
        of_runs = np.percentile(steps, QUANTILES, axis=1)
        middle, low, high = np.median(of_runs, axis=1), of_runs.min(axis=1), of_runs.max(axis=1)
        for index, share in enumerate(QUANTILES):
            numbers = _three(middle[index], low[index], high[index])
            rows.append({**_tags(evidence, cell, context), "share": share, **numbers})
    return rows


def _points(common: dict[str, str | int], steps: Array) -> Iterator[DataRow]:
    count = min(MAX_POINTS, steps.shape[1])
    # As in `numpy.array_split`: the first groups take one step more.
    ends = np.cumsum([len(group) for group in np.array_split(np.arange(steps.shape[1]), count)])
    starts = np.concatenate([[0], ends[:-1]])
    if len(set(ends - starts)) == 1:
        of_runs = np.median(steps.reshape(len(steps), count, -1), axis=2)
    else:
        of_runs = np.stack([np.median(steps[:, a:b], axis=1) for a, b in zip(starts, ends, strict=True)], axis=1)
    middle, low, high = np.median(of_runs, axis=0), of_runs.min(axis=0), of_runs.max(axis=0)
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        numbers = _three(middle[index], low[index], high[index])
        yield {**common, "step": round(float(start + end - 1) / 2 + 1, 1), **numbers}


def _steps(evidence: Evidence) -> Iterator[tuple[Cell, int, Array]]:
    """Forward times in ms, [runs, steps], of runs that took all steps."""
    for cell in evidence.measured:
        count = cell.key.setup.protocol.decode_steps
        for context in cell.key.setup.protocol.contexts:
            found = [s.forward_ns for run in cell.runs for s in run.decode if s.context == context]
            whole = [each for each in found if len(each) == count]
            if whole:
                yield cell, context, np.array(whole, float) / 1e6


def _tags(evidence: Evidence, cell: Cell, context: int) -> dict[str, str | int]:
    view = evidence.view(cell)
    return {
        "setup": tags(view)["setup"],
        "pair": cell.key.network.pair,
        "network": network_name(cell),
        "series": series_of(cell),
        "context": context,
    }


def _three(middle: float, low: float, high: float) -> dict[str, float]:
    return {"ms": _short(middle), "low": _short(low), "high": _short(high)}


def _short(value: Any) -> float:  # noqa: ANN401 - numpy scalars
    return float(f"{float(value):.4g}")


def points_of(cells: Sequence[Cell]) -> int:
    """Steps that one point of the densest timeline stands for."""
    longest = max((cell.key.setup.protocol.decode_steps for cell in cells), default=0)
    return -(-longest // MAX_POINTS) if longest else 0
