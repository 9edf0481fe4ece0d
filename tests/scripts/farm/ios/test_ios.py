"""iPhones through executable doubles of both programs; the app is the host harness on a real artifact."""

import asyncio
import json
import re
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
from scripts.farm.ios.programs import parse_json, program_error, push_timeout_s
from scripts.records import Completed, Failed, FailureKind, RunRecord, Stage
from scripts.testing.ios.fake_iphone import FOLDER_VARIABLE, HARNESS_VARIABLE
from tests.scripts.farm.android.conftest import request, wait_for

ROOT = Path(__file__).parents[4]
Artifact = tuple[Path, Manifest]
Plug = Callable[..., IosDevice]
DEADLINE_S = 600.0


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

    def connect(
        fault: str = "", *, app: Path | None = app, installed: bool = True, silence_s: float = 300
    ) -> IosDevice:
        (folder / "phone.json").write_text(json.dumps({"udid": "00008140-0001", "fault": fault}))
        is_mac = request.param == "devicectl"
        program = Devicectl(str(tools / "xcrun")) if is_mac else GoIos(str(tools / "ios"))

        async def find() -> IosDevice:
            (phone,), problems = await program.phones()
            assert problems == []
            options = DiscoveryOptions(ios_app=app)
            device = IosDevice(program, phone, options, poll_s=0.2, silence_s=silence_s)
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
    assert {"os:ios", "kind:fake", "model:iphone17,1"} <= identity.tags


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
    # Through devicectl the app's own lines, through go-ios what its unfinished record says when it is looked at.
    stages = {each.stage for each in seen}
    assert stages, "which of them go-ios catches depends on how fast they are"
    if device._program.launcher_waits:  # pyright: ignore[reportPrivateUsage]
        assert {Stage.LOAD, Stage.DECODE} <= stages


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


@pytest.mark.parametrize("plug", ["go-ios"], indirect=True)
def test_an_app_that_dies_unseen_is_not_waited_for_until_the_deadline(plug: Plug, artifact: Artifact) -> None:
    record, _ = run(plug("crash", silence_s=15), artifact)
    assert isinstance(record.outcome, Failed)
    assert record.outcome.failure is FailureKind.HUNG
    assert "no change of the record for 15 s" in record.outcome.message
    assert record.load is not None


def test_a_launch_that_is_refused_is_the_phone_s_word(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    device = plug("locked")
    with pytest.raises(DeviceError, match="passcode") as told:
        run(device, artifact)
    assert told.value.failure is FailureKind.DEVICE
    assert told.value.needs_person
    assert "unlock" in told.value.hint


@pytest.mark.parametrize("plug", ["go-ios"], indirect=True)
def test_an_app_that_cannot_be_ended_is_told(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    device = plug("no-tunnel")
    with pytest.raises(DeviceError, match="no tunnel for this device") as told:
        wait_for(device.abort("r1"))
    assert "ios tunnel start" in told.value.hint


@pytest.mark.parametrize("plug", ["go-ios"], indirect=True)
def test_an_app_that_does_not_run_is_ended_already(plug: Plug) -> None:
    wait_for(plug().abort("r1"))


def test_the_app_can_be_any_harness_command(
    plug: Plug, artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a Swift build of it for the desktop: it is told to play an iPhone, which `scripts.host` cannot."""
    script, said = tmp_path / "harness of mine", tmp_path / "said"
    script.write_text(
        f'#!/bin/sh\necho "$@" > {said}\nexec {sys.executable} -m scripts.host "$1" "$2" "$3" "$4" "$5" "$6"\n'
    )
    script.chmod(stat.S_IRWXU)
    monkeypatch.setenv(HARNESS_VARIABLE, f"'{script}'")
    record, _ = run(plug(), artifact)
    assert isinstance(record.outcome, Completed), record.outcome
    assert re.match("--artifact .* --device-json .*", said.read_text())


@pytest.mark.parametrize("plug", ["go-ios"], indirect=True)
def test_one_untrusted_iphone_is_named_and_hides_no_other(plug: Plug, tmp_path: Path) -> None:
    plug(installed=False)
    (tmp_path / "phone" / "phone.json").write_text(json.dumps({"udid": "00008140-0001", "fault": "untrusted"}))
    found, problems = wait_for(GoIos(str(tmp_path / "bin" / "ios")).phones())
    assert found == []
    (problem,) = problems
    assert problem.who == "00008140-0001"
    assert problem.what == (
        "ios info: failed getting info: could not retrieve PairRecord with error: ReadPair failed with errorcode '2'"
    )
    assert "Trust" in problem.what_to_do


@pytest.mark.slow
def test_an_app_that_hangs_is_killed(plug: Plug, artifact: Artifact, tmp_path: Path) -> None:
    record, _ = run(plug("hang"), artifact, deadline_s=30)
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


def listed(**parts: dict[str, str]) -> dict[str, object]:
    """An entry of `devicectl list devices`: a good iPhone, with `parts` changed."""
    entry: dict[str, dict[str, str]] = {
        "hardwareProperties": {"platform": "iOS", "reality": "physical", "udid": "U1", "productType": "iPhone15,2"},
        "connectionProperties": {"pairingState": "paired", "tunnelState": "connected", "transportType": "wired"},
        "deviceProperties": {"name": "Desk", "osVersionNumber": "18.4", "developerModeStatus": "enabled"},
    }
    return {"identifier": "x", **{key: {**value, **parts.get(key, {})} for key, value in entry.items()}}


def look_at(*entries: dict[str, object]) -> tuple[list[str], list[tuple[str, str]]]:
    found, problems = phones_of(DevicesAnswer.model_validate({"result": {"devices": entries}}))
    return [phone.udid for phone in found], [(problem.what, problem.what_to_do) for problem in problems]


@pytest.mark.parametrize("state", ["connected", "disconnected"])
def test_an_iphone_in_reach_is_used(state: str) -> None:
    assert look_at(listed(connectionProperties={"tunnelState": state})) == (["U1"], [])


@pytest.mark.parametrize(
    ("parts", "what", "what_to_do"),
    [
        ({"connectionProperties": {"tunnelState": "unavailable"}}, "tunnelState unavailable", "plug the iPhone in"),
        ({"deviceProperties": {"developerModeStatus": "disabled"}}, "Developer Mode is off", "switch it on"),
        ({"connectionProperties": {"pairingState": "unpaired"}}, "not paired", "tap Trust"),
    ],
)  # fmt: skip
def test_an_iphone_that_cannot_be_used_is_a_problem_with_what_to_do(
    parts: dict[str, dict[str, str]], what: str, what_to_do: str
) -> None:
    found, ((said, advice),) = look_at(listed(**parts))
    assert found == []
    assert what in said
    assert what_to_do in advice


def test_simulators_watches_and_empty_entries_are_left_out_and_a_phone_is_listed_once() -> None:
    empty: dict[str, object] = {
        "identifier": "781B",
        "hardwareProperties": {},
        "connectionProperties": {"pairingState": "unpaired"},
    }
    others = [
        listed(hardwareProperties={"reality": "virtual"}),
        listed(hardwareProperties={"platform": "watchOS"}),
        empty,
    ]
    assert look_at(*others, listed(), listed()) == (["U1"], [])


WARNING = json.dumps(
    {"level": "WARN", "msg": "go-ios agent is not running. You might need 'ios tunnel start' " + "x" * 600}
)


@pytest.mark.parametrize(
    ("said", "cause", "advice"),
    [
        (json.dumps({"level": "ERROR", "msg": "Device not found: X", "err": "Device 'X' not found."}),
         "Device not found: X: Device 'X' not found.", "plug the iPhone in"),
        (json.dumps({"level": "error", "msg": "processcontrol failed", "error": "mount the Developer Disk Image"}),
         "processcontrol failed: mount the Developer Disk Image", "ios image auto"),
        (json.dumps({"level": "fatal", "msg": "no tunnel here"}), "no tunnel here", "tunnel start"),
        ("panic: could not retrieve PairRecord\n\ngoroutine 1 [running]:\nmain.main()\n",
         "panic: could not retrieve PairRecord", "Trust"),
        ("ERROR: the device is passcode protected", "ERROR: the device is passcode protected", "unlock"),
        ("", "it gave no reason", "plug the iPhone in"),
    ],
)  # fmt: skip
def test_a_warning_is_no_cause_and_hides_none(said: str, cause: str, advice: str) -> None:
    for text in (f"{WARNING}\n{said}", f"{said}\n{WARNING}"):
        error = program_error(["/usr/bin/ios", "--udid=X", "info"], text)
        assert str(error) == f"ios info: {cause}"
        assert advice in error.hint


def test_the_battery_s_registry_is_read() -> None:
    state = parse_json(BatteryRegistry, '{"Temperature": 3050, "CurrentCapacity": 81, "IsCharging": true}', "x").state
    assert (state.battery_celsius, state.battery_percent, state.plugged) == (30.5, 81, True)
    assert BatteryRegistry().state.battery_celsius is None
    full = parse_json(BatteryRegistry, '{"CurrentCapacity": 100, "IsCharging": false}', "x").state
    assert full.plugged is None, "a full phone on its cable does not charge, and nothing says that it is plugged in"


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
