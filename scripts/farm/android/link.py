"""One Android device behind an adb server: shell, files, long commands."""

import asyncio
import contextlib
import os
import shlex
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import adbutils

from scripts.farm.android.server import AdbOutput, AdbServer, device_error, in_thread, kill_group
from scripts.farm.device import DeviceError
from scripts.farm.transfer import transfer_timeout_s

RETURN_VARIABLE = "DEEPNARROW_ADB_RETURN_S"
RETURN_S = 180.0
_SETTLE_PERIOD_S = 0.25
_WIRELESS = "._adb-tls-connect._tcp"


class AdbLink:
    """Shell and small files through adbutils; bulk transfers and long commands through the adb program."""

    def __init__(self, server: AdbServer, serial: str) -> None:
        self.server, self.serial = server, serial
        self._device = adbutils.AdbDevice(server.client, serial=serial)

    @property
    def over_tcp(self) -> bool:
        """Whether adb reaches it over the network: by `host:port`, or by the name that wireless debugging announces."""
        return ":" in self.serial or _WIRELESS in self.serial

    async def shell(self, command: str) -> AdbOutput:
        """A short command; its exit code is the caller's to judge."""
        done = await in_thread(lambda: self._device.shell2(command, timeout=30.0, v2=True))
        return AdbOutput(int(done.returncode), str(done.stdout), str(done.stderr))

    async def must(self, command: str) -> str:
        """The output of a short command.

        Raises:
            DeviceError: it failed.
        """
        done = await self.shell(command)
        if done.code:
            raise device_error(f"{command}: {done.text or f'exit code {done.code}'}")
        return done.out

    async def read(self, path: str) -> bytes | None:
        """A small file's content; None where there is no such file."""
        if (await self.shell(f"ls {shlex.quote(path)}")).code:
            return None
        return await in_thread(lambda: self._device.sync.read_bytes(path))

    async def write(self, data: bytes, path: str) -> None:
        """Make or replace a small file."""
        await in_thread(lambda: self._device.sync.push(data, path, mode=0o644, check=True))

    async def push(self, source: Path, target: str, total_bytes: int) -> None:
        """Send a file or a tree, uncompressed: quantised weights do not get smaller."""
        done = await self.adb(["push", "-Z", str(source), target], transfer_timeout_s(total_bytes))
        if done.code:
            raise device_error(f"push of {source.name}: {done.text}")

    async def adb(self, words: Sequence[str], timeout_s: float) -> AdbOutput:
        """The adb program on this device."""
        return await self.server.run(["-s", self.serial, *words], timeout_s)

    @contextlib.asynccontextmanager
    async def follow(self, command: str) -> AsyncGenerator[asyncio.subprocess.Process]:
        """A long shell command; what adb has started here is killed when the block is left."""
        process = await self.server.start(["-s", self.serial, "shell", "-n", command])
        try:
            yield process
        finally:
            await kill_group(process)

    async def state(self) -> str:
        """As adb calls it; `gone` where adb does not know it."""
        return (await self.server.serials()).get(self.serial, "gone")

    async def settle(self, timeout_s: float | None = None) -> None:
        """Wait until it can be used: links drop for a second, phones restart in a minute or two.

        Args:
            timeout_s: None for `RETURN_S`, or what the variable says.

        Raises:
            DeviceError: it does not come back, or Android on it does not.
        """
        state = "gone"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(return_s() if timeout_s is None else timeout_s):
                while (state := await self._readiness()) != "device":
                    if self.over_tcp and state in ("gone", "offline"):
                        await self.server.connect(self.serial)
                    await asyncio.sleep(_SETTLE_PERIOD_S)
        if state != "device":
            raise device_error(f"{self.serial} {'not found' if state == 'gone' else state}")

    async def _readiness(self) -> str:
        """Its state as adb calls it, or `starting`: adb's daemon is there long before Android is.

        `sys.boot_completed` stays 1 when Android's services crash and start again, so the package manager is asked.
        """
        state = await self.state()
        if state != "device":
            return state
        try:
            done = await self.shell("getprop sys.boot_completed; pm path android")
        except DeviceError:
            return "offline"
        lines = done.out.split()
        return state if lines[:1] == ["1"] and done.code == 0 and "package:" in done.out else "starting"

    async def properties(self) -> dict[str, str]:
        """All of Android's properties."""
        lines = (await self.must("getprop")).splitlines()
        pairs = (line.strip().removeprefix("[").removesuffix("]").split("]: [", 1) for line in lines)
        return {pair[0]: pair[1] for pair in pairs if len(pair) > 1}


def return_s() -> float:
    """How long a device that was lost is waited for.

    Raises:
        DeviceError: the variable is no number of seconds.
    """
    text = os.environ.get(RETURN_VARIABLE, str(RETURN_S))
    try:
        return float(text)
    except ValueError:
        hint = f"unset {RETURN_VARIABLE}, or give seconds"
        raise DeviceError(f"{RETURN_VARIABLE}={text}: must be a number", hint=hint) from None


async def first_error(process: asyncio.subprocess.Process) -> str:
    """What the adb program has complained about."""
    if process.stderr is None:
        raise DeviceError("adb was started without its errors")
    return (await process.stderr.read()).decode(errors="replace").strip()
