"""Two results folders: did any network become worse? The software may differ, the conditions may not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import METRICS, At, Better, MetricName
from scripts.analysis.modes import MODE_UNITS
from scripts.analysis.sessions import (
    SESSION_SD,
    TOLERANCE,
    Change,
    Common,
    Limits,
    Outcome,
    Pair,
    Rest,
    changes,
    rests,
)
from scripts.analysis.verdict import MIN_RUNS
from scripts.records.comparable import DeviceKey, HarnessKey, ProtocolKey, Setup


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedNetwork:
    """One network in both sessions.

    Attributes:
        places: contexts or prompt lengths that its runs' geometric mean goes over; None where the metric has none.
    """

    baseline: Cell
    candidate: Cell
    places: tuple[int | None, ...]
    change: Change


@dataclass(frozen=True, slots=True)
class SessionFactor:
    """What all networks of a device and setup share between the two sessions."""

    setup: Setup
    common: Common


@dataclass(frozen=True, slots=True)
class Incomparable:
    """A cell of the candidate that the baseline has under other conditions only, and the first of them."""

    network: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Candidate against baseline.

    Attributes:
        factors: what was removed, by device and setup.
        missing: networks that only one side measured.
    """

    metric: MetricName
    limits: Limits
    networks: tuple[ComparedNetwork, ...]
    factors: tuple[SessionFactor, ...]
    incomparable: tuple[Incomparable, ...]
    missing: tuple[str, ...]

    @property
    def regressions(self) -> list[ComparedNetwork]:
        """Networks that became worse."""
        return [each for each in self.networks if each.change.outcome is Outcome.WORSE]

    @property
    def undecided(self) -> list[ComparedNetwork]:
        """Networks that nothing can be said of."""
        return [each for each in self.networks if each.change.outcome is Outcome.CANNOT_TELL]

    @property
    def complete(self) -> bool:
        """Whether every network of either side was compared and judged; without it there is no verdict."""
        return not (self.undecided or self.incomparable or self.missing)

    @property
    def sentence(self) -> str:
        """What the exit code says."""
        if self.regressions:
            return f"worse: {', '.join(_label(each.candidate) for each in self.regressions)} (exit code 1)"
        if self.complete:
            return f"no network is worse by more than {self.limits.tolerance:.1%} (exit code 0)"
        return (
            f"cannot tell: {len(self.undecided)} of {len(self.networks)} networks undecided, {len(self.incomparable)} "
            f"incomparable, {len(self.missing)} on one side only (exit code 3)"
        )


@dataclass(frozen=True, slots=True)
class _Network:
    """What is looked up on the other side."""

    device: DeviceKey
    runtime: str
    pair: str
    arm: Arm | None
    shape_name: str

    @property
    def label(self) -> str:
        return f"{self.pair}/{self.shape_name} {self.runtime} on {self.device.id}"


def compare_results(
    baseline: Iterable[Cell], candidate: Iterable[Cell], metric: MetricName = MetricName.DECODE_P50_MS,
    allow_harness: bool = False, tolerance: float = TOLERANCE, session_sd: float = SESSION_SD,
) -> Comparison:  # fmt: skip
    """Compare every network that both sides measured under equal conditions.

    Runtime version and artifact may differ: they are what is tried. Device, OS build, charging, threads and protocol
    must be equal, and so must the harness unless `allow_harness` declares two builds compatible. Of each run the
    geometric mean over contexts or prompt lengths counts.

    Args:
        baseline: cells of one session.
        candidate: cells of the other.
        metric: of a run.
        allow_harness: builds of the harness may differ.
        tolerance: relative loss that may pass.
        session_sd: spread of a session's common factor, used where fewer than four networks tell it.
    """
    old, new = _networks(baseline), _networks(candidate)
    found: list[tuple[Cell, Cell]] = []
    incomparable: list[Incomparable] = []
    for network in [each for each in new if each in old]:
        matched = _partners(old[network], new[network], allow_harness)
        found += matched.values()
        for cell in new[network]:
            if _conditions(cell) not in matched:
                reason = _differs(old[network][-1], cell, allow_harness)
                incomparable.append(Incomparable(network.label, reason or ""))
    missing = tuple(each.label for each in [*old, *new] if (each in old) != (each in new))
    # A floor above the tolerance would leave changes that are neither worse nor within it.
    limits = Limits(tolerance, session_sd, min(METRICS[metric].floor, tolerance))
    networks, factors = _judged([_measured(a, b, metric) for a, b in found], limits)
    return Comparison(
        metric=metric, limits=limits, networks=networks, factors=factors, incomparable=tuple(incomparable),
        missing=missing,
    )  # fmt: skip


def _partners(old: Sequence[Cell], new: Sequence[Cell], allow_harness: bool) -> dict[Setup, tuple[Cell, Cell]]:
    """For each condition that both sides measured, the cells that ran last under it."""
    return {_conditions(b): (a, b) for b in new for a in old if _differs(a, b, allow_harness) is None}


def _conditions(cell: Cell) -> Setup:
    """Conditions without what is tried: runtime and harness."""
    setup = cell.key.setup.conditions
    return replace(setup, runtime=None, harness=HarnessKey("", "", None, False))


def _networks(cells: Iterable[Cell]) -> dict[_Network, list[Cell]]:
    found: dict[_Network, list[Cell]] = {}
    for cell in cells:
        setup, network = cell.key.setup, cell.key.network
        runtime = f"{setup.target}-{setup.scheme}"
        key = _Network(setup.device, runtime, network.pair, network.arm, network.shape_name)
        found.setdefault(key, []).append(cell)
    return found


def _differs(one: Cell, other: Cell, allow_harness: bool) -> str | None:
    """The first condition that is not equal, with both values."""
    a, b = one.key.setup, other.key.setup
    pairs: list[tuple[str, object, object]] = [
        ("OS build", a.os_build, b.os_build),
        ("on a charger", a.plugged, b.plugged),
        ("backends", a.backends, b.backends),
    ]
    pairs += [
        (field.name, getattr(a.protocol, field.name), getattr(b.protocol, field.name)) for field in fields(ProtocolKey)
    ]
    if not allow_harness:
        pairs.append(("harness", a.harness, b.harness))
    return next((f"{name}: {x} against {y}" for name, x, y in pairs if x != y), None)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A network's runs in both sessions; no pair where they cannot be tested."""

    baseline: Cell
    candidate: Cell
    places: tuple[int | None, ...]
    pair: Pair | None
    refusal: str


def _measured(baseline: Cell, candidate: Cell, metric: MetricName) -> _Measured:
    places = _places(baseline, metric) & _places(candidate, metric)
    ordered = tuple(sorted(places, key=lambda each: each or 0))
    old, new = (_values(cell, metric, ordered) for cell in (baseline, candidate))
    refusal = ""
    if min(len(old), len(new)) < MIN_RUNS:
        refusal = f"{len(old)} and {len(new)} usable runs; each side needs {MIN_RUNS}"
    elif min(old.min(), new.min()) <= 0:
        refusal = "a run has a value that is not above 0, and so no ratio"
    pair = None
    if not refusal:
        sides = (1 / old, 1 / new) if METRICS[metric].better is Better.HIGHER else (old, new)
        pair = Pair(*sides, may_have_modes=METRICS[metric].unit in MODE_UNITS)
    return _Measured(baseline, candidate, ordered, pair, refusal)


def _places(cell: Cell, metric: MetricName) -> set[int | None]:
    if METRICS[metric].at is At.RUN:
        return {None}
    return {value.at for run in cell.metrics for value in run.values if value.metric is metric}


def _values(cell: Cell, metric: MetricName, places: Sequence[int | None]) -> np.ndarray:
    """The geometric mean over `places` of each run that measured all of them; 0 where one of them is not above 0."""
    found: list[float] = []
    for run in cell.metrics:
        values = [value for at in places if (value := run.get(metric, at)) is not None]
        if values and len(values) == len(places):
            found.append(float(np.exp(np.mean(np.log(values)))) if min(values) > 0 else 0.0)
    return np.array(found)


def _judged(
    measured: Sequence[_Measured], limits: Limits
) -> tuple[tuple[ComparedNetwork, ...], tuple[SessionFactor, ...]]:
    groups: dict[Setup, list[int]] = {}
    for index, each in enumerate(measured):
        if each.pair is not None:
            groups.setdefault(_group(each.candidate), []).append(index)
    tested: dict[int, Rest] = {}
    factors: list[SessionFactor] = []
    for setup, indices in groups.items():
        common, found = rests([pair for i in indices if (pair := measured[i].pair) is not None], limits)
        factors.append(SessionFactor(setup, common))
        tested |= zip(indices, found, strict=True)
    judged = dict(zip(tested, changes(list(tested.values()), limits), strict=True))
    return tuple(
        ComparedNetwork(
            baseline=each.baseline, candidate=each.candidate, places=each.places,
            change=judged[index] if index in judged else _untested(each),
        )
        for index, each in enumerate(measured)
    ), tuple(factors)  # fmt: skip


def _group(cell: Cell) -> Setup:
    """What shares a session's factor; software, which is what is tried, may differ."""
    return replace(
        cell.key.setup.conditions, runtime=None, harness=replace(cell.key.setup.harness, version="", build=None)
    )


def _untested(each: _Measured) -> Change:
    nan = float("nan")
    return Change(
        outcome=Outcome.CANNOT_TELL, ratio=nan, low=nan, high=nan, p=1.0, p_adjusted=1.0,
        n_baseline=len(each.baseline.runs), n_candidate=len(each.candidate.runs), runs_needed=None,
        reason=each.refusal,
    )  # fmt: skip


def _label(cell: Cell) -> str:
    network, setup = cell.key.network, cell.key.setup
    return f"{network.pair}/{network.shape_name} {setup.target}-{setup.scheme} on {setup.device.id}"
