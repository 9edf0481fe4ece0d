"""iPhones through executable doubles of both programs; the app is the host harness on a real artifact."""

import asyncio
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export.manifest import Manifest
from scripts.farm.device import Device, DeviceError, DiscoveryOptions, Progress
from scripts.farm.ios.device import IosDevice, IosDiscovery
from scripts.farm.ios.devicectl import Devicectl, DevicesAnswer, phones_of
from scripts.farm.ios.go_ios import BatteryRegistry, GoIos
from scripts.farm.ios.programs import parse_json, push_timeout_s
from scripts.records import Completed, Failed, FailureKind, RunRecord, Stage
from scripts.testing.ios.fake_iphone import FOLDER_VARIABLE
from tests.scripts.farm.android.conftest import request, wait_for

ROOT = Path(__file__).parents[4]
Artifact = tuple[Path, Manifest]
Plug = Callable[..., IosDevice]
DEADLINE_S = 120.0


@pytest.fixture(params=["devicectl", "go-ios"])
def plug(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Connect a phone; returns the farm's device for it, behind one program or the other."""
    folder, tools, app = tmp_path / "phone", tmp_path / "bin", tmp_path / "Harness.ipa"
    folder.mkdir()
    tools.mkdir()
    app.write_bytes(b"ipa")
    for name, module in (("xcrun", "fake_xcrun"), ("ios", "fake_go_ios")):
        text = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m scripts.testing.ios.{module} "$@"\n'
        (tools / name).write_text(text)
        (tools / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))

    def connect(fault: str = "", *, app: Path | None = app, installed: bool = True) -> IosDevice:
        (folder / "phone.json").write_text(json.dumps({"udid": "00008140-0001", "fault": fault}))
        is_mac = request.param == "devicectl"
        program = Devicectl(str(tools / "xcrun")) if is_mac else GoIos(str(tools / "ios"))

        async def find() -> IosDevice:
            (phone,) = await program.phones()
            device = IosDevice(program, phone, DiscoveryOptions(ios_app=app))
            if installed:
                await device.install()
            return device

        return wait_for(find())

    return connect


def run(device: IosDevice, artifact: Artifact, deadline_s: float = DEADLINE_S) -> tuple[RunRecord, list[Progress]]:
    async def both() -> tuple[RunRecord, list[Progress]]:
        seen: list[Progress] = []
        pushed = await device.push(*artifact)
        return await device.run(request(), pushed, seen.append, deadline_s), seen

    return wait_for(both())


def installs(tmp_path: Path) -> int:
    return json.loads((tmp_path / "phone" / "app.json").read_text())["count"]


def test_a_phone_is_known(plug: Plug) -> None:
    identity = plug(installed=False).identity
    assert identity.device_id == "00008140-0001"
    assert (identity.facts.os, identity.facts.os_version, identity.facts.os_build) == ("ios", "18.5", "22F76")
    assert {"os:ios", "kind:phone", "model:iphone17,1"} <= identity.tags


def test_the_same_app_is_installed_once(plug: Plug, tmp_path: Path) -> None:
    device = plug()
    build = wait_for(device.install())
    assert installs(tmp_path) == 1
    (tmp_path / "Harness.ipa").write_bytes(b"a newer one")
    assert wait_for(device.install()) != build
    assert installs(tmp_path) == 2


def test_without_an_app_it_is_asked_for(plug: Plug) -> None:
    with pytest.raises(DeviceError, match="is not installed") as told:
        wait_for(plug(app=None, installed=False).install())
    assert "ios_app" in told.value.hint


def test_an_artifact_is_sent_once(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    device = plug()
    pushed = wait_for(device.push(*artifact))
    folder = tmp_path / "phone" / "container" / "Documents" / pushed
    assert {each.name for each in folder.iterdir()} == {each.name for each in artifact[0].iterdir()}
    times = {each: each.stat().st_mtime_ns for each in folder.iterdir()}
    assert wait_for(device.push(*artifact)) == pushed
    assert {each: each.stat().st_mtime_ns for each in folder.iterdir()} == times


def test_a_run_comes_back_and_an_old_record_is_no_new_measurement(plug: Plug, artifact: Artifact) -> None:
    device = plug()
    old, _ = run(device, artifact)
    record, seen = run(device, artifact)
    assert record.started_utc > old.started_utc
    assert isinstance(record.outcome, Completed), record.outcome
    assert record.decode
    # Only devicectl passes the app's output on.
    stages = {each.stage for each in seen}
    assert stages == set() or {Stage.LOAD, Stage.DECODE} <= stages


def test_an_old_record_that_cannot_be_removed_is_refused(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    device = plug("keep")
    old = tmp_path / "phone" / "container" / "Documents" / "runs" / "r1"
    old.mkdir(parents=True)
    (old / "done.json").write_text("{}")
    with pytest.raises(DeviceError, match="could not be removed"):
        run(device, artifact)
    assert not (tmp_path / "phone" / "pid").exists(), "nothing was launched"


def test_a_slow_link_has_time(tmp_path: Path) -> None:
    """A model of 300 MiB at 1 MiB/s."""
    with (tmp_path / "model").open("wb") as file:
        file.truncate(300 << 20)
    assert push_timeout_s([tmp_path / "model"]) > 300


@pytest.mark.parametrize("plug", ["devicectl"], indirect=True)
def test_an_app_that_dies_is_a_crash_in_its_stage(plug: Plug, artifact: Artifact) -> None:
    record, _ = run(plug("crash"), artifact)
    assert isinstance(record.outcome, Failed)
    assert record.outcome.failure is FailureKind.CRASHED
    assert record.load is not None


@pytest.mark.slow
def test_an_app_that_hangs_is_killed(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    record, _ = run(plug("hang"), artifact, deadline_s=12)
    assert isinstance(record.outcome, Failed)
    assert record.outcome.failure is FailureKind.HUNG
    pid = int((tmp_path / "phone" / "pid").read_text())
    assert not Path(f"/proc/{pid}/exe").exists()


@pytest.mark.parametrize("plug", ["go-ios"], indirect=True)
def test_a_damaged_record_is_never_believed(plug: Plug, artifact: Artifact) -> None:
    with pytest.raises(DeviceError, match="damaged record"):
        run(plug("damage"), artifact)


def test_a_phone_that_is_gone_is_the_device_s_fault(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    device = plug()
    (tmp_path / "phone" / "phone.json").unlink()
    with pytest.raises(DeviceError) as told:
        wait_for(device.push(*artifact))
    assert told.value.failure is FailureKind.DEVICE


def test_a_cancelled_run_is_ended(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    device = plug("hang")

    async def cancel() -> None:
        pushed = await device.push(*artifact)
        task = asyncio.create_task(device.run(request(), pushed, lambda progress: None, DEADLINE_S))
        while not (tmp_path / "phone" / "pid").exists():
            await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    wait_for(cancel())
    assert not Path(f"/proc/{(tmp_path / 'phone' / 'pid').read_text()}/exe").exists()


def test_simulators_watches_and_unpaired_phones_are_left_out() -> None:
    def entry(platform: str, reality: str, pairing: str) -> dict[str, object]:
        hardware = {"platform": platform, "reality": reality, "udid": f"{platform}-{reality}-{pairing}"}
        return {"identifier": "x", "hardwareProperties": hardware, "connectionProperties": {"pairingState": pairing}}

    kinds = [("iOS", "physical", "paired"), ("iOS", "virtual", "paired"), ("watchOS", "physical", "paired"),
             ("iOS", "physical", "unpaired")]  # fmt: skip
    answer = {"result": {"devices": [entry(*kind) for kind in kinds]}}
    assert [phone.udid for phone in phones_of(DevicesAnswer.model_validate(answer))] == ["iOS-physical-paired"]


def test_the_battery_s_registry_is_read() -> None:
    state = parse_json(BatteryRegistry, '{"Temperature": 3050, "CurrentCapacity": 81, "IsCharging": true}', "x").state
    assert (state.battery_celsius, state.battery_percent, state.plugged) == (30.5, 81, True)
    assert BatteryRegistry().state.battery_celsius is None


@pytest.mark.parametrize("text", ["", "no JSON", '{"result": {}}'])
def test_answers_that_are_not_understood_are_told(text: str) -> None:
    with pytest.raises(DeviceError, match="devicectl gave an answer"):
        parse_json(DevicesAnswer, text, "devicectl")


def test_without_a_program_there_is_a_problem_only_if_an_app_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    async def look(options: DiscoveryOptions) -> tuple[list[Device], list[str]]:
        discovery = IosDiscovery(options)
        return await discovery.devices(), [problem.what for problem in await discovery.problems()]

    assert wait_for(look(DiscoveryOptions())) == ([], [])
    found, problems = wait_for(look(DiscoveryOptions(ios_app=Path("x.ipa"))))
    assert found == []
    assert len(problems) == 1
