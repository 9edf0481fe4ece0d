"""iPhones on Linux, through the `ios` program of go-ios, which answers in JSON."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, Field

from scripts.farm.device import DeviceState
from scripts.farm.ios.programs import BUNDLE_ID, INSTALL_S, Iphone, must, parse_json, program_error, push_timeout_s, run

_HUNDREDTHS = 100


class _List(BaseModel):
    udids: Annotated[tuple[str, ...] | None, Field(alias="deviceList")] = None


class _Info(BaseModel):
    model: Annotated[str, Field(alias="ProductType")] = "unknown"
    os_version: Annotated[str, Field(alias="ProductVersion")] = "unknown"
    os_build: Annotated[str, Field(alias="BuildVersion")] = "unknown"


class _InstalledApp(BaseModel):
    bundle_id: Annotated[str, Field(alias="CFBundleIdentifier")] = ""
    version: Annotated[str, Field(alias="CFBundleShortVersionString")] = "?"
    build: Annotated[str, Field(alias="CFBundleVersion")] = "?"


class BatteryRegistry(BaseModel):
    """Of `ios batteryregistry`: temperature in hundredths of a degree Celsius, capacity in percent."""

    temperature: Annotated[int | None, Field(alias="Temperature")] = None
    percent: Annotated[int | None, Field(alias="CurrentCapacity")] = None
    is_plugged: Annotated[bool | None, Field(alias="ExternalConnected")] = None
    is_charging: Annotated[bool | None, Field(alias="IsCharging")] = None

    @property
    def state(self) -> DeviceState:
        """For the start limits."""
        return DeviceState(
            battery_celsius=None if self.temperature is None else self.temperature / _HUNDREDTHS,
            battery_percent=self.percent,
            plugged=self.is_charging if self.is_plugged is None else self.is_plugged,
        )


class GoIos:
    """Implements `scripts.farm.ios.programs.IosProgram`."""

    def __init__(self, ios: str) -> None:
        self._ios = ios

    async def phones(self) -> list[Iphone]:
        """From `ios list`, described by `ios info`."""
        listed = parse_json(_List, await must([self._ios, "list"]), "ios list")
        return [await self._phone(udid) for udid in listed.udids or ()]

    async def _phone(self, udid: str) -> Iphone:
        info = parse_json(_Info, await self._must(udid, "info"), "ios info")
        return Iphone(udid=udid, model=info.model, os_version=info.os_version, os_build=info.os_build)

    async def install(self, udid: str, app: Path) -> None:
        """`ios install`."""
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

    async def _make_folder(self, udid: str, path: str) -> None:
        for parent in [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]:
            if str(parent) not in (".", "Documents"):
                await self._must(udid, "fsync", f"--app={BUNDLE_ID}", "mkdir", f"--path={parent}")

    async def push_file(self, udid: str, file: Path, target: str) -> None:
        """`ios fsync push`; the folder is made first."""
        await self._make_folder(udid, str(PurePosixPath(target).parent))
        words = ("fsync", f"--app={BUNDLE_ID}", "push", f"--srcPath={file}", f"--dstPath={target}")
        await self._must(udid, *words, timeout_s=push_timeout_s([file]))

    async def pull_file(self, udid: str, source: str, file: Path) -> bool:
        """`ios fsync pull`; a failure is told apart from a missing file by asking for the phone."""
        words = ["fsync", f"--app={BUNDLE_ID}", "pull", f"--srcPath={source}", f"--dstPath={file}"]
        command = [self._ios, f"--udid={udid}", *words]
        done = await run(command, INSTALL_S)
        if done.code and udid not in {phone.udid for phone in await self.phones()}:
            raise program_error(command, done.err)
        return done.code == 0 and file.is_file()

    def launch_command(self, udid: str, environment: Mapping[str, str]) -> Sequence[str]:
        """`ios launch --wait`."""
        words = [f"--env={name}={value}" for name, value in environment.items()]
        return [self._ios, f"--udid={udid}", "launch", BUNDLE_ID, "--wait", "--kill-existing", *words]

    async def terminate(self, udid: str) -> None:
        """`ios kill`, which fails where the app does not run; that is fine."""
        await run([self._ios, f"--udid={udid}", "kill", BUNDLE_ID])

    async def state(self, udid: str) -> DeviceState:
        """From `ios batteryregistry`."""
        return parse_json(BatteryRegistry, await self._must(udid, "batteryregistry"), "ios batteryregistry").state

    async def _must(self, udid: str, *words: str, timeout_s: float = 60.0) -> str:
        return await must([self._ios, f"--udid={udid}", *words], timeout_s)


def find_go_ios() -> GoIos | None:
    """Where go-ios is installed."""
    ios = shutil.which("ios")
    return GoIos(ios) if ios else None
