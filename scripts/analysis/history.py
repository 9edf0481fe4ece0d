"""Steps in the history of a cell: when did this device become slower or faster?"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import stats

from models.errors import UserError
from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import METRICS, At, MetricName
from scripts.records import RunRecord
from scripts.records.comparable import DeviceKey, ProtocolKey

# Nights that a step must hold to be told from a bad night, and nights before it that say what is normal.
NIGHTS_AFTER = 5
NIGHTS_BEFORE = 10
# Correlation of a night with the next: what warmed the device yesterday warms it today. A short series cannot tell it.
_CORRELATION = 0.6
# Two-sided level of one look; with it a series of 100 nights holds a false step in under 5 % of cases (simulated).
_LEVEL = 7e-4
_NORMAL_MAD = 1.4826
_LEAST_GAP = math.log(1.3)
_SPREADS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """Points of one device, network and protocol in order of time; what may step is software or the device itself.

    Attributes:
        campaigns: name of the campaign of each point.
        times: start of each campaign's first run.
        values: median of the campaign's runs.
        builds: OS build, harness, runtime and artifact of each point.
    """

    device: DeviceKey
    network: tuple[str, Arm | None, str]
    runtime: str
    protocol: ProtocolKey
    metric: MetricName
    at: int | None
    campaigns: tuple[str, ...]
    times: tuple[str, ...]
    values: tuple[float, ...]
    builds: tuple[tuple[str, ...], ...]

    @property
    def refusal(self) -> str | None:
        """Why steps cannot be looked for; None if they can."""
        zeros = sum(value <= 0 for value in self.values)
        return f"{zeros} of {len(self.values)} points are not above 0, and a step is a ratio" if zeros else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A lasting change.

    Attributes:
        index: first point after it.
        ratio: median of the points after, up to the next step, over the median of those before, from the last one on.
        p: two-sided, of the first five nights against those before; not corrected for the number of looks.
    """

    index: int
    ratio: float
    p: float


def find_steps(
    values: Sequence[float], floor: float = METRICS[MetricName.DECODE_P50_MS].floor, num_series: int = 1
) -> list[Step]:
    """Steps in a series of positive numbers, found night after night from the first on.

    The mean of five nights is held against the median of all nights since the last step, at least ten, in units of
    their spread. Nights count as correlated (0.6 from one to the next), Student's t has the degrees of freedom of that
    many independent ones, and each of the five must lie a third of the shift away. Nights in a slow mode (a gap above
    1.3 times and five spreads) are set aside unless five follow each other; four of five nights must be left.

    Args:
        values: one for each night.
        floor: smallest relative change that is a step.
        num_series: that are searched together; the level is divided by it (Bonferroni).

    Raises:
        UserError: a value is not above 0; `Series.refusal` tells it before.
    """
    if any(not value > 0 for value in values):
        raise UserError("history: every point must be above 0, as a step is a ratio")
    logs = np.log(np.array(values, float))
    if len(logs) < NIGHTS_BEFORE + NIGHTS_AFTER:
        return []
    kept = ~_slow_nights(logs)
    found: list[tuple[int, float]] = []
    start = 0
    for night in range(NIGHTS_BEFORE, len(logs) - NIGHTS_AFTER + 1):
        before = logs[start:night][kept[start:night]]
        window = slice(night, night + NIGHTS_AFTER)
        if len(before) < NIGHTS_BEFORE or not kept[night] or kept[window].sum() < NIGHTS_AFTER - 1:
            continue
        p = _step_p(before, logs[window][kept[window]], floor)
        if p <= _LEVEL / num_series:
            found.append((night, p))
            start = night
    return _with_ratios(logs, kept, found)


def _step_p(before: np.ndarray, after: np.ndarray, floor: float) -> float:
    """Of no shift; 1 where the nights after it disagree or it is below the floor."""
    middle = float(np.median(before))
    shift = float(after.mean()) - middle
    apart = (after - middle) * np.sign(shift) > abs(shift) / 3
    if abs(math.expm1(shift)) < floor or not apart.all():
        return 1.0
    spread = _NORMAL_MAD * float(np.median(np.abs(before - middle)))
    error = spread * math.sqrt(_variance_of_mean(len(after)) + _variance_of_mean(len(before)))
    if error == 0:
        return 0.0
    independent = max(2.0, len(before) / (1 + 2 * _CORRELATION))
    return 2 * float(stats.t.sf(abs(shift) / error, independent))


def _variance_of_mean(count: int) -> float:
    """Of `count` nights in a row, in units of one night's variance: (1 + 2 sum (1 - k / n) r^k) / n."""
    lags = np.arange(1, count)
    return float(1 + 2 * ((1 - lags / count) * _CORRELATION**lags).sum()) / count


def _slow_nights(logs: np.ndarray) -> np.ndarray:
    """Nights in a slow mode, bool; five of them in a row are a change that lasts, and none."""
    ordered = np.sort(logs)
    gaps = np.diff(ordered)
    gaps[: (len(logs) - 1) // 2] = 0.0
    cut = int(gaps.argmax())
    below = ordered[: cut + 1]
    spread = _NORMAL_MAD * float(np.median(np.abs(below - np.median(below))))
    if gaps[cut] <= max(_LEAST_GAP, _SPREADS * spread):
        return np.zeros(len(logs), bool)
    slow = logs > ordered[cut] + gaps[cut] / 2
    edges = np.flatnonzero(np.diff(np.concatenate([[False], slow, [False]]).astype(int)))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if end - first >= NIGHTS_AFTER:
            slow[first:end] = False
    return slow


def _with_ratios(logs: np.ndarray, kept: np.ndarray, found: Sequence[tuple[int, float]]) -> list[Step]:
    edges = [0, *(night for night, _ in found), len(logs)]
    middles = [float(np.median(logs[start:end][kept[start:end]])) for start, end in pairwise(edges)]
    return [
        Step(index=night, ratio=math.exp(middles[place + 1] - middles[place]), p=p)
        for place, (night, p) in enumerate(found)
    ]


def series_of(cells: Iterable[Cell], metric: MetricName = MetricName.DECODE_P50_MS) -> list[Series]:
    """All series of a metric: its cells of all builds, one point for each campaign and build, in order of time.

    Runs outside of a campaign make one point for each session.
    """
    found: dict[_Key, list[_Point]] = {}
    for cell in cells:
        for run, metrics in zip(cell.runs, cell.metrics, strict=True):
            for value in metrics.values:
                if value.metric is metric:
                    key = _key(cell, None if METRICS[metric].at is At.RUN else value.at)
                    found.setdefault(key, []).append(_point(cell, run, value.value))
    return [_series(key, points, metric) for key, points in found.items()]


@dataclass(frozen=True, slots=True)
class _Key:
    device: DeviceKey
    network: tuple[str, Arm | None, str]
    runtime: str
    backends: tuple[str, ...]
    plugged: bool | None
    protocol: ProtocolKey
    at: int | None


@dataclass(frozen=True, slots=True)
class _Point:
    campaign: str
    time: str
    value: float
    builds: tuple[str, ...]


def _key(cell: Cell, at: int | None) -> _Key:
    setup, named = cell.key.setup, cell.key.network
    network, runtime = (named.pair, named.arm, named.shape_name), f"{setup.target} {setup.scheme}"
    return _Key(setup.device, network, runtime, setup.backends, setup.plugged, setup.protocol, at)


def _point(cell: Cell, run: RunRecord, value: float) -> _Point:
    setup, plan = cell.key.setup, run.request.plan
    builds = (setup.os_build, str(setup.harness), setup.runtime or "", cell.key.network.content_id)
    name = plan.campaign if plan else run.request.session or run.run_id
    return _Point(name, run.started_utc, value, builds)


def _series(key: _Key, points: Sequence[_Point], metric: MetricName) -> Series:
    # Builds that change inside a campaign make another point: one median never holds two of them.
    campaigns: dict[tuple[str, tuple[str, ...]], list[_Point]] = {}
    for point in sorted(points, key=lambda each: each.time):
        campaigns.setdefault((point.campaign, point.builds), []).append(point)
    return Series(
        device=key.device, network=key.network, runtime=key.runtime, protocol=key.protocol, metric=metric, at=key.at,
        campaigns=tuple(name for name, _ in campaigns), times=tuple(each[0].time for each in campaigns.values()),
        values=tuple(float(np.median([point.value for point in each])) for each in campaigns.values()),
        builds=tuple(each[0].builds for each in campaigns.values()),
    )  # fmt: skip
