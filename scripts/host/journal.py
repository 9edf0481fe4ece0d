"""The record while it grows: a shell first, whole again after each stage, `done.json` last."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from models.errors import UserError
from scripts.host.environment import device_facts, memory_point
from scripts.host.identity import harness_info
from scripts.records import (
    RECORD_SCHEMA,
    Completed,
    Concern,
    ConcernCode,
    Failed,
    FailureKind,
    Running,
    RunRecord,
    RunRequest,
    Severity,
    Skipped,
    Stage,
    write_done,
    write_record,
)

ShowProgress = Callable[[Stage, int, int], None]
FIRST_WITH_MEMORY = Stage.LOAD


class RunEnded(Exception):  # noqa: N818 - not an error: the outcome is in the record
    """The run is over before its last stage; the record says why."""


class Journal:
    """One run's record and folder."""

    def __init__(self, folder: Path, request: RunRequest, show: ShowProgress) -> None:
        self.folder = folder
        self.request = request
        self._show = show
        self._started_ns = time.monotonic_ns()
        self.record = RunRecord(
            schema=RECORD_SCHEMA, request=request, outcome=Running(stage=Stage.ENVIRONMENT), harness=harness_info(),
            device=device_facts(), artifact=None, started_utc=datetime.now(UTC).isoformat(timespec="milliseconds"),
            duration_ns=None, start_wait_ns=None, environment_before=None, environment_after=None, bandwidth=None,
            load=None, observed=None, self_check=None, prefill=(), decode=(), sustained=None, memory=(), concerns=(),
            evidence=None,
        )  # fmt: skip
        write_record(self.record, folder)

    def stage(self, stage: Stage, on_error: FailureKind) -> "StageGuard":
        """The block in which a stage runs; whatever it raises becomes a failed record of kind `on_error`."""
        return StageGuard(self, stage, on_error)

    def progress(self, done: int, total: int) -> None:
        """Report progress; never called inside a timed region."""
        stage = self.record.outcome.stage if isinstance(self.record.outcome, Running) else Stage.FINISH
        self._show(stage, done, total)

    def note(self, **parts: object) -> None:
        """Put measured parts into the record, in memory; they are written when the stage ends."""
        self.record = self.record.model_copy(update=parts)

    def concern(self, code: ConcernCode, severity: Severity, detail: str) -> None:
        """Something is wrong with this run."""
        self.note(concerns=(*self.record.concerns, Concern(code=code, severity=severity, detail=detail)))

    def enter(self, stage: Stage) -> None:
        """Begin a stage: a process that dies from here on leaves its name."""
        self.note(outcome=Running(stage=stage))
        write_record(self.record, self.folder)
        self.progress(0, 1)

    def leave(self, stage: Stage) -> None:
        """End a stage that went well."""
        if list(Stage).index(stage) >= list(Stage).index(FIRST_WITH_MEMORY):
            self.note(memory=(*self.record.memory, memory_point(stage)))
        write_record(self.record, self.folder)
        self.progress(1, 1)

    def end(self, outcome: Completed | Failed | Skipped) -> RunRecord:
        """Write the final record and declare it complete."""
        self.note(outcome=outcome, duration_ns=time.monotonic_ns() - self._started_ns)
        write_record(self.record, self.folder)
        write_done(self.record.run_id, self.folder)
        return self.record


class StageGuard:
    """Context of one stage. A crash-proof record needs every exception, and `__exit__` sees them all."""

    def __init__(self, journal: Journal, stage: Stage, on_error: FailureKind) -> None:
        self._journal, self._stage, self._on_error = journal, stage, on_error

    def __enter__(self) -> None:
        self._journal.enter(self._stage)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._journal.leave(self._stage)
        elif isinstance(error, Exception) and not isinstance(error, RunEnded):
            self._journal.end(Failed(stage=self._stage, failure=self._kind(error), message=_one_line(error)))
            raise RunEnded from error

    def _kind(self, error: Exception) -> FailureKind:
        match error:
            case MemoryError():
                return FailureKind.OUT_OF_MEMORY
            case RefusedError():
                return error.failure
            case _:
                return self._on_error


class RefusedError(UserError):
    """The harness looked and says no, with the kind of failure it is."""

    def __init__(self, failure: FailureKind, message: str) -> None:
        super().__init__(message)
        self.failure = failure


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, UserError) else f"{type(error).__name__}: {text}"
