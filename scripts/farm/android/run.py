"""One run on an Android device: request there, instrumentation followed, record fetched, crash explained."""

import asyncio
import contextlib
import shlex
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from scripts.farm.android.app import COMPONENT, PACKAGE, stop_run
from scripts.farm.android.exits import Cause, crashes_of, event_cause, newest_exit, ran_out_of_memory
from scripts.farm.android.instrument import (
    CODE_OK,
    InstrumentationParser,
    InstrumentationResult,
    Refusal,
    progress_of,
)
from scripts.farm.android.link import AdbLink, first_error
from scripts.farm.android.push import Pushed
from scripts.farm.android.server import device_error
from scripts.farm.device import DeviceError, Progress
from scripts.farm.lines import read_line
from scripts.farm.outcomes import empty_record, record_left
from scripts.records import (
    DONE_FILE,
    RECORD_FILE,
    DeviceFacts,
    Evidence,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Stage,
    artifact_facts,
    read_finished_record,
)

SILENCE_S = 300.0
# The first line comes once the screen is open, before anything is waited for or read.
FIRST_LINE_S = 90.0
MAX_EVIDENCE_CHARS = 16 << 10
_STOP_S = 10.0
_POLL_S = 0.5


class UnreadableArtifactError(DeviceError):
    """The phone does not let the app read the artifact where the farm has put it."""


class _NoFirstLineError(TimeoutError):
    """The harness said nothing at all."""


@dataclass(frozen=True, slots=True)
class _End:
    """What Android tells of the harness's end.

    Attributes:
        cause: None where nothing tells.
        told: Android's own words, for the message.
    """

    exit_info: str
    crash_log: str
    cause: Cause | None
    told: str


@dataclass(frozen=True, slots=True)
class _Past:
    """What was known before the run.

    Attributes:
        now_s: the phone's clock, in whole seconds since 1970.
        crash_log: what was logged in this second already.
        exit_info: what Android told of earlier ends of the harness.
    """

    now_s: str
    crash_log: str
    exit_info: str


class AdbRun:
    """One attempt.

    Args:
        media_dir: the app's media directory.
        facts: of the device, for a run of which the harness left nothing.
        silence_s: without progress for so long, besides waiting for the start limits and the sustained phase, it
            hangs.
        first_line_s: without any line for so long, its screen does not open.
    """

    def __init__(
        self, link: AdbLink, media_dir: str, facts: DeviceFacts, request: RunRequest, pushed: Pushed,
        silence_s: float = SILENCE_S, first_line_s: float = FIRST_LINE_S,
    ) -> None:  # fmt: skip
        self._link, self._facts, self._request, self._pushed = link, facts, request, pushed
        self._folder = f"{media_dir}/runs/{request.run_id}"
        self._request_file = f"{media_dir}/requests/{request.run_id}.json"
        self._media_dir = media_dir
        self._first_line_s = first_line_s
        self._silence_s = silence_s + request.start_limits.wait_s + (request.protocol.sustained_s or 0)

    async def run(self, on_progress: Callable[[Progress], None], deadline_s: float) -> RunRecord:
        """The record; see `scripts.farm.device.Device.run`."""
        await stop_run(self._link, self._media_dir, self._request.run_id)
        past = await self._past()
        await self._link.write(self._request.model_dump_json(by_alias=True).encode(), self._request_file)
        try:
            result, errors = await self._follow(on_progress, deadline_s)
            return await self._judge(result, errors, past, deadline_s)
        except _NoFirstLineError as error:
            raise device_error(f"{error}: the harness was stopped before its first sign of life") from error
        except TimeoutError as error:
            await self._link.must(f"am force-stop {PACKAGE}")
            return await self._record_left(FailureKind.HUNG, f"{error}; stopped", past, "")
        finally:
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await stop_run(self._link, self._media_dir, self._request.run_id)

    async def _follow(
        self, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> tuple[InstrumentationResult, str]:
        """Read the instrumentation to its end.

        Raises:
            TimeoutError: no progress for too long, or not done in time; the message says which.
        """
        arguments = f"-e artifact {shlex.quote(self._pushed.path)} -e request {shlex.quote(self._request_file)}"
        parser, deadline = InstrumentationParser(), asyncio.get_running_loop().time() + deadline_s
        is_first = True
        async with self._link.follow(f"am instrument -w -r {arguments} {COMPONENT}") as process:
            assert process.stdout
            while line := await self._line(process.stdout, deadline, deadline_s, is_first):
                is_first = False
                status = parser.feed(line.decode(errors="replace"))
                if status and (progress := progress_of(status)):
                    on_progress(progress)
            return parser.result, await first_error(process)

    async def _line(self, lines: asyncio.StreamReader, deadline: float, deadline_s: float, is_first: bool) -> bytes:
        left = deadline - asyncio.get_running_loop().time()
        patience_s = self._first_line_s if is_first else self._silence_s
        try:
            return await asyncio.wait_for(read_line(lines), min(left, patience_s))
        except TimeoutError:
            what = f"not done after {deadline_s:.0f} s" if left <= patience_s else f"no progress for {patience_s:.0f} s"
            raise (_NoFirstLineError if is_first else TimeoutError)(what) from None

    async def _judge(
        self, result: InstrumentationResult, errors: str, past: _Past, deadline_s: float
    ) -> RunRecord:  # fmt: skip
        """What the end of the instrumentation means."""
        if result.refused:
            raise device_error(result.refused)
        if result.code is None:
            return await self._after_loss(errors, past, deadline_s)
        if result.crash is None and result.code != CODE_OK:
            return self._refused(result.refusal, result.values.get("message", "the harness gave no reason"))
        if record := await self._finished():
            return record
        said = result.crash or "the harness ended"
        output = "\n".join(f"{key}={value}" for key, value in result.values.items())
        return await self._record_left(FailureKind.CRASHED, f"{said} before its record was finished", past, output)

    def _refused(self, refusal: Refusal, message: str) -> RunRecord:
        match refusal:
            case Refusal.ACTIVE_RUN:
                raise DeviceError(message, hint="somebody else uses this phone")
            case Refusal.SHARED_STORAGE:
                raise DeviceError(message, FailureKind.STORAGE, "unlock the phone once after it started")
            case Refusal.UNREADABLE_ARTIFACT:
                hint = "this phone lets no app read /data/local/tmp"
                raise UnreadableArtifactError(message, FailureKind.STORAGE, hint)
            case Refusal.REQUEST:
                pass
        outcome = Failed(stage=Stage.ENVIRONMENT, failure=FailureKind.REQUEST, message=message)
        return self._empty(outcome)

    def _empty(self, outcome: Failed) -> RunRecord:
        facts = artifact_facts(self._pushed.manifest, self._pushed.manifest_sha256)
        return empty_record(self._request, outcome, self._facts, facts)

    async def _after_loss(self, errors: str, past: _Past, deadline_s: float) -> RunRecord:
        """The link broke. The harness goes on without it, unless the phone restarted."""
        await self._link.settle()
        end = asyncio.get_running_loop().time() + deadline_s
        while (await self._link.shell(f"pidof {PACKAGE}")).code == 0:
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError(f"the link broke, and not done {deadline_s:.0f} s later")
            await asyncio.sleep(_POLL_S)
        if record := await self._finished():
            return record
        raise device_error(f"the link to {self._link.serial} broke in a run and the run is gone; {errors}")

    async def _finished(self) -> RunRecord | None:
        """The record, if `done.json` is there.

        Raises:
            DeviceError: there is one, and the record is not the one that it declares.
        """
        done = await self._link.read(f"{self._folder}/{DONE_FILE}")
        if done is None:
            return None
        record = await self._link.read(f"{self._folder}/{RECORD_FILE}")
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / DONE_FILE).write_bytes(done)
            (folder / RECORD_FILE).write_bytes(record or b"")
            try:
                return read_finished_record(folder)
            except UserError as error:
                message = f"damaged record: {str(error).removeprefix(f'{folder}/')}"
                raise DeviceError(message, FailureKind.STORAGE, "check the phone's storage and the cable") from error

    async def _record_left(self, failure: FailureKind, message: str, past: _Past, output: str) -> RunRecord:
        """The last record of a harness that is gone, with what Android knows of its end."""
        end = await self._end(past)
        if failure is FailureKind.CRASHED and end.cause:
            failure, message = end.cause.failure, _told(message, end)
        evidence = Evidence(exit_info=end.exit_info or None, crash_log=end.crash_log or None, output=output or None)
        empty = self._empty(Failed(stage=Stage.ENVIRONMENT, failure=failure, message=message))
        data = await self._link.read(f"{self._folder}/{RECORD_FILE}")
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / RECORD_FILE
            if data is not None:
                path.write_bytes(data)
            return record_left(path, empty, evidence)

    async def _end(self, past: _Past) -> _End:
        """What ended the harness: its own last words, Android's exit record, or the logs of an Android without one."""
        newest = newest_exit(await self._exit_infos(), past.exit_info)
        crash_log = await self._crash_log(past)
        exit_info = newest.text[:MAX_EVIDENCE_CHARS] if newest else ""
        if line := ran_out_of_memory(crash_log):
            return _End(exit_info, crash_log, Cause(FailureKind.OUT_OF_MEMORY, "no memory was left"), line)
        if newest:
            return _End(exit_info, crash_log, newest.cause, newest.told)
        logs = (await self._link.shell(f"logcat -b events -b main -v threadtime -d -T {past.now_s}.000")).out
        cause, line = event_cause(logs) or (None, "")
        return _End(exit_info, crash_log, cause, line)

    async def _past(self) -> _Past:
        now_s = (await self._link.must("date +%s")).strip()
        return _Past(now_s, await self._crashes_since(now_s), await self._exit_infos())

    async def _exit_infos(self) -> str:
        return (await self._link.shell(f"dumpsys activity exit-info {PACKAGE}")).out

    async def _crash_log(self, past: _Past) -> str:
        """Of this run: since it began by the phone's clock, and of processes whose lines name the harness."""
        log = (await self._crashes_since(past.now_s)).removeprefix(past.crash_log)
        return crashes_of(log)[-MAX_EVIDENCE_CHARS:]

    async def _crashes_since(self, time_s: str) -> str:
        return (await self._link.shell(f"logcat -b crash -v threadtime -d -T {time_s}.000")).out


def _told(message: str, end: _End) -> str:
    """How the harness ended, in our words and in Android's, with what to do."""
    assert end.cause
    told = f" (Android: {' '.join(end.told.split())[:300]})" if end.told else ""
    advice = f"; {end.cause.advice}" if end.cause.advice else ""
    return f"{end.cause.meaning}{told}: {message}{advice}"
