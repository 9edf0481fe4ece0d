"""Fake phones behind the farm's own adb server, which has a port, key and home for these tests alone."""

import asyncio
import atexit
import shutil
import socket
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from scripts.farm.android.device import AdbDevice, AdbDiscovery
from scripts.farm.android.server import HOME_VARIABLE, PORT_VARIABLE, AdbServer, own_server
from scripts.farm.device import DiscoveryOptions
from scripts.records import Protocol, RunRequest, StartLimits
from scripts.testing.android.fake_phone import STORAGE_BYTES, FakePhone
from scripts.testing.android.faults import parse_faults
from scripts.testing.android.phone_instrument import Harness, java_harness
from tests.limits import HUNG_S

ANDROID_APP = Path(__file__).parents[4] / "android_app"
JAR = ANDROID_APP / "core" / "target" / "deepnarrow-harness.jar"
SMALL = Protocol.model_validate(
    {"num_threads": 1, "prompt_lengths": [8], "prefill_repetitions": 1, "contexts": [0], "decode_steps": 4,
     "warm_up_steps": 1, "probe": {"buffer_bytes": 1 << 20, "passes": 3}}
)  # fmt: skip
NO_WAIT = StartLimits(wait_s=0)
T = TypeVar("T")
MakePhone = Callable[..., FakePhone]
Connected = Callable[..., AdbDevice]


def wait_for(work: Coroutine[None, None, T]) -> T:
    """Run to its end, in a loop of its own."""
    return asyncio.run(work)


def request(run_id: str = "r1", **changes: object) -> RunRequest:
    """A run of a second or two."""
    protocol = SMALL.model_copy(update=changes)
    return RunRequest.model_validate({"run_id": run_id, "protocol": protocol, "start_limits": NO_WAIT})


@pytest.fixture(scope="session")
def harness_jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The desktop build of the Android harness, built if it is not there; a copy, since Maven may build it again."""
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; the fake phone runs the desktop build of the harness")
    if not JAR.is_file():
        pom = str(ANDROID_APP / "pom.xml")
        command = ["mvn", "-B", "-q", "-f", pom, "-pl", "core", "-am", "package", "-DskipTests"]
        subprocess.run(command, check=True, capture_output=True, timeout=HUNG_S)
    return Path(shutil.copy(JAR, tmp_path_factory.mktemp("harness")))


@pytest.fixture(scope="session")
def harness(harness_jar: Path) -> Harness:
    """What the fake phones start as their app."""
    return java_harness(harness_jar)


def kill_server(server: AdbServer) -> None:
    """End it if it runs; `adb kill-server` complains where none does."""
    command = [*server.command, "kill-server"]
    subprocess.run(command, env=server.environment(), capture_output=True, timeout=HUNG_S, check=False)


@pytest.fixture(scope="session", autouse=True)
def adb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A free port and an empty home for the farm's adb server.

    It ends with the session, or with the process where the session is interrupted before its fixtures end.
    """
    with pytest.MonkeyPatch.context() as patch:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        patch.setenv(PORT_VARIABLE, str(port))
        patch.setenv(HOME_VARIABLE, str(tmp_path_factory.mktemp("adb")))
        patch.setenv("ADB_LOCAL_TRANSPORT_MAX_PORT", "5554")
        server = own_server()
        atexit.register(kill_server, server)
        yield port
        kill_server(server)
        atexit.unregister(kill_server)


@pytest.fixture
def make_phone(tmp_path: Path) -> Iterator[MakePhone]:
    """Phones that are switched on; without a harness they can do everything but run."""
    phones: list[FakePhone] = []

    def make(*faults: str, harness: Harness | None = None, storage_bytes: int = STORAGE_BYTES) -> FakePhone:
        name = f"FAKE{len(phones)}"
        phone = FakePhone(
            tmp_path / "phones" / name,
            name,
            harness or Harness(("false",)),
            faults=parse_faults(faults),
            storage_bytes=storage_bytes,
        )
        phones.append(phone)
        phone.start()
        return phone

    yield make
    for phone in phones:
        phone.stop()
        wait_for(own_server().run(["disconnect", phone.address]))


@pytest.fixture
def apk(tmp_path: Path) -> Path:
    """Stands for the package: the fake phone keeps it and never opens it."""
    path = tmp_path / "harness.apk"
    path.write_bytes(b"package" * 1000)
    return path


@pytest.fixture
def connected(apk: Path) -> Connected:
    """The farm's device for a fake phone."""

    def find(phone: FakePhone, *, installed: bool = True) -> AdbDevice:
        discovery = AdbDiscovery(DiscoveryOptions(adb_connect=(phone.address,), android_apk=apk))

        async def look() -> AdbDevice:
            devices = await discovery.devices()
            device = next(each for each in devices if each.identity.device_id == phone.state.serial)
            assert isinstance(device, AdbDevice)
            if installed:
                await device.install()
            return device

        return wait_for(look())

    return find
