"""Records that the farm writes because the harness could not."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from models.errors import UserError
from scripts.records import (
    FARM_HARNESS,
    RECORD_SCHEMA,
    ArtifactFacts,
    Completed,
    DeviceFacts,
    Evidence,
    Failed,
    FailureKind,
    HarnessInfo,
    Running,
    RunRecord,
    RunRequest,
    Skipped,
    Stage,
    read_record,
)

NO_EVIDENCE = Evidence(exit_info=None, crash_log=None, output=None)


def empty_record(
    request: RunRequest, outcome: Failed | Skipped, device: DeviceFacts, artifact: ArtifactFacts | None
) -> RunRecord:
    """The record of a run of which the harness left nothing."""
    return RunRecord(
        schema=RECORD_SCHEMA, request=request, outcome=outcome, device=device, artifact=artifact,
        harness=HarnessInfo(name=FARM_HARNESS, version=version("deepnarrow"), build=None, debug=False),
        started_utc=datetime.now(UTC).isoformat(timespec="milliseconds"), duration_ns=None, start_wait_ns=None,
        environment_before=None, environment_after=None, bandwidth=None, load=None, observed=None, self_check=None,
        prefill=(), decode=(), sustained=None, memory=(), concerns=(), evidence=None,
    )  # fmt: skip


def ended_by_farm(record: RunRecord, failure: FailureKind, message: str, evidence: Evidence) -> RunRecord:
    """The last record of a harness that died or hung, told as a failure in the stage that it had reached.

    A harness that got as far as naming its own outcome is believed.
    """
    stage = record.outcome.stage if isinstance(record.outcome, Running | Failed) else Stage.FINISH
    if isinstance(record.outcome, Completed | Skipped | Failed):
        return record.model_copy(update={"evidence": evidence})
    outcome = Failed(stage=stage, failure=failure, message=message)
    return record.model_copy(update={"outcome": outcome, "evidence": evidence})


def record_left(path: Path, empty: RunRecord, evidence: Evidence) -> RunRecord:
    """What a harness that died or hung has left in `path`; `empty` where that is nothing, or cannot be read.

    Args:
        path: its record, perhaps.
        empty: the record of a run of which nothing is left; its outcome says how the harness ended.
        evidence: of its end.
    """
    assert isinstance(empty.outcome, Failed)
    if path.is_file():
        try:
            return ended_by_farm(read_record(path), empty.outcome.failure, empty.outcome.message, evidence)
        except UserError as error:
            reason = str(error).removeprefix(f"{path}: ")
            message = f"{empty.outcome.message}; its last record cannot be read: {reason}"
            outcome = empty.outcome.model_copy(update={"message": message})
            empty = empty.model_copy(update={"outcome": outcome})
    return empty.model_copy(update={"evidence": evidence})
