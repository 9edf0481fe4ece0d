"""The farm's own adb server: the first farm of a user starts it, the last one to end stops it.

A server keeps the USB interface of every phone, so one that stays would shut out the user's own adb. Each process that
uses it holds a shared `flock`, which the kernel ends with the process.
"""

import asyncio
import atexit
import fcntl
import os
import subprocess
from pathlib import Path

from scripts.farm.android.server import PORT_VARIABLE, SHORT_S, AdbServer, is_listening
from scripts.farm.device import DeviceError

_LOCK_FILE, _STARTED_FILE = "in-use.lock", "started"
_used: dict[Path, int] = {}


async def ensure(server: AdbServer) -> None:
    """Start it if it is ours, else see whether it can be used.

    Raises:
        DeviceError: it does not start, does not answer, or speaks another version than the adb program here.
    """
    if server.home is None:
        await server.check()
        return
    (server.home / ".android").mkdir(parents=True, exist_ok=True)
    await asyncio.to_thread(_use, server, server.home)
    if not is_listening(server.host, server.port):
        (server.home / _STARTED_FILE).touch()
    started = await server.run(["start-server"])
    if started.code:
        raise DeviceError(f"adb server on port {server.port}: {started.text}", hint=f"set {PORT_VARIABLE}")


def _use(server: AdbServer, home: Path) -> None:
    """Note that this process uses it, to its end; waits while another one stops it."""
    if home in _used:
        return
    descriptor = os.open(home / _LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _used[home] = descriptor
    atexit.register(leave, server)


def leave(server: AdbServer) -> None:
    """Stop it if a farm has started it and no other process uses it."""
    if server.home is None or (descriptor := _used.pop(server.home, None)) is None:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _stop(server, server.home / _STARTED_FILE)
    except BlockingIOError:
        return  # the last one stops it
    finally:
        os.close(descriptor)


def _stop(server: AdbServer, started: Path) -> None:
    if not started.exists():
        return
    if is_listening(server.host, server.port):
        command = [*server.command, "kill-server"]
        subprocess.run(command, env=server.environment(), capture_output=True, timeout=SHORT_S, check=False)
    started.unlink()
