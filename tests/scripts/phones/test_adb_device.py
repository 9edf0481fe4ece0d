"""The farm's Android device against fake phones through the real adb: discovery, installing, staging, state."""

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, Manifest, sha256
from scripts.farm.adb import AdbDevice, AdbDiscovery, identity_of
from scripts.farm.adb_link import AdbLink
from scripts.farm.adb_server import AdbOutput, AdbServer
from scripts.farm.adb_staging import STAGING_ROOT
from scripts.farm.adb_state import parse_state
from scripts.farm.device import DeviceError, DiscoveryOptions, Problem, Remember
from scripts.farm.gate import await_gate
from scripts.records import DeviceKind, FailureKind, GateLimits
from scripts.testing.fake_phone import ANDROID_S, OFFLINE_S
from tests.scripts.phones.conftest import Connected, MakePhone, wait_for

Artifact = tuple[Path, Manifest]


def problems_of(*endpoints: str) -> tuple[list[str], list[Problem]]:
    async def look() -> tuple[list[str], list[Problem]]:
        discovery = AdbDiscovery(DiscoveryOptions(adb_connect=endpoints))
        devices = await discovery.devices()
        return [device.identity.device_id for device in devices], await discovery.problems()

    return wait_for(look())


def test_a_phone_is_found_and_known(make_phone: MakePhone, connected: Connected) -> None:
    identity = connected(make_phone(), installed=False).identity
    assert identity.device_id == "FAKE0"
    assert identity.kind is DeviceKind.FAKE
    assert {"kind:fake", "os:android", "abi:arm64-v8a", "soc:fake8000", "id:fake0"} <= identity.tags
    assert identity.facts.os_build.startswith("fake/phone/")


@pytest.mark.parametrize(
    ("properties", "kind", "device_id"),
    [({"ro.serialno": "R5"}, DeviceKind.PHONE, "R5"), ({}, DeviceKind.PHONE, "10.0.0.7:5555"),
     ({"ro.serialno": "E", "ro.boot.qemu": "1"}, DeviceKind.EMULATOR, "10.0.0.7:5555")],
)  # fmt: skip
def test_kinds_are_told_apart(properties: dict[str, str], kind: DeviceKind, device_id: str) -> None:
    identity = identity_of(properties, "10.0.0.7:5555", DiscoveryOptions())
    assert (identity.kind, identity.device_id) == (kind, device_id)


def test_an_unauthorized_phone_is_a_problem_with_a_hint(make_phone: MakePhone) -> None:
    phone = make_phone("unauthorized")
    found, problems = problems_of(phone.address)
    assert "FAKE0" not in found
    assert any("Allow USB debugging" in problem.what_to_do for problem in problems), problems


def test_nobody_at_an_endpoint_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        endpoint = f"127.0.0.1:{probe.getsockname()[1]}"
    found, problems = problems_of(endpoint)
    assert found == []
    assert endpoint in {problem.who for problem in problems}


def test_a_server_that_does_not_answer_is_a_problem() -> None:
    async def look() -> list[Problem]:
        discovery = AdbDiscovery(DiscoveryOptions(adb_endpoints=("127.0.0.1:9",)))
        assert await discovery.devices() == []
        return await discovery.problems()

    assert "127.0.0.1:9" in wait_for(look())[0].what


def test_the_same_package_is_installed_once(make_phone: MakePhone, connected: Connected, apk: Path) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    assert wait_for(device.install()) == sha256(apk)
    base = phone.state.locate("/data/app/dev.deepnarrow.harness/base.apk")
    before = base.stat().st_mtime_ns
    assert wait_for(device.install()) == sha256(apk)
    assert base.stat().st_mtime_ns == before
    apk.write_bytes(b"a newer one")
    assert wait_for(device.install()) == sha256(apk)
    assert base.read_bytes() == b"a newer one"


def test_without_a_package_the_installed_one_is_used_or_asked_for(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    bare = AdbDiscovery(DiscoveryOptions(adb_connect=(phone.address,)))

    async def install() -> str:
        return await (await bare.devices())[0].install()

    with pytest.raises(DeviceError) as told:
        wait_for(install())
    assert "--apk" in told.value.hint
    connected(phone)
    assert len(wait_for(install())) == 64


def test_no_space_for_the_package(make_phone: MakePhone, connected: Connected) -> None:
    device = connected(make_phone("install-full"), installed=False)
    with pytest.raises(DeviceError) as told:
        wait_for(device.install())
    assert told.value.failure is FailureKind.STORAGE
    assert "INSUFFICIENT_STORAGE" in str(told.value)


def test_no_media_directory(make_phone: MakePhone, connected: Connected) -> None:
    device = connected(make_phone("no-media-dir"), installed=False)
    with pytest.raises(DeviceError, match="media directory") as told:
        wait_for(device.install())
    assert "unlock" in told.value.hint


def test_an_artifact_is_sent_once(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    phone, (folder, manifest) = make_phone(), artifact
    device = connected(phone)
    path = wait_for(device.stage(folder, manifest))
    assert path == f"{STAGING_ROOT}/{sha256(folder / MANIFEST_FILE)}"
    on_phone = phone.state.locate(path)
    assert {each.name for each in on_phone.iterdir()} == {each.name for each in folder.iterdir()}
    times = {each.name: each.stat().st_mtime_ns for each in on_phone.iterdir()}
    inode = on_phone.stat().st_ino
    assert wait_for(device.stage(folder, manifest)) == path
    assert {each.name: each.stat().st_mtime_ns for each in on_phone.iterdir()} == times
    assert on_phone.stat().st_ino == inode


def test_a_push_that_is_denied(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    device = connected(make_phone("push-denied"))
    with pytest.raises(DeviceError, match="Permission denied") as told:
        wait_for(device.stage(*artifact))
    assert told.value.failure is FailureKind.DEVICE
    assert "/data/local/tmp" in told.value.hint


def test_a_link_that_drops_in_a_push_leaves_nothing_and_works_again(
    make_phone: MakePhone, connected: Connected, artifact: Artifact
) -> None:
    phone = make_phone("drop-push=20000x1")
    device = connected(phone)
    with pytest.raises(DeviceError) as told:
        wait_for(device.stage(*artifact))
    assert told.value.failure is FailureKind.DEVICE

    async def again() -> str:
        await device.prepare(lambda setting, prior: None)
        return await device.stage(*artifact)

    assert phone.state.locate(wait_for(again())).is_dir()


def test_the_oldest_artifact_makes_room(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    needed = sum(entry.bytes for entry in artifact[1].files)
    phone = make_phone(storage_bytes=(256 << 20) + needed + 60_000)
    device = connected(phone)
    for name, age in (("older", 2), ("newer", 1), ("broken.partial", 0)):
        old = phone.state.locate(f"{STAGING_ROOT}/{name}")
        old.mkdir(parents=True)
        (old / "model").write_bytes(b"x" * 50_000)
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    wait_for(device.stage(*artifact))
    left = {each.name for each in phone.state.locate(STAGING_ROOT).iterdir()}
    assert "broken.partial" not in left
    assert "older" not in left
    assert sha256(artifact[0] / MANIFEST_FILE) in left


def test_a_full_phone_is_told(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    device = connected(make_phone(storage_bytes=1 << 20))
    with pytest.raises(DeviceError, match="are free") as told:
        wait_for(device.stage(*artifact))
    assert told.value.failure is FailureKind.STORAGE


def first_of(remembered: dict[str, str]) -> Remember:
    """Keeps the first value of each setting, as the farm does."""

    def remember(setting: str, prior: str) -> None:
        remembered.setdefault(setting, prior)

    return remember


def test_settings_are_changed_remembered_and_put_back(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone)
    phone.state.settings["global", "window_animation_scale"] = "1.5"
    before = dict(phone.state.settings)
    remembered: dict[str, str] = {}
    wait_for(device.prepare(first_of(remembered)))
    assert phone.state.settings["global", "window_animation_scale"] == "0"
    assert phone.state.settings["global", "stay_on_while_plugged_in"] == "7"
    assert phone.state.fixed_performance
    assert remembered["window_animation_scale"] == "1.5"
    wait_for(device.prepare(first_of(remembered)))
    wait_for(device.restore(remembered))
    assert phone.state.settings == before
    assert not phone.state.fixed_performance


def test_airplane_mode_is_left_again(make_phone: MakePhone) -> None:
    phone = make_phone()

    async def fly() -> dict[str, str]:
        discovery = AdbDiscovery(DiscoveryOptions(adb_connect=(phone.address,), airplane_mode=True))
        device = (await discovery.devices())[0]
        remembered: dict[str, str] = {}
        await device.prepare(first_of(remembered))
        assert phone.state.settings["global", "airplane_mode_on"] == "1"
        await device.restore(remembered)
        return remembered

    assert wait_for(fly())["airplane_mode"] == "disabled"
    assert phone.state.settings["global", "airplane_mode_on"] == "0"


def test_a_setting_from_elsewhere_is_not_executed(make_phone: MakePhone, connected: Connected) -> None:
    device = connected(make_phone(), installed=False)
    for prior in ({"colour": "1"}, {"window_animation_scale": "1; reboot"}):
        with pytest.raises(DeviceError, match="not a setting"):
            wait_for(device.restore(prior))


def test_a_value_that_could_not_be_put_back_is_never_changed(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    phone.state.settings["global", "animator_duration_scale"] = "1,5"
    before = dict(phone.state.settings)
    remembered: dict[str, str] = {}
    with pytest.raises(DeviceError, match="animator_duration_scale is '1,5'"):
        wait_for(device.prepare(first_of(remembered)))
    assert phone.state.settings == before
    assert remembered == {}


def test_one_bad_value_does_not_keep_the_others(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    phone.state.settings["global", "window_animation_scale"] = "0"
    phone.state.fixed_performance = True
    prior = {"colour": "1", "window_animation_scale": "1.5", "fixed_performance": "false"}
    with pytest.raises(DeviceError, match="colour"):
        wait_for(device.restore(prior))
    assert phone.state.settings["global", "window_animation_scale"] == "1.5"
    assert not phone.state.fixed_performance


@pytest.mark.parametrize(
    ("serial", "over_tcp"),
    [("R5CT30XXXX", False), ("10.0.0.7:5555", True), ("adb-R5CT30-abc._adb-tls-connect._tcp", True),
     ("adb-R5CT30-abc (2)._adb-tls-connect._tcp.", True), ("emulator-5554", False)],
)  # fmt: skip
def test_phones_on_the_network_are_not_cut_off(serial: str, over_tcp: bool) -> None:
    link = AdbLink(AdbServer("127.0.0.1", 9), serial)
    assert link.over_tcp == over_tcp
    options = DiscoveryOptions(airplane_mode=True)
    device = AdbDevice(link, identity_of({"ro.serialno": "R5CT30"}, serial, options), 35, options)
    if over_tcp:
        with pytest.raises(DeviceError, match="airplane_mode would cut off"):
            wait_for(device.prepare(lambda setting, prior: None))


def test_a_restarted_phone_is_waited_for_until_android_is_up(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    link = device._link  # pyright: ignore[reportPrivateUsage]
    phone.restart()
    assert not phone.state.is_booted
    wait_for(link.settle())
    assert phone.state.is_booted
    phone.restart()
    with pytest.raises(DeviceError):
        wait_for(link.settle(OFFLINE_S + ANDROID_S / 2))


def test_a_slow_link_has_time() -> None:
    """A model of 300 MiB at 1 MiB/s."""
    asked: list[float] = []

    class Recorder(AdbLink):
        async def adb(self, words: Sequence[str], timeout_s: float) -> AdbOutput:
            asked.append(timeout_s)
            return AdbOutput(0, "")

    wait_for(Recorder(AdbServer("127.0.0.1", 9), "R5").push(Path("model"), "/data/local/tmp/model", 300 << 20))
    assert asked[0] > 300


def test_sensors_are_read(make_phone: MakePhone, connected: Connected) -> None:
    state = wait_for(connected(make_phone("hot=45.5"), installed=False).state())
    assert state.battery_celsius == 45.5
    assert (state.thermal_status, state.battery_percent, state.plugged) == (2, 82, False)
    assert state.overridden == ()


@pytest.mark.parametrize(
    ("command", "told"),
    [("cmd thermalservice override-status 0", "thermal status"), ("dumpsys battery unplug", "battery")],
)
def test_a_faked_sensor_is_refused(make_phone: MakePhone, connected: Connected, command: str, told: str) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)

    async def gate() -> None:
        await AdbLink(device._link.server, phone.address).must(command)  # pyright: ignore[reportPrivateUsage]
        await await_gate(device, GateLimits(), lambda state, shut: None)

    with pytest.raises(DeviceError, match=f"{told} overridden"):
        asyncio.run(gate())


def test_a_thermal_service_without_hardware_is_no_reading() -> None:
    state = parse_state("level: 80\n  temperature: 305\n", "HAL Ready: false\nThermal Status: 0\n", "null")
    assert (state.thermal_status, state.battery_celsius, state.power_save) == (None, 30.5, None)
    nothing = parse_state("Can't find service: battery\n", "", "1")
    assert (nothing.battery_celsius, nothing.plugged, nothing.power_save) == (None, None, True)
