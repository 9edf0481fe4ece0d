"""iPhones on Linux, through the `ios` program of go-ios, which answers in JSON."""

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, Field

from scripts.farm.device import DeviceError, DeviceState, Problem
from scripts.farm.ios.programs import (
    BUNDLE_ID,
    FAKE_KEY,
    INSTALL_S,
    Iphone,
    cause_of,
    must,
    parse_json,
    program_error,
    push_timeout_s,
    run,
)

_HUNDREDTHS = 100
_NOT_RUNNING = re.compile(r"process.*not (?:found|running)|no such process|not installed", re.IGNORECASE)


class _List(BaseModel):
    udids: Annotated[tuple[str, ...] | None, Field(alias="deviceList")] = None


class _Info(BaseModel):
    model: Annotated[str, Field(alias="ProductType")] = "unknown"
    os_version: Annotated[str, Field(alias="ProductVersion")] = "unknown"
    os_build: Annotated[str, Field(alias="BuildVersion")] = "unknown"
    is_fake: Annotated[bool, Field(alias=FAKE_KEY)] = False


class _InstalledApp(BaseModel):
    bundle_id: Annotated[str, Field(alias="CFBundleIdentifier")] = ""
    version: Annotated[str, Field(alias="CFBundleShortVersionString")] = "?"
    build: Annotated[str, Field(alias="CFBundleVersion")] = "?"


class BatteryRegistry(BaseModel):
    """Of `ios batteryregistry`: temperature in hundredths of a degree Celsius, capacity in percent.

    It has no word for being plugged in: a full phone on its cable does not charge.
    """

    temperature: Annotated[int | None, Field(alias="Temperature")] = None
    percent: Annotated[int | None, Field(alias="CurrentCapacity")] = None
    is_charging: Annotated[bool | None, Field(alias="IsCharging")] = None

    @property
    def state(self) -> DeviceState:
        """For the start limits."""
        return DeviceState(
            battery_celsius=None if self.temperature is None else self.temperature / _HUNDREDTHS,
            battery_percent=self.percent,
            plugged=True if self.is_charging else None,
        )


class GoIos:
    """Implements `scripts.farm.ios.programs.IosProgram`."""

    def __init__(self, ios: str) -> None:
        self._ios = ios
        self._made: set[tuple[str, str]] = set()

    @property
    def launcher_waits(self) -> bool:
        """`ios launch` ends at once; with `--wait` it would wait for a signal, not for the app."""
        return False

    async def phones(self) -> tuple[list[Iphone], list[Problem]]:
        """From `ios list`, which names a phone twice that is also on Wi-Fi, described by `ios info`."""
        found: list[Iphone] = []
        problems: list[Problem] = []
        for udid in await self._listed():
            try:
                found.append(await self._phone(udid))
            except DeviceError as error:
                problems.append(Problem(who=udid, what=str(error), what_to_do=error.hint))
        return found, problems

    async def _listed(self) -> list[str]:
        listed = parse_json(_List, await must([self._ios, "list"]), "ios list")
        return list(dict.fromkeys(listed.udids or ()))

    async def _phone(self, udid: str) -> Iphone:
        info = parse_json(_Info, await self._must(udid, "info"), "ios info")
        return Iphone(
            udid=udid, model=info.model, os_version=info.os_version, os_build=info.os_build, is_fake=info.is_fake
        )

    async def install(self, udid: str, app: Path) -> None:
        """`ios install`."""
        self._made.clear()
        await self._must(udid, "install", f"--path={app}", timeout_s=INSTALL_S)

    async def installed_version(self, udid: str) -> str | None:
        """From `ios apps`."""
        apps = parse_json(tuple[_InstalledApp, ...], await self._must(udid, "apps"), "ios apps")
        ours = [app for app in apps if app.bundle_id == BUNDLE_ID]
        return f"{ours[0].version} ({ours[0].build})" if ours else None

    async def push_folder(self, udid: str, folder: Path, target: str) -> None:
        """File by file, into folders that are made first."""
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = {file: PurePosixPath(target) / file.relative_to(folder).as_posix() for file in files}
        for parent in sorted({str(name.parent) for name in names.values()}):
            await self._make_folder(udid, parent)
        for file, name in names.items():
            await self.push_file(udid, file, str(name))

    async def empty_folder(self, udid: str, folder: str) -> None:
        """`ios fsync rm --r`, of a folder that is there for certain."""
        await self._make_folder(udid, folder)
        await self._must(udid, "fsync", f"--app={BUNDLE_ID}", "rm", "--r", f"--path={folder}")
        self._made = {(owner, path) for owner, path in self._made if not path.startswith(folder)}

    async def _make_folder(self, udid: str, path: str) -> None:
        for parent in [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]:
            if str(parent) not in (".", "Documents") and (udid, str(parent)) not in self._made:
                await self._must(udid, "fsync", f"--app={BUNDLE_ID}", "mkdir", f"--path={parent}")
                self._made.add((udid, str(parent)))

    async def push_file(self, udid: str, file: Path, target: str) -> None:
        """`ios fsync push`; the folder is made first."""
        await self._make_folder(udid, str(PurePosixPath(target).parent))
        words = ("fsync", f"--app={BUNDLE_ID}", "push", f"--srcPath={file}", f"--dstPath={target}")
        try:
            await self._must(udid, *words, timeout_s=push_timeout_s([file]))
        except DeviceError:
            self._made.clear()  # the app may have been installed anew, with an empty container
            raise

    async def pull_file(self, udid: str, source: str, file: Path) -> bool:
        """`ios fsync pull`, which takes a folder. Whether a file is missing or the phone, the list of phones tells."""
        with tempfile.TemporaryDirectory() as folder:
            words = ["fsync", f"--app={BUNDLE_ID}", "pull", f"--srcPath={source}", f"--dstPath={folder}"]
            command = [self._ios, f"--udid={udid}", *words]
            done = await run(command, INSTALL_S)
            if done.code and udid not in await self._listed():
                raise program_error(command, done.err)
            pulled = Path(folder) / PurePosixPath(source).name
            if done.code or not pulled.is_file():
                return False
            shutil.move(pulled, file)
            return True

    def launch_command(self, udid: str, environment: Mapping[str, str]) -> Sequence[str]:
        """`ios launch`."""
        words = [f"--env={name}={value}" for name, value in environment.items()]
        return [self._ios, f"--udid={udid}", "launch", BUNDLE_ID, "--kill-existing", *words]

    async def terminate(self, udid: str) -> None:
        """`ios kill`, which also fails where the app does not run; that is fine."""
        command = [self._ios, f"--udid={udid}", "kill", BUNDLE_ID]
        done = await run(command)
        if done.code and not _NOT_RUNNING.search(cause_of(done.err)):
            raise program_error(command, done.err)

    async def state(self, udid: str) -> DeviceState:
        """From `ios batteryregistry`."""
        return parse_json(BatteryRegistry, await self._must(udid, "batteryregistry"), "ios batteryregistry").state

    async def _must(self, udid: str, *words: str, timeout_s: float = 60.0) -> str:
        return await must([self._ios, f"--udid={udid}", *words], timeout_s)


def find_go_ios() -> GoIos | None:
    """Where go-ios is installed."""
    ios = shutil.which("ios")
    return GoIos(ios) if ios else None
