"""Two results folders: did anything become slower? The software may differ, the conditions may not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import METRICS, At, MetricName
from scripts.analysis.verdict import Verdict, Word, adjust, compare
from scripts.records.comparable import DeviceKey, ProtocolKey


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedCell:
    """One cell at one context or prompt length.

    Attributes:
        verdict: of the candidate against the baseline; its family is the device and runtime.
    """

    baseline: Cell
    candidate: Cell
    at: int | None
    verdict: Verdict

    @property
    def regressed(self) -> bool:
        """Whether the candidate is worse."""
        return self.verdict.word in (Word.SLOWER, Word.LARGER)

    @property
    def undecided(self) -> bool:
        """Whether nothing can be said of it, as of a candidate that crashed in every run."""
        return not self.verdict.decided


@dataclass(frozen=True, slots=True)
class Incomparable:
    """A cell of the candidate that the baseline has under other conditions only, and the first of them."""

    network: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Candidate against baseline.

    Attributes:
        missing: networks that only one side measured.
    """

    metric: MetricName
    cells: tuple[ComparedCell, ...]
    incomparable: tuple[Incomparable, ...]
    missing: tuple[str, ...]

    @property
    def regressions(self) -> list[ComparedCell]:
        """Cells that became worse."""
        return [each for each in self.cells if each.regressed]

    @property
    def undecided(self) -> list[ComparedCell]:
        """Cells that nothing can be said of."""
        return [each for each in self.cells if each.undecided]

    @property
    def complete(self) -> bool:
        """Whether every network of either side was compared and judged; without it there is no verdict."""
        return not (self.undecided or self.incomparable or self.missing)


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
    allow_harness: bool = False,
) -> Comparison:  # fmt: skip
    """Compare every cell that both sides measured under equal conditions.

    Runtime version and artifact may differ: they are what is tried. Device, OS build, charging, threads and protocol
    must be equal, and so must the harness unless `allow_harness` declares two builds compatible.
    """
    old, new = _networks(baseline), _networks(candidate)
    rows: list[ComparedCell] = []
    incomparable: list[Incomparable] = []
    for network in [each for each in new if each in old]:
        partners = [(a, b) for a in old[network] for b in new[network] if _differs(a, b, allow_harness) is None]
        if partners:
            rows += _compare(*partners[-1], metric)
        else:
            reason = _differs(old[network][-1], new[network][-1], allow_harness)
            incomparable.append(Incomparable(network.label, reason or ""))
    missing = tuple(each.label for each in [*old, *new] if (each in old) != (each in new))
    return Comparison(
        metric=metric, cells=tuple(_adjusted(rows, metric)), incomparable=tuple(incomparable), missing=missing
    )


def _networks(cells: Iterable[Cell]) -> dict[_Network, list[Cell]]:
    found: dict[_Network, list[Cell]] = {}
    for cell in cells:
        setup, subject = cell.key.setup, cell.key.network
        runtime = f"{setup.target}-{setup.scheme}"
        key = _Network(setup.device, runtime, subject.pair, subject.arm, subject.shape_name)
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


def _compare(baseline: Cell, candidate: Cell, metric: MetricName) -> list[ComparedCell]:
    places: set[int | None] = {None}
    if METRICS[metric].at is not At.RUN:
        measured = [*baseline.metrics, *candidate.metrics]
        places = {v.at for run in measured for v in run.values if v.metric is metric} or {None}
    return [
        ComparedCell(
            baseline=baseline, candidate=candidate, at=at,
            verdict=compare(candidate.values(metric, at), baseline.values(metric, at), METRICS[metric]),
        )
        for at in sorted(places, key=lambda each: each or 0)
    ]  # fmt: skip


def _adjusted(rows: Sequence[ComparedCell], metric: MetricName) -> list[ComparedCell]:
    families: dict[tuple[object, ...], list[int]] = {}
    for index, row in enumerate(rows):
        setup = row.candidate.key.setup
        families.setdefault((setup.device, setup.target, setup.scheme, setup.protocol), []).append(index)
    worded: dict[int, Verdict] = {}
    for indices in families.values():
        worded |= zip(indices, adjust([rows[i].verdict for i in indices], METRICS[metric]), strict=True)
    return [
        ComparedCell(baseline=row.baseline, candidate=row.candidate, at=row.at, verdict=worded[index])
        for index, row in enumerate(rows)
    ]
