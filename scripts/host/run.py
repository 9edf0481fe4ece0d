"""The run: stages in their order, each guarded, each leaving its part of the record."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from export.memory import reset_peak_memory
from scripts.host.artifact import CheckedArtifact, check_artifact, check_request, open_cold
from scripts.host.bandwidth import probe_bandwidth
from scripts.host.environment import busy_core_ns, environment
from scripts.host.journal import Journal, RefusedError, RunEnded
from scripts.host.measure import (
    Decoder,
    make_decoder,
    measure_decode,
    measure_prefill,
    measure_sustained,
    sample_error,
    self_check,
    warm_up,
)
from scripts.records import (
    Completed,
    ConcernCode,
    Environment,
    FailureKind,
    RunRecord,
    Severity,
    Skipped,
    Stage,
    StartLimits,
    artifact_facts,
)

PERIOD_S = 1.0
# Cores that other processes may keep busy during a run before its numbers get a warning.
MAX_FOREIGN_CORES = 0.1
MAX_CLOCK_JUMP_S = 2.0


@dataclass(frozen=True, slots=True)
class _Clocks:
    """When the timed stages began: monotonic, wall, and processor time of all other processes."""

    monotonic_ns: int
    wall_ns: int
    foreign_ns: int | None


def execute(journal: Journal, folder: Path) -> RunRecord:
    """Run the artifact in `folder` as `journal.request` says.

    Returns:
        the final record, which is also on the disk with its `done.json`.
    """
    try:
        artifact = _prepare(journal, folder)
        clocks = _read_clocks()
        _probe(journal)
        decoder = _load(journal, artifact)
        _check(journal, artifact, decoder)
        _measure(journal, decoder)
        return _finish(journal, clocks)
    except RunEnded:
        return journal.record


def _prepare(journal: Journal, folder: Path) -> CheckedArtifact:
    with journal.stage(Stage.ENVIRONMENT, FailureKind.INTERNAL):
        artifact = check_artifact(folder, journal.request)
        journal.note(artifact=artifact_facts(artifact.manifest, artifact.manifest_sha256))
        check_request(artifact, journal.request)
        _await_start(journal, journal.request.start_limits)
    return artifact


def _await_start(journal: Journal, limits: StartLimits) -> None:
    began = time.monotonic_ns()
    while broken := _broken_limit(now := environment(), limits):
        journal.note(environment_before=now, start_wait_ns=time.monotonic_ns() - began)
        if time.monotonic_ns() - began >= limits.wait_s * 1_000_000_000:
            journal.end(Skipped(message=f"{broken} after {limits.wait_s} s"))
            raise RunEnded
        time.sleep(min(PERIOD_S, max(limits.wait_s, 0.01)))
    journal.note(environment_before=now, start_wait_ns=time.monotonic_ns() - began)


def _broken_limit(now: Environment, limits: StartLimits) -> str | None:
    """The first limit that does not hold, in words. A machine without the sensor passes."""
    if limits.max_battery_celsius is not None and (now.battery_celsius or 0.0) > limits.max_battery_celsius:
        return f"battery at {now.battery_celsius} C, above max_battery_celsius {limits.max_battery_celsius}"
    percent, least = now.battery_percent, limits.min_battery_percent
    if percent is not None and least is not None and percent < least:
        return f"battery at {percent} %, below min_battery_percent {least}"
    return None


def _probe(journal: Journal) -> None:
    protocol = journal.request.protocol
    with journal.stage(Stage.BANDWIDTH, FailureKind.INTERNAL):
        journal.note(bandwidth=probe_bandwidth(protocol.num_threads, protocol.probe))
        reset_peak_memory()  # the probe's buffer is not the model's


def _load(journal: Journal, artifact: CheckedArtifact) -> Decoder:
    protocol = journal.request.protocol
    with journal.stage(Stage.LOAD, FailureKind.LOAD):
        model, load, observed = open_cold(artifact, protocol.num_threads)
        journal.note(load=load, observed=observed)
        if observed.num_threads not in (None, protocol.num_threads):
            detail = f"asked for {protocol.num_threads} threads, the runtime uses {observed.num_threads}"
            journal.concern(ConcernCode.THREADS_DIFFER, Severity.INVALID, detail)
        return make_decoder(model, protocol, artifact.vocab_size, artifact.manifest.options.prefill_chunk)


def _check(journal: Journal, artifact: CheckedArtifact, decoder: Decoder) -> None:
    with journal.stage(Stage.SELF_CHECK, FailureKind.RUNTIME):
        result = self_check(decoder.model, artifact.reference, decoder.chunk)
        journal.note(self_check=result)
        if wrong := result.first_mismatch:
            raise RefusedError(
                FailureKind.PARITY,
                f"text {wrong.text}, step {wrong.step}: token {wrong.actual} instead of {wrong.expected}",
            )
        error = sample_error(decoder.model, artifact.reference, decoder.chunk)
        if error is not None and not error <= 1:  # not a number fails too
            raise RefusedError(
                FailureKind.PARITY, f"the sampled logits are {error:.2f} times further off than a right model's"
            )
        if not result.decisive_steps and error is None:
            detail = "no step of reference.json is decisive, and it has no sample of logits"
            journal.concern(ConcernCode.NOT_CHECKED, Severity.WARNING, detail)


def _measure(journal: Journal, decoder: Decoder) -> None:
    protocol = journal.request.protocol
    with journal.stage(Stage.WARM_UP, FailureKind.RUNTIME):
        warm_up(decoder, protocol)
    with journal.stage(Stage.PREFILL, FailureKind.RUNTIME):
        for done, length in enumerate(protocol.prompt_lengths):
            journal.progress(done, len(protocol.prompt_lengths))
            samples = measure_prefill(decoder, length, protocol.prefill_repetitions)
            journal.note(prefill=(*journal.record.prefill, samples))
    with journal.stage(Stage.DECODE, FailureKind.RUNTIME):
        for done, context in enumerate(protocol.contexts):
            journal.progress(done, len(protocol.contexts))
            journal.note(decode=(*journal.record.decode, measure_decode(decoder, context, protocol)))
    if protocol.sustained_s:
        with journal.stage(Stage.SUSTAINED, FailureKind.RUNTIME):
            last = journal.record.decode[-1]
            journal.note(sustained=measure_sustained(decoder, last, protocol.sustained_s, journal.progress))


def _finish(journal: Journal, clocks: _Clocks) -> RunRecord:
    with journal.stage(Stage.FINISH, FailureKind.INTERNAL):
        journal.note(environment_after=environment())
        _look_for_concerns(journal, clocks, _read_clocks())
    return journal.end(Completed())


def _look_for_concerns(journal: Journal, before: _Clocks, after: _Clocks) -> None:
    elapsed_ns = after.monotonic_ns - before.monotonic_ns
    if before.foreign_ns is not None and after.foreign_ns is not None:
        cores = (after.foreign_ns - before.foreign_ns) / elapsed_ns
        if cores > MAX_FOREIGN_CORES:
            detail = f"other processes kept {cores:.2f} of {os.cpu_count()} cores busy during the run"
            journal.concern(ConcernCode.BUSY_MACHINE, Severity.WARNING, detail)
    jump_s = (after.wall_ns - before.wall_ns - elapsed_ns) / 1e9
    if abs(jump_s) > MAX_CLOCK_JUMP_S:
        journal.concern(ConcernCode.CLOCK_JUMP, Severity.WARNING, f"the wall clock jumped by {jump_s:.1f} s")


def _read_clocks() -> _Clocks:
    return _Clocks(time.monotonic_ns(), time.time_ns(), busy_core_ns())
