"""Decode benchmark: every contender in every round, each run in a fresh process, in an order that rotates."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter

from export.targets.base import TargetName
from models.errors import UserError
from scripts.analysis.spread import Spread, paired_speed, spread
from scripts.bench.bandwidth import measure_bandwidth
from scripts.bench.contenders import Contender
from scripts.bench.decode_run import DecodeRun, Protocol, Window
from scripts.bench.processes import run_for_json

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One run and where it stood in the session."""

    contender: str
    num_threads: int
    round_number: int
    run: DecodeRun


@dataclass(frozen=True, slots=True)
class Probe:
    """One measurement of the memory's read bandwidth."""

    num_threads: int
    round_number: int
    bytes_per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """All raw figures of a benchmark."""

    protocol: Protocol
    records: tuple[Record, ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowFigures:
    """One window of one contender at one number of threads.

    Attributes:
        p50_ms: median step of each run, over the rounds.
        bandwidth_utilization: bytes of weights and cache read by the middle step, over (p50 * best bandwidth).
        speed: times as fast as each baseline, paired by round.
    """

    window: Window
    p50_ms: Spread
    bandwidth_utilization: float
    speed: dict[str, Spread]

    @property
    def tokens_per_s(self) -> float:
        """Tokens per second at the median."""
        return 1e3 / self.p50_ms.median


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One contender at one number of threads.

    Attributes:
        working_memory_bytes: peak resident memory above that of the imported packages, the largest of the rounds.
    """

    contender: str
    num_threads: int
    windows: tuple[WindowFigures, ...]
    prefill_tokens_per_s: Spread
    load_s: Spread
    working_memory_bytes: int
    file_bytes: int


def measure(
    contenders: Sequence[Contender], threads: Sequence[int], rounds: int, protocol: Protocol,
    progress: Callable[[str], None],
) -> Session:  # fmt: skip
    """Run everything.

    Raises:
        UserError: a contender's cache or prompts are too short, or a run failed.
    """
    _check(contenders, protocol)
    records: list[Record] = []
    probes: list[Probe] = []
    for number in range(rounds):
        for count in threads:
            progress(f"round {number + 1}/{rounds}, {count} threads: read bandwidth")
            probes.append(Probe(count, number, measure_bandwidth(count)))
            for contender in rotated(contenders, number):
                progress(f"round {number + 1}/{rounds}, {count} threads: {contender.name}")
                outcome = run_in_child(contender, count, protocol)
                records.append(Record(contender=contender.name, num_threads=count, round_number=number, run=outcome))
    return Session(protocol=protocol, records=tuple(records), probes=tuple(probes))


def rotated(items: Sequence[Item], by: int) -> list[Item]:
    """Start `by` places later, so that no contender always runs first or always after the same one's heat."""
    first = by % len(items)
    return [*items[first:], *items[:first]]


def run_in_child(contender: Contender, num_threads: int, protocol: Protocol) -> DecodeRun:
    """One run in a process of its own."""
    # ExecuTorch's custom_sdpa also uses OpenMP; left alone, its threads fight with XNNPACK's for the same cores.
    environment = {"OMP_NUM_THREADS": "1"} if contender.runtime is TargetName.EXECUTORCH else {}
    arguments = [contender.model_dump_json(), str(num_threads), TypeAdapter(Protocol).dump_json(protocol).decode()]
    return TypeAdapter(DecodeRun).validate_json(run_for_json("scripts.bench.decode_run", arguments, environment))


def summarize(session: Session, contenders: Sequence[Contender], baselines: Sequence[str]) -> list[Figures]:
    """Medians, ranges and paired speeds; threads first, contenders in their given order."""
    counts = list(dict.fromkeys(record.num_threads for record in session.records))
    return [_figures(session, contender, count, baselines) for count in counts for contender in contenders]


def _figures(session: Session, contender: Contender, count: int, baselines: Sequence[str]) -> Figures:
    runs = _runs(session, contender.name, count).values()
    return Figures(
        contender=contender.name,
        num_threads=count,
        windows=tuple(
            _window(session, contender, count, index, baselines) for index in range(len(session.protocol.windows))
        ),
        prefill_tokens_per_s=spread(session.protocol.prompt / run.prefill_s for run in runs),
        load_s=spread(run.load_s for run in runs),
        working_memory_bytes=max(run.peak_rss_bytes - run.import_rss_bytes for run in runs),
        file_bytes=contender.file_bytes,
    )


def _window(session: Session, contender: Contender, count: int, index: int, baselines: Sequence[str]) -> WindowFigures:
    window = session.protocol.windows[index]
    mine = _p50_ms(session, contender.name, count, index)
    p50_ms = spread(mine.values())
    bandwidth = max(probe.bytes_per_s for probe in session.probes if probe.num_threads == count)
    others = [name for name in baselines if name != contender.name]
    return WindowFigures(
        window=window,
        p50_ms=p50_ms,
        bandwidth_utilization=contender.bytes_read(window.context) / (p50_ms.median * 1e-3 * bandwidth),
        speed={name: paired_speed(mine, _p50_ms(session, name, count, index)) for name in others},
    )


def _p50_ms(session: Session, name: str, count: int, index: int) -> dict[int, float]:
    runs = _runs(session, name, count)
    return {number: statistics.median(run.step_ns[index]) / 1e6 for number, run in runs.items()}


def _runs(session: Session, name: str, count: int) -> dict[int, DecodeRun]:
    return {
        record.round_number: record.run
        for record in session.records
        if record.contender == name and record.num_threads == count
    }


def _check(contenders: Sequence[Contender], protocol: Protocol) -> None:
    names = [contender.name for contender in contenders]
    if len(set(names)) != len(names):
        raise UserError(f"contenders {', '.join(names)}: a name occurs twice")
    for contender in contenders:
        options = contender.spec.options
        for name, found, needed in (
            ("max_context", options.max_context, protocol.positions),
            ("prefill_chunk", options.prefill_chunk, protocol.chunk),
        ):
            if found < needed:
                raise UserError(f"{contender.path}: {name} is {found}, and this benchmark's prompts need {needed}")
