"""This machine as a device: the host harness (`python -m scripts.host`), a fresh process for each run."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from export.installation import Extra, install_hint
from export.manifest import MANIFEST_FILE, Manifest, read_manifest, sha256
from models.errors import UserError
from scripts.farm.device import (
    Device,
    DeviceError,
    DeviceIdentity,
    DeviceState,
    DiscoveryOptions,
    Problem,
    Progress,
    Remember,
)
from scripts.farm.lines import parse_progress, read_line
from scripts.farm.outcomes import empty_record, record_left
from scripts.farm.store.lock import MachineLock, user_folder
from scripts.host.environment import device_facts, environment
from scripts.host.identity import harness_build
from scripts.records import (
    RECORD_FILE,
    Evidence,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Stage,
    artifact_facts,
    read_finished_record,
)

ROOT = Path(__file__).resolve().parents[2]
MAX_EVIDENCE_BYTES = 16 << 10
NAME_VARIABLE = "DEEPNARROW_HOST_NAME"
_EXIT_BAD_INPUT = 2


class HostDevice:
    """Implements `scripts.farm.device.Device`."""

    def __init__(self, options: DiscoveryOptions) -> None:
        name = host_name()
        self._identity = DeviceIdentity(device_id=name, facts=device_facts(), labels=options.labels_of(name))

    @property
    def identity(self) -> DeviceIdentity:
        """The host name is the id."""
        return self._identity

    async def prepare(self, remember: Remember) -> None:
        """Nothing is changed on a machine that people work on."""

    async def restore(self, prior: Mapping[str, str]) -> None:
        """Nothing was changed."""

    async def state(self) -> DeviceState:
        """Of the battery, where there is one."""
        now = await asyncio.to_thread(environment)
        return DeviceState(
            battery_celsius=now.battery_celsius, battery_percent=now.battery_percent, plugged=now.plugged
        )  # fmt: skip

    async def install(self) -> str:
        """The harness is part of this program."""
        return harness_build()

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """Artifacts are used where they are; the harness checks their hashes itself."""
        if not folder.is_dir():
            raise DeviceError(f"{folder} is not on {self._identity.device_id}", FailureKind.STORAGE)
        return str(folder.resolve())

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """See the protocol. One run at a time, whoever began it; what a dead farm has left is ended first."""
        lock = MachineLock.take(f"run-{self._identity.device_id}", f"run {request.run_id}")
        if isinstance(lock, str):
            raise DeviceError(f"another run is active on {self._identity.device_id}: {lock}", hint="wait for its end")
        try:
            for leftover in self._runs_folder().glob("*"):
                await self.abort(leftover.name)
            work = self._runs_folder() / request.run_id
            work.mkdir(parents=True)
            try:
                return await self._run_in(work, request, Path(pushed), on_progress, deadline_s)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        finally:
            lock.release()

    async def abort(self, run_id: str) -> None:
        """Kill the process group of a run and remove its folder."""
        work = self._runs_folder() / run_id
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((work / "pid").read_text())
            if _is_harness(pid, work):
                _kill_group(pid)
        if work.exists():
            await asyncio.to_thread(shutil.rmtree, work)

    def _runs_folder(self) -> Path:
        """Of this device, whatever farm began the run: who holds the lock of runs knows that all in it is dead."""
        return user_folder() / "runs" / self._identity.device_id

    async def _run_in(
        self,
        work: Path,
        request: RunRequest,
        artifact: Path,
        on_progress: Callable[[Progress], None],
        deadline_s: float,
    ) -> RunRecord:
        (work / "request.json").write_text(request.model_dump_json(by_alias=True), encoding="utf-8")
        with (work / "errors.log").open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "scripts.host", "--artifact", str(artifact), "--request",
                str(work / "request.json"), "--out", str(work / "out"), cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True,
            )  # fmt: skip
        (work / "pid").write_text(str(process.pid))
        try:
            async with asyncio.timeout(deadline_s):
                await _follow(process, on_progress)
        except TimeoutError:
            _kill_group(process.pid)
            await process.wait()
            message = f"not done after {deadline_s:.0f} s; killed"
            return self._record_left(work, request, artifact, FailureKind.HUNG, message, process.returncode)
        finally:
            if process.returncode is None:
                _kill_group(process.pid)
                await process.wait()
        return self._finished(work, request, artifact, process.returncode)

    def _finished(self, work: Path, request: RunRequest, artifact: Path, code: int | None) -> RunRecord:
        try:
            return read_finished_record(work / "out" / request.run_id)
        except UserError as error:
            if code == _EXIT_BAD_INPUT:
                return self._record_left(work, request, artifact, FailureKind.REQUEST, _tail(work).strip(), code)
            message = f"the harness ended with exit code {code} before its record was finished: {error}"
            return self._record_left(work, request, artifact, FailureKind.CRASHED, message, code)

    def _record_left(
        self, work: Path, request: RunRequest, artifact: Path, failure: FailureKind, message: str, code: int | None
    ) -> RunRecord:
        evidence = Evidence(exit_info=f"exit code {code}", crash_log=None, output=_tail(work))
        facts = artifact_facts(read_manifest(artifact), sha256(artifact / MANIFEST_FILE))
        outcome = Failed(stage=Stage.ENVIRONMENT, failure=failure, message=message)
        empty = empty_record(request, outcome, self._identity.facts, facts)
        return record_left(work / "out" / request.run_id / RECORD_FILE, empty, evidence)


class HostDiscovery:
    """Implements `scripts.farm.device.Discovery`: there is always exactly this machine."""

    def __init__(self, options: DiscoveryOptions) -> None:
        self._options = options

    async def devices(self) -> list[Device]:
        """This machine."""
        return [HostDevice(self._options)]

    async def problems(self) -> list[Problem]:
        """Runtimes that are missing."""
        missing = [name for name in ("executorch", "onnxruntime") if not _is_installed(name)]
        what_to_do = install_hint(Extra.EXPORT)
        return [
            Problem(who=host_name(), what=f"{name} is not installed; its artifacts cannot run on this machine",
                    what_to_do=what_to_do)
            for name in missing
        ]  # fmt: skip


async def _follow(process: asyncio.subprocess.Process, on_progress: Callable[[Progress], None]) -> None:
    assert process.stdout is not None
    while line := await read_line(process.stdout):
        if progress := parse_progress(line):
            on_progress(progress)
    await process.wait()


def host_name() -> str:
    """The id of this machine: its host name, unless several machines or containers share one and a variable tells."""
    return os.environ.get(NAME_VARIABLE) or socket.gethostname()


def _is_harness(pid: int, work: Path) -> bool:
    """Whether the process is the one that was started for this folder; process ids are used again."""
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and str(work) in command.read_text(encoding="utf-8", errors="replace")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _tail(work: Path) -> str:
    data = (work / "errors.log").read_bytes()[-MAX_EVIDENCE_BYTES:]
    return data.decode(errors="replace")


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None
