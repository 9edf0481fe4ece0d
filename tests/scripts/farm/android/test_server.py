"""The farm's own adb server ends with the last farm; one of somebody else is never ended."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.farm.android.device import AdbDiscovery
from scripts.farm.android.server import HOME_VARIABLE, PORT_VARIABLE, is_listening, own_server
from scripts.farm.device import DiscoveryOptions, Problem
from tests.limits import HUNG_S
from tests.scripts.farm.android.conftest import MakePhone, wait_for

ROOT = Path(__file__).parents[4]
FARM = """
import asyncio, sys
from scripts.farm.android.server import own_server
from scripts.farm.android.server_life import ensure
asyncio.run(ensure(own_server()))
print("ready", flush=True)
sys.stdin.read()
"""


class Farm:
    """A process that uses the farm's own adb server until its input ends."""

    def __init__(self, port: int, home: Path) -> None:
        environment = {**os.environ, PORT_VARIABLE: str(port), HOME_VARIABLE: str(home), "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", FARM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment,
        )  # fmt: skip
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def end(self, number: int | None = None) -> None:
        """By the end of its input, or by a signal."""
        if number is not None:
            self._process.send_signal(number)
        self._process.communicate(timeout=HUNG_S)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_the_last_farm_stops_the_server(free_port: int, tmp_path: Path) -> None:
    first, second = Farm(free_port, tmp_path), Farm(free_port, tmp_path)
    first.end()
    assert is_listening("127.0.0.1", free_port), "the second one still uses it"
    second.end(signal.SIGINT)
    assert not is_listening("127.0.0.1", free_port)


def test_a_farm_that_was_killed_leaves_the_server_to_the_next(free_port: int, tmp_path: Path) -> None:
    Farm(free_port, tmp_path).end(signal.SIGKILL)
    assert is_listening("127.0.0.1", free_port)
    Farm(free_port, tmp_path).end()
    assert not is_listening("127.0.0.1", free_port)


@contextmanager
def server_of_version(version: int) -> Generator[tuple[int, list[bytes]]]:
    """An adb server that tells a version and nothing else; what it was asked."""
    asked: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if length := connection.recv(4):
                    asked.append(connection.recv(int(length, 16)))
                    connection.sendall(b"OKAY" + f"0004{version:04x}".encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)


def look(endpoint: str) -> tuple[list[str], list[Problem]]:
    async def both() -> tuple[list[str], list[Problem]]:
        discovery = AdbDiscovery(DiscoveryOptions(adb_endpoints=(endpoint,)))
        return [device.identity.device_id for device in await discovery.devices()], await discovery.problems()

    return wait_for(both())


def test_a_lab_s_server_of_another_version_is_left_alone() -> None:
    with server_of_version(32) as (port, asked):
        found, (problem,) = look(f"127.0.0.1:{port}")
        time.sleep(0.2)
    assert found == []
    assert "speaks version 32" in problem.what
    assert "ADBUTILS_ADB_PATH" in problem.what_to_do
    assert asked == [b"host:version"], "no word of adb's own, which would end it"


def test_a_lab_s_server_of_the_same_version_is_used(make_phone: MakePhone, adb_server: int) -> None:
    phone = make_phone()
    wait_for(own_server().run(["connect", phone.address]))
    found, problems = look(f"127.0.0.1:{adb_server}")
    assert (found, problems) == (["FAKE0"], [])
