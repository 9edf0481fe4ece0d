"""The real adb program, with a server, key and home of its own."""

import atexit
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import adbutils
import pytest

from scripts.testing.android.fake_phone import FakePhone
from scripts.testing.android.faults import parse_faults
from scripts.testing.android.phone_instrument import Harness
from tests.limits import HUNG_S

Adb = Callable[..., subprocess.CompletedProcess[str]]
MakePhone = Callable[..., FakePhone]


@pytest.fixture(scope="session")
def adb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adb]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("adb-home")
    environment = {
        **os.environ, "HOME": str(home), "ANDROID_ADB_SERVER_PORT": str(port), "ADB_MDNS_AUTO_CONNECT": "",
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "5554",
    }  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [adbutils.adb_path(), *words], env=environment, capture_output=True, text=True, timeout=HUNG_S, check=False
        )

    atexit.register(run, "kill-server")  # where the session is interrupted before its fixtures end
    yield run
    run("kill-server")
    atexit.unregister(run)


@pytest.fixture
def make_phone(tmp_path: Path, adb: Adb) -> Iterator[MakePhone]:
    phones: list[FakePhone] = []

    def make(*faults: str, harness: Harness | None = None) -> FakePhone:
        number = len(phones)
        phone = FakePhone(
            tmp_path / f"phone-{number}", f"FAKE{number}", harness or Harness(("false",)), faults=parse_faults(faults)
        )
        phones.append(phone)
        phone.start()
        adb("connect", phone.address)
        return phone

    yield make
    for phone in phones:
        adb("disconnect", phone.address)
        phone.stop()
