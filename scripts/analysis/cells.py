"""Runs that repeat each other, as `scripts.records.comparable` has it, and what became of each.

Arms of a pair are compared inside one setup; across setups nothing is ever pooled.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np

from models.errors import UserError
from models.pair import Arm
from models.shape import Shape
from scripts.analysis.metrics import MetricName, RunMetrics, run_metrics
from scripts.records import (
    DONE_FILE,
    FARM_HARNESS,
    RECORD_FILE,
    ArtifactFacts,
    Completed,
    Failed,
    RunRecord,
    Skipped,
    read_finished_record,
    read_record,
)
from scripts.records.comparable import Setup, setup_of
from scripts.records.shared import unpacked


class RunState(StrEnum):
    """What a run is good for. Only usable ones enter a number; all are counted."""

    USABLE = "usable"
    INVALID = "invalid"  # completed, and a concern makes its numbers unusable
    FAILED = "failed"
    SKIPPED = "skipped"
    DIED = "died"  # its last record says it was still running


@dataclass(frozen=True, slots=True)
class Network:
    """The network of a cell; `content_id` tells it apart, the rest is how people call it."""

    pair: str
    arm: Arm | None
    shape_name: str
    content_id: str


@dataclass(frozen=True, slots=True)
class CellKey:
    """A setup and a network: the runs of a cell repeat each other."""

    setup: Setup
    network: Network


@dataclass(frozen=True, slots=True)
class Cell:
    """Runs that repeat each other, in the order in which they ran.

    Attributes:
        runs: the usable ones.
        metrics: of each of `runs`.
        counts: of all runs, by what they are good for.
        artifact: the facts of the network.
    """

    key: CellKey
    runs: tuple[RunRecord, ...]
    metrics: tuple[RunMetrics, ...]
    counts: Mapping[RunState, int]
    artifact: ArtifactFacts

    @property
    def shape(self) -> Shape:
        """The network's."""
        return self.artifact.shape

    def values(self, metric: MetricName, at: int | None = None) -> list[float]:
        """The metric of each usable run that measured it, in order."""
        found = (run.get(metric, at) for run in self.metrics)
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
    """Every record under `root`, by path, or in it where it is a shared file. Without `done.json` a process died.

    A run counts once: of two records with one `run_id` in one campaign, such as in a copied folder, the second is
    unreadable.

    Raises:
        UserError: `root` is no folder and no shared file, or holds no record at all.
    """
    if root.is_file():
        with unpacked(root) as folder:
            loaded = load_records(folder)
            named = tuple(Unreadable(root / bad.path.relative_to(folder), bad.reason) for bad in loaded.unreadable)
        return Loaded(loaded.records, named)
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


def group_cells(records: Iterable[RunRecord]) -> list[Cell]:
    """Records by cell, canaries left out. Everything in the analysis, the page and the claims starts from these cells.

    Group once and hand the cells on: this is where metrics are computed.

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
    metrics = tuple(run_metrics(run) for run in runs)
    return Cell(key, tuple(runs), metrics, Counter(run_state(run) for run in [*runs, *ended]), artifact)


def _key(record: RunRecord, artifact: ArtifactFacts) -> CellKey:
    network = Network(artifact.pair, artifact.arm, artifact.shape_name, artifact.content_id)
    return CellKey(setup_of(record, artifact), network)


def _same_but_reported(one: CellKey, other: CellKey) -> bool:
    """Whether `other` is `one` as far as it was reported before the run ended."""
    known, setup = one.setup, other.setup
    filled = replace(
        setup, harness=known.harness if setup.harness.name == FARM_HARNESS else setup.harness,
        runtime=setup.runtime or known.runtime, backends=setup.backends or known.backends,
        plugged=known.plugged if setup.plugged is None else setup.plugged,
    )  # fmt: skip
    return one.network == other.network and filled == known


def _order(record: RunRecord) -> tuple[str, int, str]:
    plan = record.request.plan
    return (plan.campaign if plan else "", plan.order if plan else 0, record.started_utc)
