"""The farm's Android device against fake phones through the real adb: discovery, installing, pushing, state."""

import os
import socket
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, Manifest, sha256
from scripts.farm.android.device import AdbDiscovery, identity_of
from scripts.farm.android.push import PUSH_ROOT
from scripts.farm.device import DeviceError, DiscoveryOptions, Problem
from scripts.records import DeviceKind, FailureKind
from tests.scripts.farm.android.conftest import Connected, MakePhone, wait_for

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
    path = wait_for(device.push(folder, manifest))
    assert path == f"{PUSH_ROOT}/{sha256(folder / MANIFEST_FILE)}"
    on_phone = phone.state.locate(path)
    assert {each.name for each in on_phone.iterdir()} == {each.name for each in folder.iterdir()}
    times = {each.name: each.stat().st_mtime_ns for each in on_phone.iterdir()}
    inode = on_phone.stat().st_ino
    assert wait_for(device.push(folder, manifest)) == path
    assert {each.name: each.stat().st_mtime_ns for each in on_phone.iterdir()} == times
    assert on_phone.stat().st_ino == inode


def test_a_push_that_is_denied(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    device = connected(make_phone("push-denied"))
    with pytest.raises(DeviceError, match="Permission denied") as told:
        wait_for(device.push(*artifact))
    assert told.value.failure is FailureKind.DEVICE
    assert "/data/local/tmp" in told.value.hint


def test_a_link_that_drops_in_a_push_leaves_nothing_and_works_again(
    make_phone: MakePhone, connected: Connected, artifact: Artifact
) -> None:
    phone = make_phone("drop-push=20000x1")
    device = connected(phone)
    with pytest.raises(DeviceError) as told:
        wait_for(device.push(*artifact))
    assert told.value.failure is FailureKind.DEVICE

    async def again() -> str:
        await device.prepare(lambda setting, prior: None)
        return await device.push(*artifact)

    assert phone.state.locate(wait_for(again())).is_dir()


def test_the_oldest_artifact_makes_room(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    needed = sum(entry.bytes for entry in artifact[1].files)
    phone = make_phone(storage_bytes=(256 << 20) + needed + 60_000)
    device = connected(phone)
    for name, age in (("older", 2), ("newer", 1), ("broken.partial", 0)):
        old = phone.state.locate(f"{PUSH_ROOT}/{name}")
        old.mkdir(parents=True)
        (old / "model").write_bytes(b"x" * 50_000)
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    wait_for(device.push(*artifact))
    left = {each.name for each in phone.state.locate(PUSH_ROOT).iterdir()}
    assert "broken.partial" not in left
    assert "older" not in left
    assert sha256(artifact[0] / MANIFEST_FILE) in left


def test_a_full_phone_is_told(make_phone: MakePhone, connected: Connected, artifact: Artifact) -> None:
    device = connected(make_phone(storage_bytes=1 << 20))
    with pytest.raises(DeviceError, match="are free") as told:
        wait_for(device.push(*artifact))
    assert told.value.failure is FailureKind.STORAGE
