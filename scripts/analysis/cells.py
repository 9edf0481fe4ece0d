"""Which runs may be compared: only what shares a setup.

A setup is everything but the network: device, OS build, harness, runtime, charging, protocol. Arms of a pair are
compared inside one setup; across setups nothing is ever pooled.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from export.quantization import Scheme
from export.targets.base import TargetName
from models.errors import UserError
from models.pair import Arm
from models.shape import Shape
from scripts.analysis.metrics import MetricName, run_metrics
from scripts.records import (
    DONE_FILE,
    RECORD_FILE,
    ArtifactFacts,
    Backend,
    Completed,
    DeviceKind,
    Failed,
    LoadMode,
    RunRecord,
    Skipped,
    read_finished_record,
    read_record,
)


class RunState(StrEnum):
    """What a run is good for. Only usable ones enter a number; all are counted."""

    USABLE = "usable"
    INVALID = "invalid"  # completed, and a concern makes its numbers unusable
    FAILED = "failed"
    SKIPPED = "skipped"
    DIED = "died"  # its last record says it was still running


@dataclass(frozen=True, slots=True, order=True)
class Device:
    """One physical device.

    Attributes:
        id: the farm's, else the device's model.
    """

    id: str
    kind: DeviceKind
    model: str


@dataclass(frozen=True, slots=True, order=True)
class ProtocolKey:
    """The part of a protocol that decode times depend on."""

    num_threads: int
    backend: Backend
    load_mode: LoadMode
    depths: tuple[int, ...]
    decode_steps: int
    warm_up_steps: int
    token_seed: int
    max_context: int
    prefill_chunk: int


@dataclass(frozen=True, slots=True)
class Setup:
    """All that two runs must share to be compared, the network apart.

    Attributes:
        harness: name, version, build and whether it is a debug build.
        runtime: name and version as it reported them; None where the run ended before it did.
        plugged: on a charger; None where the device does not say.
    """

    device: Device
    os_build: str
    harness: str
    runtime: str | None
    plugged: bool | None
    target: TargetName
    scheme: Scheme
    protocol: ProtocolKey

    @property
    def label(self) -> str:
        """`phone-1 (Pixel 8), executorch int4, 4 threads`."""
        threads = self.protocol.num_threads
        runtime = f"{self.target} {self.scheme}, {threads} thread{'s' * (threads > 1)}"
        return f"{self.device.id} ({self.device.model}), {runtime}"


@dataclass(frozen=True, slots=True)
class Subject:
    """The network of a cell; `job_id` tells two exports of one shape apart."""

    pair: str
    arm: Arm | None
    shape_name: str
    job_id: str


@dataclass(frozen=True, slots=True)
class CellKey:
    """A setup and a network: the runs of a cell repeat each other."""

    setup: Setup
    subject: Subject


@dataclass(frozen=True, slots=True)
class Cell:
    """Runs that repeat each other, in the order in which they ran.

    Attributes:
        runs: the usable ones.
        counts: of all runs, by what they are good for.
        artifact: the facts of the network.
    """

    key: CellKey
    runs: tuple[RunRecord, ...]
    counts: Mapping[RunState, int]
    artifact: ArtifactFacts

    @property
    def shape(self) -> Shape:
        """The network's."""
        return self.artifact.shape

    def values(self, metric: MetricName, at: int | None = None) -> list[float]:
        """The metric of each usable run that measured it, in order."""
        found = (run_metrics(run).get(metric, at) for run in self.runs)
        return [value for value in found if value is not None]

    def median(self, metric: MetricName, at: int | None = None) -> float | None:
        """The cell's number: the median of its runs' numbers."""
        values = self.values(metric, at)
        return float(np.median(values)) if values else None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a results folder holds."""

    records: tuple[RunRecord, ...]
    unreadable: tuple[Unreadable, ...]


def load_records(root: Path) -> Loaded:
    """Every record under `root`, by path. A run without `done.json` is one whose process died.

    A run counts once: of two records with one `run_id` in one campaign, such as in a copied folder, the second is
    unreadable.

    Raises:
        UserError: `root` is no folder, or holds no record at all.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give a folder of records, such as results/")
    records: dict[tuple[str, str], tuple[RunRecord, Path]] = {}
    unreadable: list[Unreadable] = []
    paths = [path for path in sorted(root.rglob(RECORD_FILE)) if not path.parent.name.startswith(".")]
    for path in paths:
        try:
            finished = (path.parent / DONE_FILE).is_file()
            record = read_finished_record(path.parent) if finished else read_record(path)
            _add(record, path, records)
        except UserError as error:
            unreadable.append(Unreadable(path, str(error)))
    if not paths:
        raise UserError(f"{root}: no {RECORD_FILE} below it; give a folder of records, such as results/")
    return Loaded(tuple(record for record, _ in records.values()), tuple(unreadable))


def _add(record: RunRecord, path: Path, known: dict[tuple[str, str], tuple[RunRecord, Path]]) -> None:
    plan = record.request.plan
    key = plan.campaign if plan else "", record.run_id
    if key in known:
        raise UserError(f"{path}: run {record.run_id} is in {known[key][1]} too, a run counts once; remove one of them")
    known[key] = record, path


def run_state(record: RunRecord) -> RunState:
    """What the run is good for."""
    if record.valid:
        return RunState.USABLE
    match record.outcome:
        case Completed():
            return RunState.INVALID
        case Failed():
            return RunState.FAILED
        case Skipped():
            return RunState.SKIPPED
        case _:
            return RunState.DIED


def is_canary(record: RunRecord) -> bool:
    """Whether the run only tells about the device's health; such runs are never compared."""
    return record.request.plan is not None and record.request.plan.canary


def device_of(record: RunRecord) -> Device:
    """The physical device."""
    plan = record.request.plan
    return Device(plan.device_id if plan else record.device.model, record.device.kind, record.device.model)


def setup_of(record: RunRecord, artifact: ArtifactFacts) -> Setup:
    """The run's setup."""
    harness, protocol, before = record.harness, record.request.protocol, record.environment_before
    return Setup(
        device=device_of(record),
        os_build=record.device.os_build,
        harness=f"{harness.name} {harness.version} {harness.build or 'unknown'}{' debug' * harness.debug}",
        runtime=f"{record.observed.name} {record.observed.version}" if record.observed else None,
        plugged=before.plugged if before else None,
        target=artifact.target,
        scheme=artifact.scheme,
        protocol=ProtocolKey(
            protocol.num_threads, protocol.backend, protocol.load_mode, protocol.depths, protocol.decode_steps,
            protocol.warm_up_steps, protocol.token_seed, artifact.max_context, artifact.prefill_chunk,
        ),
    )  # fmt: skip


def group_cells(records: Iterable[RunRecord]) -> list[Cell]:
    """Records by cell, canaries left out.

    A run that ended before its runtime or charger reported joins the cell of its plan that has usable runs, so that
    failures are counted beside the numbers they belong to. Runs without an artifact belong to no cell.
    """
    usable: dict[CellKey, list[RunRecord]] = {}
    others: list[tuple[CellKey, RunRecord]] = []
    for record in sorted(records, key=_order):
        if record.artifact is None or is_canary(record):
            continue
        key = _key(record, record.artifact)
        if record.valid:
            usable.setdefault(key, []).append(record)
        else:
            others.append((key, record))
    ended: dict[CellKey, list[RunRecord]] = {}
    for key, record in others:
        home = next((each for each in usable if _same_but_reported(each, key)), key)
        ended.setdefault(home, []).append(record)
    return [_cell(key, usable.get(key, []), ended.get(key, [])) for key in {**usable, **ended}]


def _cell(key: CellKey, runs: list[RunRecord], ended: list[RunRecord]) -> Cell:
    artifact = (runs or ended)[0].artifact
    assert artifact is not None
    return Cell(key, tuple(runs), Counter(run_state(run) for run in [*runs, *ended]), artifact)


def _key(record: RunRecord, artifact: ArtifactFacts) -> CellKey:
    subject = Subject(artifact.pair, artifact.arm, artifact.shape_name, artifact.job_id)
    return CellKey(setup_of(record, artifact), subject)


def _same_but_reported(one: CellKey, other: CellKey) -> bool:
    a, b = one.setup, other.setup
    return one.subject == other.subject and (a.device, a.os_build, a.harness, a.protocol) == (
        b.device, b.os_build, b.harness, b.protocol,
    ) and other.setup.runtime in (None, a.runtime) and other.setup.plugged in (None, a.plugged)  # fmt: skip


def _order(record: RunRecord) -> tuple[str, int, str]:
    plan = record.request.plan
    return (plan.campaign if plan else "", plan.order if plan else 0, record.started_utc)
