"""Steps in the history of a cell: when did this device become slower or faster?"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import ruptures
from scipy import stats

from models.errors import UserError
from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import METRICS, At, MetricName
from scripts.records import RunRecord
from scripts.records.comparable import DeviceKey, ProtocolKey

# Fewer points on a side of a step cannot be told from a bad night.
MIN_POINTS = 4
# Cost of a step in units of the noise's variance, times log(n); BIC would be 2, more trades delay for false alarms.
_PENALTY = 4.0
_CONFIRM_P = 0.01
_NORMAL_MAD = 1.4826


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
        ratio: median after / median before.
        p: Mann-Whitney of the points on both sides, up to the neighbouring steps.
    """

    index: int
    ratio: float
    p: float


def find_steps(values: Sequence[float], floor: float = METRICS[MetricName.DECODE_P50_MS].floor) -> list[Step]:
    """Steps in a series of positive numbers.

    PELT (ruptures) on the logarithms in units of their noise, which is taken from successive differences so that steps
    do not count as noise; each step must then pass a Mann-Whitney test at 1 % and exceed `floor`. Around 40 points of
    3 % noise hold a false step in under 5 % of series; a step of 10 % is found from 4 points on.

    Raises:
        UserError: a value is not above 0; `Series.refusal` tells it before.
    """
    if any(not value > 0 for value in values):
        raise UserError("history: every point must be above 0, as a step is a ratio")
    logs = np.log(np.array(values, float))
    if len(logs) < 2 * MIN_POINTS:
        return []
    noise = _NORMAL_MAD * float(np.median(np.abs(np.diff(logs)))) / float(np.sqrt(2))
    if noise == 0:
        noise = float(np.finfo(float).eps) if np.ptp(logs) == 0 else float(np.std(np.diff(logs)))
    search = ruptures.Pelt(model="l2", min_size=MIN_POINTS, jump=1).fit((logs / noise)[:, None])
    ends: list[int] = search.predict(pen=_PENALTY * float(np.log(len(logs))))
    return [step for step in _confirmed(logs, [0, *ends]) if abs(step.ratio - 1) >= floor]


def series_of(cells: Iterable[Cell], metric: MetricName = MetricName.DECODE_P50_MS) -> list[Series]:
    """All series of a metric: its cells of all builds, one point for each campaign, in order of time."""
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
    protocol: ProtocolKey
    at: int | None


@dataclass(frozen=True, slots=True)
class _Point:
    campaign: str
    time: str
    value: float
    builds: tuple[str, ...]


def _key(cell: Cell, at: int | None) -> _Key:
    setup, subject = cell.key.setup, cell.key.network
    network = (subject.pair, subject.arm, subject.shape_name)
    return _Key(setup.device, network, f"{setup.target} {setup.scheme}", setup.protocol, at)


def _point(cell: Cell, run: RunRecord, value: float) -> _Point:
    setup, plan = cell.key.setup, run.request.plan
    builds = (setup.os_build, str(setup.harness), setup.runtime or "", cell.key.network.content_id)
    return _Point(plan.campaign if plan else run.run_id, run.started_utc, value, builds)


def _series(key: _Key, points: Sequence[_Point], metric: MetricName) -> Series:
    campaigns: dict[str, list[_Point]] = {}
    for point in sorted(points, key=lambda each: each.time):
        campaigns.setdefault(point.campaign, []).append(point)
    return Series(
        device=key.device, network=key.network, runtime=key.runtime, protocol=key.protocol, metric=metric, at=key.at,
        campaigns=tuple(campaigns), times=tuple(each[0].time for each in campaigns.values()),
        values=tuple(float(np.median([point.value for point in each])) for each in campaigns.values()),
        builds=tuple(each[0].builds for each in campaigns.values()),
    )  # fmt: skip


def _confirmed(logs: np.ndarray, edges: Sequence[int]) -> list[Step]:
    steps: list[Step] = []
    for start, middle, end in zip(edges, edges[1:], edges[2:], strict=False):
        before, after = logs[start:middle], logs[middle:end]
        p = float(np.asarray(stats.mannwhitneyu(before, after))[1])
        # With few points on a side 1 % is out of reach; the least p there is must do.
        least = 2 / math.comb(len(before) + len(after), len(before))
        if p <= max(_CONFIRM_P, least * (1 + 1e-9)):
            ratio = float(np.exp(np.median(after) - np.median(before)))
            steps.append(Step(index=middle, ratio=ratio, p=p))
    return steps
