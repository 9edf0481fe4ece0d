"""One run on an Android device: request there, instrumentation followed, record fetched, crash explained."""

import asyncio
import contextlib
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.manifest import sha256
from models.errors import UserError
from scripts.farm.android.instrument import CODE_OK, InstrumentationParser, InstrumentationResult, progress_of
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

PACKAGE = "dev.deepnarrow.harness"
COMPONENT = f"{PACKAGE}/.HarnessInstrumentation"
SILENCE_S = 300.0
MAX_EVIDENCE_CHARS = 16 << 10
_STOP_S = 10.0
_POLL_S = 0.5
# Month-day, time, process, thread, level, tag and text.
_LOG_LINE = re.compile(r"\d\d-\d\d [\d:.]+ +(\d+) +\d+ [A-Z] ")
_LOW_MEMORY = re.compile(r"reason=3 \(LOW_MEMORY\)")


@dataclass(frozen=True, slots=True)
class _Past:
    """What was known before the run.

    Attributes:
        now_s: the phone's clock, in whole seconds since 1970.
        crash_log: what was logged in this second already.
        exit_info: the newest end of the harness.
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
    """

    def __init__(
        self, link: AdbLink, media_dir: str, facts: DeviceFacts, request: RunRequest, pushed: Pushed,
        silence_s: float = SILENCE_S,
    ) -> None:  # fmt: skip
        self._link, self._facts, self._request, self._pushed = link, facts, request, pushed
        self._folder = f"{media_dir}/runs/{request.run_id}"
        self._request_file = f"{media_dir}/requests/{request.run_id}.json"
        self._media_dir = media_dir
        self._silence_s = silence_s + request.start_limits.wait_s + (request.protocol.sustained_s or 0)

    async def run(self, on_progress: Callable[[Progress], None], deadline_s: float) -> RunRecord:
        """The record; see `scripts.farm.device.Device.run`."""
        await stop_run(self._link, self._media_dir, self._request.run_id)
        past = await self._past()
        await self._link.write(self._request.model_dump_json(by_alias=True).encode(), self._request_file)
        try:
            result, errors = await self._follow(on_progress, deadline_s)
            return await self._judge(result, errors, past, deadline_s)
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
        arguments = f"-e artifact {self._pushed.path} -e request {self._request_file}"
        parser, deadline = InstrumentationParser(), asyncio.get_running_loop().time() + deadline_s
        async with self._link.follow(f"am instrument -w -r {arguments} {COMPONENT}") as process:
            assert process.stdout
            while line := await self._line(process.stdout, deadline, deadline_s):
                status = parser.feed(line.decode(errors="replace"))
                if status and (progress := progress_of(status)):
                    on_progress(progress)
            return parser.result, await first_error(process)

    async def _line(self, lines: asyncio.StreamReader, deadline: float, deadline_s: float) -> bytes:
        left = deadline - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(read_line(lines), min(left, self._silence_s))
        except TimeoutError:
            is_late = left <= self._silence_s
            what = f"not done after {deadline_s:.0f} s" if is_late else f"no progress for {self._silence_s:.0f} s"
            raise TimeoutError(what) from None

    async def _judge(
        self, result: InstrumentationResult, errors: str, past: _Past, deadline_s: float
    ) -> RunRecord:  # fmt: skip
        """What the end of the instrumentation means."""
        if result.refused:
            raise DeviceError(result.refused, hint="give the harness with --apk, or start it once by hand")
        if result.code is None:
            return await self._after_loss(errors, past, deadline_s)
        if result.crash is None and result.code != CODE_OK:
            return self._refused(result.values.get("message", "the harness gave no reason"))
        if record := await self._finished():
            return record
        said = result.crash or "the harness ended"
        output = "\n".join(f"{key}={value}" for key, value in result.values.items())
        return await self._record_left(FailureKind.CRASHED, f"{said} before its record was finished", past, output)

    def _refused(self, message: str) -> RunRecord:
        if "run is active" in message:
            raise DeviceError(message, hint="somebody else uses this phone")
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
        newest = await self._exit_info()
        exit_info = newest if newest != past.exit_info else ""
        if failure is FailureKind.CRASHED and _LOW_MEMORY.search(exit_info):
            failure, message = FailureKind.OUT_OF_MEMORY, f"Android ended it to free memory; {message}"
        crash_log = await self._crash_log(past)
        evidence = Evidence(exit_info=exit_info or None, crash_log=crash_log or None, output=output or None)
        empty = self._empty(Failed(stage=Stage.ENVIRONMENT, failure=failure, message=message))
        data = await self._link.read(f"{self._folder}/{RECORD_FILE}")
        with tempfile.TemporaryDirectory() as name:
            path = Path(name) / RECORD_FILE
            if data is not None:
                path.write_bytes(data)
            return record_left(path, empty, evidence)

    async def _past(self) -> _Past:
        now_s = (await self._link.must("date +%s")).strip()
        return _Past(now_s, await self._crashes_since(now_s), await self._exit_info())

    async def _exit_info(self) -> str:
        exits = (await self._link.shell(f"dumpsys activity exit-info {PACKAGE}")).out
        return newest_exit(exits)[:MAX_EVIDENCE_CHARS]

    async def _crash_log(self, past: _Past) -> str:
        """Of this run: since it began by the phone's clock, and of processes whose lines name the harness."""
        log = (await self._crashes_since(past.now_s)).removeprefix(past.crash_log)
        return crashes_of(PACKAGE, log)[-MAX_EVIDENCE_CHARS:]

    async def _crashes_since(self, time_s: str) -> str:
        return (await self._link.shell(f"logcat -b crash -v threadtime -d -T {time_s}.000")).out


def crashes_of(package: str, log: str) -> str:
    """The lines of a crash log, in logcat's format `threadtime`, by processes that name the package."""
    lines = [(match.group(1), line) for line in log.splitlines() if (match := _LOG_LINE.match(line))]
    named = {pid for pid, line in lines if package in line}
    return "\n".join(line for pid, line in lines if pid in named)


def newest_exit(text: str) -> str:
    """The first entry of `dumpsys activity exit-info`, which is the latest; empty where there is none."""
    match = re.search(r"ApplicationExitInfo #0:\s*\n(.*?)(?=\n\s*ApplicationExitInfo #|\Z)", text, re.DOTALL)
    return "\n".join(line.strip() for line in match.group(1).splitlines()) if match else ""


async def stop_run(link: AdbLink, media_dir: str, run_id: str) -> None:
    """End the harness, whatever it does, and remove the files of a run."""
    files = f"{media_dir}/runs/{run_id} {media_dir}/requests/{run_id}.json"
    await link.must(f"am force-stop {PACKAGE}; rm -rf {files}")


async def media_dir_of(link: AdbLink) -> str:
    """Let the harness make its directories and say where they are.

    Raises:
        DeviceError: it cannot be started, or there is no shared storage.
    """
    parser = InstrumentationParser()
    done = await link.adb(["shell", "-n", f"am instrument -w -r -e op prepare {COMPONENT}"], timeout_s=60.0)
    for line in done.out.splitlines():
        parser.feed(line)
    result = parser.result
    if found := result.values.get("media_dir"):
        return found
    if result.refused or result.code is None:
        raise device_error(f"the harness cannot be started: {result.refused or done.text}")
    message = result.crash or result.values.get("message") or "the harness gave no media directory"
    raise DeviceError(message, hint="unlock the phone once after it started, so that its shared storage is there")


def apk_hash(apk: Path) -> str:
    """The hash that names a build of the harness.

    Raises:
        DeviceError: no such file.
    """
    if not apk.is_file():
        raise DeviceError(f"{apk}: no such file", hint="build the harness: docs/android.md")
    return sha256(apk)
