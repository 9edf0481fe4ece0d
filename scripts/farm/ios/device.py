"""iPhones: `Device` and `Discovery`. What the app takes and leaves is in `docs/ios-contract.md`."""

import asyncio
import contextlib
import hashlib
import json
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from export.manifest import MANIFEST_FILE, Manifest, sha256
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
from scripts.farm.ios.devicectl import find_devicectl
from scripts.farm.ios.go_ios import find_go_ios
from scripts.farm.ios.programs import BUNDLE_ID, IosProgram, Iphone, end, program_error, start
from scripts.farm.lines import parse_progress, read_line
from scripts.farm.outcomes import empty_record, record_left
from scripts.records import (
    DONE_FILE,
    RECORD_FILE,
    ArtifactFacts,
    DeviceFacts,
    DeviceKind,
    Evidence,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Stage,
    artifact_facts,
    read_finished_record,
)

MAX_EVIDENCE_LINES = 200
# Each look at a phone costs a process and a transfer.
POLL_S = 10.0
SILENCE_S = 300.0
_STOP_S = 20.0
_INSTALLED, _DOCUMENTS = "Documents/installed.txt", "Documents"


class IosDevice:
    """Implements `scripts.farm.device.Device`."""

    def __init__(
        self, program: IosProgram, phone: Iphone, options: DiscoveryOptions, poll_s: float = POLL_S,
        silence_s: float = SILENCE_S,
    ) -> None:  # fmt: skip
        self._poll_s, self._silence_s = poll_s, silence_s
        self._program, self._udid, self._app = program, phone.udid, options.ios_app
        facts = DeviceFacts(
            kind=DeviceKind.FAKE if phone.is_fake else DeviceKind.PHONE, os="ios", os_version=phone.os_version,
            os_build=phone.os_build,
            manufacturer="Apple", model=phone.model, soc=None, abi="arm64", cores=(), ram_bytes=None,
        )  # fmt: skip
        labels = options.labels_of(phone.udid)
        self._identity = DeviceIdentity(device_id=phone.udid, facts=facts, labels=labels)
        self._pushed: dict[str, tuple[Manifest, str]] = {}

    @property
    def identity(self) -> DeviceIdentity:
        """The UDID is the id."""
        return self._identity

    async def prepare(self, remember: Remember) -> None:
        """Nothing can be set from outside; the app keeps the screen on."""

    async def restore(self, prior: Mapping[str, str]) -> None:
        """Nothing was changed."""

    async def state(self) -> DeviceState:
        """What the program tells."""
        return await self._program.state(self._udid)

    async def install(self) -> str:
        """Install the app of the options unless it is the one that was installed last, by a note in its container."""
        version = await self._program.installed_version(self._udid)
        if self._app is None:
            if version is None:
                raise DeviceError(f"{BUNDLE_ID} is not installed", hint="give it as discovery.ios_app")
            return version
        digest = _app_hash(self._app)
        if version is None or await self._read(_INSTALLED) != f"{digest} {version}".encode():
            await self._program.install(self._udid, self._app)
            version = await self._program.installed_version(self._udid)
            await self._write(f"{digest} {version}", _INSTALLED)
        return digest

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """Send an artifact unless it is there; a note beside it, written last, says that it is complete."""
        key = sha256(folder / MANIFEST_FILE)
        target = f"artifacts/{key}"
        if await self._read(f"{_DOCUMENTS}/{target}.pushed") != key.encode():
            await self._program.push_folder(self._udid, folder, f"{_DOCUMENTS}/{target}")
            await self._write(key, f"{_DOCUMENTS}/{target}.pushed")
        self._pushed[target] = (manifest, key)
        return target

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """See the protocol. `pushed` is what `push` of this object has returned.

        Raises:
            DeviceError: besides the device's own, it is not.
        """
        if (known := self._pushed.get(pushed)) is None:
            raise DeviceError(f"{pushed} was not pushed by this process", hint="run the same command again")
        facts = artifact_facts(*known)
        await self._remove_old(f"{_DOCUMENTS}/runs/{request.run_id}")
        request_file = f"requests/{request.run_id}.json"
        await self._write(request.model_dump_json(by_alias=True), f"{_DOCUMENTS}/{request_file}")
        environment = {"DEEPNARROW_REQUEST": request_file, "DEEPNARROW_ARTIFACT": pushed}
        lines: deque[str] = deque(maxlen=MAX_EVIDENCE_LINES)
        try:
            async with asyncio.timeout(deadline_s):
                code = await self._launch(environment, on_progress, lines)
                if not self._program.launcher_waits and code == 0:
                    await self._follow(request, on_progress)
        except asyncio.CancelledError:
            # The launcher may be over already, and the app is not.
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._program.terminate(self._udid)
            raise
        except TimeoutError as error:
            message = f"{error}; ended" if str(error) else f"not done after {deadline_s:.0f} s; ended"
            return await self._after_timeout(request, facts, message, lines)
        if code and not self._program.launcher_waits:
            raise program_error(self._program.launch_command(self._udid, {}), "\n".join(lines))
        message = "the app ended before its record was finished"
        return await self._result(request, facts, FailureKind.CRASHED, message, lines, launcher_failed=code != 0)

    async def _after_timeout(
        self, request: RunRequest, facts: ArtifactFacts, message: str, lines: deque[str]
    ) -> RunRecord:
        """The app hangs, or has died where nobody could see it."""
        try:
            await self._program.terminate(self._udid)
        except DeviceError as error:
            # It may still run, and would disturb whatever comes next.
            raise DeviceError(f"{message}, which failed: {error}", error.failure, error.hint) from error
        return await self._result(request, facts, FailureKind.HUNG, message, lines)

    async def _follow(self, request: RunRequest, on_progress: Callable[[Progress], None]) -> None:
        """Look at the app's files until its record is finished.

        Raises:
            TimeoutError: the record has not changed for too long; the app may be dead, which nothing tells.
        """
        folder = f"{_DOCUMENTS}/runs/{request.run_id}"
        silence_s = self._silence_s + request.start_limits.wait_s + (request.protocol.sustained_s or 0)
        clock = asyncio.get_running_loop().time
        last, changed_at = b"", clock()
        while await self._read(f"{folder}/{DONE_FILE}") is None:
            if (now := await self._read(f"{folder}/{RECORD_FILE}") or b"") != last:
                last, changed_at = now, clock()
                if stage := _stage_of(now):
                    on_progress(Progress(stage, 0, 1))
            elif clock() - changed_at > silence_s:
                raise TimeoutError(f"no change of the record for {silence_s:.0f} s")
            await asyncio.sleep(self._poll_s)

    async def abort(self, run_id: str) -> None:
        """End the app."""
        await self._program.terminate(self._udid)

    async def _remove_old(self, folder: str) -> None:
        """Remove what an earlier attempt left, and see that it is gone: an old record is no new measurement."""
        await self._program.empty_folder(self._udid, folder)
        for name in (RECORD_FILE, DONE_FILE):
            if await self._read(f"{folder}/{name}") is not None:
                hint = f"delete the app {BUNDLE_ID} on the phone; it is installed again"
                raise DeviceError(f"{folder}/{name} of an earlier attempt could not be removed", hint=hint)

    async def _launch(
        self, environment: Mapping[str, str], on_progress: Callable[[Progress], None], lines: deque[str]
    ) -> int:
        process = await start(self._program.launch_command(self._udid, environment))
        assert process.stdout
        assert process.stderr
        is_over = False
        try:
            errors = asyncio.create_task(process.stderr.read())
            while line := await read_line(process.stdout):
                if progress := parse_progress(line):
                    on_progress(progress)
                else:
                    lines.append(line.decode(errors="replace").rstrip())
            lines.extend((await errors).decode(errors="replace").splitlines())
            is_over = True
            return await process.wait()
        finally:
            # The app first: its end closes the streams that the launcher's end waits for.
            if not is_over:
                with contextlib.suppress(DeviceError, TimeoutError):
                    async with asyncio.timeout(_STOP_S):
                        await self._program.terminate(self._udid)
            await end(process)

    async def _result(
        self, request: RunRequest, facts: ArtifactFacts, failure: FailureKind, message: str, lines: deque[str],
        *, launcher_failed: bool = False,
    ) -> RunRecord:  # fmt: skip
        """The finished record, or what the end of the app means."""
        evidence = Evidence(exit_info=None, crash_log=None, output="\n".join(lines) or None)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = f"{_DOCUMENTS}/runs/{request.run_id}"
            await self._program.pull_file(self._udid, f"{source}/{RECORD_FILE}", folder / RECORD_FILE)
            if await self._program.pull_file(self._udid, f"{source}/{DONE_FILE}", folder / DONE_FILE):
                try:
                    return read_finished_record(folder)
                except UserError as error:
                    raise DeviceError(f"damaged record: {error}", FailureKind.STORAGE) from error
            if launcher_failed and not (folder / RECORD_FILE).is_file():
                # Nothing was begun: what the launcher says is the phone's word, not the harness's.
                raise program_error(self._program.launch_command(self._udid, {}), "\n".join(lines))
            outcome = Failed(stage=Stage.ENVIRONMENT, failure=failure, message=message)
            empty = empty_record(request, outcome, self._identity.facts, facts)
            return record_left(folder / RECORD_FILE, empty, evidence)

    async def _read(self, path: str) -> bytes | None:
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "file"
            return file.read_bytes() if await self._program.pull_file(self._udid, path, file) else None

    async def _write(self, text: str, path: str) -> None:
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / Path(path).name
            file.write_text(text, encoding="utf-8")
            await self._program.push_file(self._udid, file, path)


def _stage_of(record: bytes) -> Stage | None:
    """How far an unfinished record has come; None for a file that is just being written."""
    try:
        return Stage(json.loads(record)["outcome"]["stage"])
    except (ValueError, KeyError, TypeError):
        return None


class IosDiscovery:
    """Implements `scripts.farm.device.Discovery`: devicectl on macOS, go-ios elsewhere, nothing without them."""

    def __init__(self, options: DiscoveryOptions) -> None:
        self._options = options
        self._problems: list[Problem] = []

    async def devices(self) -> list[Device]:
        """All that the program of this system sees."""
        self._problems = []
        program = find_devicectl() if sys.platform == "darwin" else find_go_ios()
        if program is None:
            if self._options.ios_app:
                what = "Xcode is missing" if sys.platform == "darwin" else "the program `ios` of go-ios is missing"
                self._problems.append(Problem(who="ios", what=what, what_to_do="install it and put it on the PATH"))
            return []
        try:
            phones, problems = await program.phones()
        except DeviceError as error:
            self._problems.append(Problem(who="ios", what=str(error), what_to_do=error.hint))
            return []
        self._problems += problems
        return [IosDevice(program, phone, self._options) for phone in phones]

    async def problems(self) -> list[Problem]:
        """A program that is missing or fails."""
        return self._problems


def _app_hash(app: Path) -> str:
    """Of an `.ipa` file or of all files of an `.app` folder."""
    if app.is_file():
        return sha256(app)
    if not app.is_dir():
        raise DeviceError(f"{app}: no such app", hint="build and sign the app; see docs/ios-contract.md")
    digest = hashlib.sha256()
    for file in sorted(path for path in app.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(app).as_posix()} {sha256(file)}\n".encode())
    return digest.hexdigest()
