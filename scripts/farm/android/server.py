"""The adb server that the farm uses: its own one on its own port, or one that was named."""

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import adbutils

from export.installation import Extra, install_hint
from scripts.farm.answers import Speaker, find_answer
from scripts.farm.device import DeviceError

PORT_VARIABLE, HOME_VARIABLE = "DEEPNARROW_ADB_PORT", "DEEPNARROW_ADB_HOME"
DEFAULT_PORT = 5137
USERS_PORT = 5037
SHORT_S = 30.0
MAX_TEXT_CHARS = 500
_EMULATOR_PORTS = range(5555, 5586, 2)
_USB_ADB = ("ff", "42", "01")  # class, subclass and protocol of adb's USB interface
_NOT_INHERITED = ("ANDROID_SERIAL", "ANDROID_ADB_SERVER_ADDRESS", "ANDROID_ADB_SERVER_SOCKET", "ADB_TRACE")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AdbOutput:
    """What a command has said."""

    code: int
    out: str
    err: str = ""

    @property
    def text(self) -> str:
        """Both streams, for messages."""
        return "\n".join(part.strip() for part in (self.out, self.err) if part.strip())


@dataclass(frozen=True, slots=True)
class AdbServer:
    """One adb server.

    Attributes:
        home: folder of the key and log of a server of our own; None for one that somebody else keeps.
    """

    host: str
    port: int
    home: Path | None = None

    @property
    def client(self) -> adbutils.AdbClient:
        """adbutils' client; every socket times out."""
        return adbutils.AdbClient(host=self.host, port=self.port, socket_timeout=SHORT_S)

    @property
    def command(self) -> list[str]:
        """The adb program with the address of this server."""
        address = [] if self.home else ["-H", self.host]
        return [adb_program(), *address, "-P", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        """Of the adb program: nothing of the user's server, key or chosen device."""
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        own = {"ANDROID_ADB_SERVER_PORT": str(self.port), "ADB_MDNS_AUTO_CONNECT": ""}
        if self.home:
            own |= {"HOME": str(self.home), "ANDROID_USER_HOME": str(self.home / ".android"), "ADB_VENDOR_KEYS": ""}
        return {**kept, **own}

    async def run(self, words: Sequence[str], timeout_s: float = SHORT_S) -> AdbOutput:
        """Run the adb program; its process group is killed at the timeout and on cancellation.

        Raises:
            DeviceError: it took too long.
        """
        process = await self.start(words)
        try:
            async with asyncio.timeout(timeout_s):
                out, err = await process.communicate()
        except TimeoutError:
            raise device_error(f"adb {_command(words)}: not done after {timeout_s:.0f} s") from None
        finally:
            await kill_group(process)
        return AdbOutput(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))

    async def start(self, words: Sequence[str]) -> asyncio.subprocess.Process:
        """Start the adb program in a process group of its own."""
        try:
            return await asyncio.create_subprocess_exec(
                *self.command, *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE, start_new_session=True, env=self.environment(), limit=1 << 20,
            )  # fmt: skip
        except OSError as error:
            raise DeviceError(f"adb cannot be started: {error}", hint=install_hint(Extra.FARM)) from error

    async def check(self) -> None:
        """See whether a server that somebody else keeps can be used; adb would end one of another version.

        Raises:
            DeviceError: it does not answer, or speaks another version than the adb program here.
        """
        if not await asyncio.to_thread(is_listening, self.host, self.port):
            hint = "start it there: adb -a nodaemon server, or adb start-server for this machine"
            raise DeviceError(f"no adb server answers at {self.host}:{self.port}", hint=hint)
        theirs, ours = await in_thread(self.client.server_version), await self._program_version()
        if theirs != ours:
            message = f"the adb server at {self.host}:{self.port} speaks version {theirs}, {adb_program()} {ours}"
            raise DeviceError(message, hint="set ADBUTILS_ADB_PATH to an adb of the server's version")

    async def _program_version(self) -> int:
        """The last number of `Android Debug Bridge version 1.0.41`, as servers tell it."""
        told = await self.run(["version"])
        match = re.search(r"Android Debug Bridge version \d+\.\d+\.(\d+)", told.out)
        if match is None:
            raise DeviceError(f"{adb_program()} tells no version: {told.text}", hint=install_hint(Extra.FARM))
        return int(match.group(1))

    async def serials(self) -> dict[str, str]:
        """Every device's serial and state, as adb calls it: `device`, `offline`, `unauthorized` ..."""
        return dict(await self.listed())

    async def listed(self) -> list[tuple[str, str]]:
        """(serial, state) of every device; a serial that several devices share stands there several times."""
        return await in_thread(self._list)

    def _list(self) -> list[tuple[str, str]]:
        with self.client.make_connection() as connection:
            connection.send_command("host:devices")
            connection.check_okay()
            lines = connection.read_string_block().splitlines()
        return [(fields[0], fields[1]) for line in lines if len(fields := line.split("\t")) > 1]

    async def connect(self, endpoint: str) -> str | None:
        """Connect to a device that speaks adb over TCP.

        Returns:
            None, or what adb says is wrong.
        """
        text = (await self.run(["connect", endpoint])).text
        return None if text.startswith(("connected to", "already connected to")) else text


def adb_program() -> str:
    """The adb inside adbutils, whose version is known; where its wheel has none, the one that adbutils finds."""
    bundled = Path(adbutils.__file__).parent / "binaries" / "adb"
    return str(bundled) if bundled.is_file() and "ADBUTILS_ADB_PATH" not in os.environ else adbutils.adb_path()


def own_server() -> AdbServer:
    """The farm's own server; port and folder may be set by variables."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    home = Path(os.environ.get(HOME_VARIABLE) or state / "deepnarrow" / "adb")
    port = os.environ.get(PORT_VARIABLE) or str(DEFAULT_PORT)
    if not port.isdigit():
        raise DeviceError(f"{PORT_VARIABLE}={port}: must be a port number", hint=f"unset {PORT_VARIABLE}")
    return AdbServer("127.0.0.1", int(port), home.absolute())


def anything_to_find(server: AdbServer) -> bool:
    """Whether starting our own server could find a device without being told: a phone on USB or an emulator."""
    if is_listening(server.host, server.port) or any(is_listening("127.0.0.1", port) for port in _EMULATOR_PORTS):
        return True
    if sys.platform != "linux":
        return True
    interfaces = Path("/sys/bus/usb/devices")
    return interfaces.is_dir() and any(_usb_class(each) == _USB_ADB for each in interfaces.iterdir())


def is_listening(host: str, port: int) -> bool:
    """Whether something answers at this address."""
    try:
        with socket.create_connection((host, port), timeout=3.0):
            return True
    except OSError:
        return False


async def in_thread(call: Callable[[], T]) -> T:
    """A call of adbutils, whose sockets time out, in a thread; its errors become a `DeviceError`."""
    try:
        return await asyncio.to_thread(call)
    except (adbutils.AdbError, OSError, EOFError, ValueError) as error:
        raise device_error(str(error) or type(error).__name__) from error


async def kill_group(process: asyncio.subprocess.Process) -> None:
    """End a process and what it has started, if it still runs."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def device_error(text: str) -> DeviceError:
    """The error for what adb or Android has said, with what `scripts.farm.answers` knows of it."""
    one_line = " ".join(text.split())
    answer = find_answer(Speaker.ADB, one_line)
    if answer is None:
        return DeviceError(one_line[:MAX_TEXT_CHARS])
    return DeviceError(one_line[:MAX_TEXT_CHARS], answer.failure, answer.advice, needs_person=answer.needs_person)


def _command(words: Sequence[str]) -> str:
    """The command among adb's words, without the serial number before it."""
    return words[2] if words[:1] == ["-s"] and len(words) > 2 else words[0]


def _usb_class(interface: Path) -> tuple[str, ...]:
    names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    try:
        return tuple((interface / name).read_text().strip() for name in names)
    except OSError:
        return ()
