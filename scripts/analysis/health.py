"""Whether a device measures steadily: ExecuTorch's stability score over the runs of each of its cells."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from scripts.analysis.cells import Cell, RunState
from scripts.analysis.metrics import MetricName
from scripts.records.comparable import DeviceKey

_MIN_RUNS = 3


class Grade(StrEnum):
    """ExecuTorch's words for a score."""

    EXCELLENT = "excellent"
    GOOD = "good"
    MODERATE = "moderate"
    POOR = "poor"
    UNKNOWN = "not enough runs"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceHealth:
    """One device.

    Attributes:
        score: median of its cells' scores, 0 to 100; None if no cell has three usable runs.
        spread: median of its cells' coefficients of variation between runs.
        worst_drift: largest ratio of the last third to the first third of a decode phase, over cells' medians.
        counts: runs by what they are good for.
    """

    device: DeviceKey
    score: float | None
    grade: Grade
    spread: float | None
    worst_drift: float | None
    counts: dict[RunState, int]


def stability_score(values: Sequence[float]) -> float:
    """0 to 100 over the run medians of one cell.

    0.5 * max(0, 100 - 10 * CV%) + 0.25 * max(0, 100 - 50 * (max / min - 1))
    + 0.25 * max(0, 100 - 100 * (p99 / p50 - 1)),
    from ExecuTorch's .ci/scripts/benchmark_tooling/analyze_benchmark_stability.py.
    """
    array = np.array(values, float)
    variation = float(array.std(ddof=1) / array.mean()) * 100 if len(array) > 1 else 0.0
    p50, p99 = np.percentile(array, (50, 99))
    parts = (
        (0.5, 100 - 10 * variation),
        (0.25, 100 - 50 * (float(array.max() / array.min()) - 1)),
        (0.25, 100 - 100 * (float(p99 / p50) - 1)),
    )
    return sum(weight * max(0.0, part) for weight, part in parts)


def grade(score: float | None) -> Grade:
    """The word for a score: from 90 excellent, 80 good, 60 moderate."""
    if score is None:
        return Grade.UNKNOWN
    if score >= 90:
        return Grade.EXCELLENT
    if score >= 80:
        return Grade.GOOD
    return Grade.MODERATE if score >= 60 else Grade.POOR


def device_health(cells: Iterable[Cell]) -> list[DeviceHealth]:
    """Health of every device, by id."""
    devices: dict[DeviceKey, list[Cell]] = {}
    for cell in cells:
        devices.setdefault(cell.key.setup.device, []).append(cell)
    return [_health(device, mine) for device, mine in sorted(devices.items())]


def _health(device: DeviceKey, cells: Sequence[Cell]) -> DeviceHealth:
    places = [(cell, context) for cell in cells for context in cell.key.setup.protocol.contexts]
    series = [cell.values(MetricName.DECODE_P50_MS, context) for cell, context in places]
    series = [values for values in series if len(values) >= _MIN_RUNS]
    score = float(np.median([stability_score(values) for values in series])) if series else None
    drifts = [d for cell, context in places if (d := cell.median(MetricName.DECODE_DRIFT, context)) is not None]
    return DeviceHealth(
        device=device, score=score, grade=grade(score),
        spread=float(np.median([np.std(v, ddof=1) / np.mean(v) for v in series])) if series else None,
        worst_drift=max(drifts, default=None),
        counts={state: sum(cell.counts.get(state, 0) for cell in cells) for state in RunState},
    )  # fmt: skip
