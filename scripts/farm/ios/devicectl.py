"""iPhones on macOS, through Apple's `xcrun devicectl` (Xcode 15 or newer).

Answers are read from `--json-output` files, which Apple calls the only supported interface for scripts.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field

from scripts.farm.answers import Speaker, find_answer
from scripts.farm.device import DeviceError, DeviceState, Problem
from scripts.farm.ios.programs import (
    BUNDLE_ID,
    EXECUTABLE,
    FAKE_KEY,
    INSTALL_S,
    Iphone,
    must,
    parse_json,
    program_error,
    push_timeout_s,
    run,
)

T = TypeVar("T", bound=BaseModel)
_KILL_S = 1.0  # a killed process is listed for a moment
_CONTAINER = ("--domain-type", "appDataContainer", "--domain-identifier", BUNDLE_ID)


class _Hardware(BaseModel):
    platform: str = ""
    reality: str = "physical"
    udid: str = ""
    product_type: Annotated[str, Field(alias="productType")] = "unknown"
    is_fake: Annotated[bool, Field(alias=FAKE_KEY)] = False


class _Properties(BaseModel):
    os_version: Annotated[str, Field(alias="osVersionNumber")] = "unknown"
    os_build: Annotated[str, Field(alias="osBuildUpdate")] = "unknown"
    name: str = ""
    developer_mode: Annotated[str, Field(alias="developerModeStatus")] = "enabled"


class _Connection(BaseModel):
    pairing: Annotated[str, Field(alias="pairingState")] = "paired"
    tunnel: Annotated[str, Field(alias="tunnelState")] = "connected"


class _Listed(BaseModel):
    identifier: str
    hardware: Annotated[_Hardware, Field(alias="hardwareProperties")] = _Hardware()
    properties: Annotated[_Properties, Field(alias="deviceProperties")] = _Properties()
    connection: Annotated[_Connection, Field(alias="connectionProperties")] = _Connection()


class _Devices(BaseModel):
    devices: tuple[_Listed, ...]


class DevicesAnswer(BaseModel):
    """Of `devicectl list devices`."""

    result: _Devices


class _InstalledApp(BaseModel):
    bundle_id: Annotated[str, Field(alias="bundleIdentifier")]
    version: str = "?"
    build: Annotated[str, Field(alias="bundleVersion")] = "?"


class _Apps(BaseModel):
    apps: tuple[_InstalledApp, ...] = ()


class _AppsAnswer(BaseModel):
    result: _Apps


class _Process(BaseModel):
    pid: Annotated[int, Field(alias="processIdentifier")]
    executable: str = ""


class _Processes(BaseModel):
    running: Annotated[tuple[_Process, ...], Field(alias="runningProcesses")] = ()


class _ProcessesAnswer(BaseModel):
    result: _Processes


class Devicectl:
    """Implements `scripts.farm.ios.programs.IosProgram`."""

    def __init__(self, xcrun: str) -> None:
        self._xcrun = xcrun

    @property
    def launcher_waits(self) -> bool:
        """With `--console` it ends when the app does."""
        return True

    async def phones(self) -> tuple[list[Iphone], list[Problem]]:
        """From `devicectl list devices`."""
        return phones_of(await self._ask(DevicesAnswer, "list", "devices"))

    async def install(self, udid: str, app: Path) -> None:
        """`devicectl device install app`."""
        command = [self._xcrun, "devicectl", "device", "install", "app", "--device", udid, str(app)]
        await must(command, INSTALL_S)

    async def installed_version(self, udid: str) -> str | None:
        """From `devicectl device info apps`."""
        words = ("device", "info", "apps", "--device", udid, "--bundle-id", BUNDLE_ID)
        apps = [app for app in (await self._ask(_AppsAnswer, *words)).result.apps if app.bundle_id == BUNDLE_ID]
        return f"{apps[0].version} ({apps[0].build})" if apps else None

    async def push_folder(self, udid: str, folder: Path, target: str) -> None:
        """The folder as a whole; what an earlier, broken transfer left there is removed."""
        timeout_s = push_timeout_s([path for path in folder.rglob("*") if path.is_file()])
        await self._copy_to(udid, folder, target, timeout_s, "--remove-existing-content", "true")

    async def empty_folder(self, udid: str, folder: str) -> None:
        """Replaced by an empty one, since no command of devicectl removes files."""
        with tempfile.TemporaryDirectory() as empty:
            await self.push_folder(udid, Path(empty), folder)

    async def push_file(self, udid: str, file: Path, target: str) -> None:
        """A single file."""
        await self._copy_to(udid, file, target, push_timeout_s([file]))

    async def _copy_to(self, udid: str, source: Path, target: str, timeout_s: float, *options: str) -> None:
        command = [
            self._xcrun, "devicectl", "device", "copy", "to", "--device", udid, *_CONTAINER, "--source", str(source),
            "--destination", target, *options,
        ]  # fmt: skip
        await must(command, timeout_s)

    async def pull_file(self, udid: str, source: str, file: Path) -> bool:
        """`devicectl device copy from`; a failure is told apart from a missing file by asking for the phone."""
        command = [
            self._xcrun, "devicectl", "device", "copy", "from", "--device", udid, *_CONTAINER, "--source", source,
            "--destination", str(file),
        ]  # fmt: skip
        done = await run(command, INSTALL_S)
        if done.code and udid not in {phone.udid for phone in (await self.phones())[0]}:
            raise program_error(command, done.err)
        return done.code == 0 and file.is_file()

    def launch_command(self, udid: str, environment: Mapping[str, str]) -> Sequence[str]:
        """The app's output comes with `--console`, which needs a process that did not run before."""
        return [
            self._xcrun, "devicectl", "device", "process", "launch", "--device", udid, "--terminate-existing",
            "--console", "--environment-variables", json.dumps(environment), BUNDLE_ID,
        ]  # fmt: skip

    async def terminate(self, udid: str) -> None:
        """Kill the app's processes. One that has ended by itself meanwhile makes the command fail; that is fine."""
        answer = await self._ask(_ProcessesAnswer, "device", "info", "processes", "--device", udid)
        for process in answer.result.running:
            if process.executable.endswith(EXECUTABLE):
                words = ["device", "process", "terminate", "--device", udid, "--pid", str(process.pid), "--kill"]
                await run([self._xcrun, "devicectl", *words])
        await asyncio.sleep(_KILL_S)
        left = await self._ask(_ProcessesAnswer, "device", "info", "processes", "--device", udid)
        if any(process.executable.endswith(EXECUTABLE) for process in left.result.running):
            raise DeviceError(f"the app on {udid} could not be ended", hint="end it by hand, or restart the iPhone")

    async def state(self, udid: str) -> DeviceState:
        """devicectl tells nothing of battery or heat; the harness does, in its record."""
        return DeviceState()

    async def _ask(self, kind: type[T], *words: str) -> T:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "answer.json"
            await must([self._xcrun, "devicectl", *words, "--json-output", str(file)])
            return parse_json(kind, file.read_text(encoding="utf-8") if file.is_file() else "", "devicectl")


def phones_of(answer: DevicesAnswer) -> tuple[list[Iphone], list[Problem]]:
    """The real iPhones and iPads that can be used, each once, and what to do about the others.

    Simulators, watches and entries without a device behind them are left out; the table's state column is not looked
    at, since it is not stable.
    """
    found: dict[str, Iphone] = {}
    problems: list[Problem] = []
    for each in answer.result.devices:
        if (each.hardware.platform, each.hardware.reality) != ("iOS", "physical"):
            continue
        udid = each.hardware.udid or each.identifier
        if trouble := _trouble(each):
            row = find_answer(Speaker.APPLE, trouble)
            what_to_do = row.advice if row else "connect the iPhone by cable and unlock it"
            problems.append(Problem(who=f"{each.properties.name.strip()} {udid}".strip(), what=trouble,
                                    what_to_do=what_to_do))  # fmt: skip
            continue
        found[udid] = Iphone(
            udid=udid, model=each.hardware.product_type, os_version=each.properties.os_version,
            os_build=each.properties.os_build, is_fake=each.hardware.is_fake,
        )  # fmt: skip
    return list(found.values()), problems


def _trouble(listed: _Listed) -> str | None:
    """Why a listed phone cannot be used."""
    if listed.connection.pairing != "paired":
        return f"not paired with this Mac (pairingState {listed.connection.pairing})"
    if listed.properties.developer_mode == "disabled":
        return "Developer Mode is off (developerModeStatus disabled)"
    if listed.connection.tunnel == "unavailable":
        return "paired, but not in reach (tunnelState unavailable)"
    return None


def find_devicectl() -> Devicectl | None:
    """Where Xcode is installed."""
    xcrun = shutil.which("xcrun")
    return Devicectl(xcrun) if xcrun else None
