"""What real phones do to a farm, on fake phones through the real adb; the app is a double that measures nothing."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export.manifest import Manifest, sha256
from scripts.farm.android.device import AdbDevice, AdbDiscovery
from scripts.farm.android.push import parse_free_bytes
from scripts.farm.android.run import AdbRun
from scripts.farm.android.state import parse_state
from scripts.farm.device import DeviceError, DiscoveryOptions, Problem, Progress
from scripts.records import Completed, ConcernCode, Failed, FailureKind, RunRecord, RunRequest, Severity, Stage
from scripts.testing.android.fake_phone import FakePhone
from scripts.testing.android.phone_instrument import Harness
from tests.limits import HUNG_S
from tests.scripts.farm.android.conftest import Connected, MakePhone, request, wait_for

Artifact = tuple[Path, Manifest]
Start = Callable[..., tuple[FakePhone, AdbDevice]]
APP = Harness((sys.executable, str(Path(__file__).with_name("app_double.py"))))


@pytest.fixture
def start(make_phone: MakePhone, connected: Connected) -> Start:
    """A phone that can run, and the farm's device for it."""

    def begin(*faults: str) -> tuple[FakePhone, AdbDevice]:
        phone = make_phone(*faults, harness=APP)
        return phone, connected(phone)

    return begin


async def run(
    device: AdbDevice, artifact: Artifact, asked: RunRequest | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> RunRecord:  # fmt: skip
    """Prepared, pushed and run."""
    await device.prepare(lambda setting, prior: None)
    pushed = await device.push(*artifact)
    return await device.run(asked or request(), pushed, on_progress, HUNG_S)


def failure(record: RunRecord) -> Failed:
    assert isinstance(record.outcome, Failed), record.outcome
    return record.outcome


def test_nothing_is_granted_when_the_harness_is_installed(
    make_phone: MakePhone, connected: Connected, apk: Path
) -> None:
    """`adb install -g` is refused by Xiaomi, OPPO and Realme."""
    phone = make_phone("refuse-grant")
    assert wait_for(connected(phone, installed=False).install()) == sha256(apk)


def test_refused_settings_cost_a_concern_and_are_not_noted_as_changed(start: Start, artifact: Artifact) -> None:
    phone, device = start("refuse-settings")
    phone.state.settings["global", "window_animation_scale"] = "1.5"
    before = dict(phone.state.settings)
    noted: dict[str, str] = {}

    async def both() -> RunRecord:
        await device.prepare(lambda setting, prior: noted.update({setting: prior}))
        pushed = await device.push(*artifact)
        record = await device.run(request(), pushed, lambda progress: None, HUNG_S)
        await device.restore(noted)
        return record

    record = wait_for(both())
    assert isinstance(record.outcome, Completed)
    concerns = [each for each in record.concerns if each.code is ConcernCode.NOT_PREPARED]
    assert {each.detail.split()[0] for each in concerns} == {
        "window_animation_scale", "transition_animation_scale", "animator_duration_scale", "waking",
    }  # fmt: skip
    assert all(each.severity is Severity.WARNING for each in concerns)
    assert "1.5" in concerns[0].detail
    assert "USB debugging (Security settings)" in concerns[0].detail
    assert noted.keys() == {"stay_on_while_plugged_in", "fixed_performance"}, "what could be changed, and nothing else"
    assert {name: phone.state.settings.get(name) for name in before} == before
    assert phone.state.settings["global", "stay_on_while_plugged_in"] == "0"


def test_a_note_of_a_setting_that_never_changed_does_not_keep_the_phone(start: Start) -> None:
    """Left by a farm that noted before it knew."""
    phone, device = start("refuse-settings")
    phone.state.settings["global", "window_animation_scale"] = "1.0"
    wait_for(device.restore({"window_animation_scale": "1.0"}))
    with pytest.raises(DeviceError, match="WRITE_SECURE_SETTINGS"):
        wait_for(device.restore({"window_animation_scale": "0.5"}))


@pytest.mark.parametrize(
    ("death", "kind", "words"),
    [
        ("low-memory", FailureKind.OUT_OF_MEMORY, ["free memory", "LOW_MEMORY"]),
        ("signal", FailureKind.OUT_OF_MEMORY, ["probably", "SIGNALED", "1.6GB"]),
        ("scudo", FailureKind.OUT_OF_MEMORY, ["Scudo ERROR: internal map failure"]),
        ("cleaner", FailureKind.DEVICE, ["RemoveTaskMemoryClean", "battery settings"]),
        ("frozen", FailureKind.DEVICE, ["FREEZER", "battery settings"]),
    ],
)
def test_who_ended_the_harness_decides(
    start: Start, artifact: Artifact, death: str, kind: FailureKind, words: list[str]
) -> None:
    _, device = start("kill-run=decodex1", f"death={death}")
    record = wait_for(run(device, artifact))
    assert failure(record).failure is kind
    assert failure(record).stage is Stage.DECODE
    assert "Process crashed." in failure(record).message
    for word in words:
        assert word in failure(record).message
    assert isinstance(wait_for(run(device, artifact, request("r2"))).outcome, Completed)


def test_an_end_of_another_user_s_harness_is_not_ours(start: Start, artifact: Artifact) -> None:
    _, device = start("two-users", "kill-run=decodex1", "death=cleaner")
    record = wait_for(run(device, artifact))
    assert failure(record).failure is FailureKind.DEVICE
    assert record.evidence
    assert "user=0" in (record.evidence.exit_info or "")


def test_an_android_without_exit_records_tells_in_its_log(start: Start, artifact: Artifact) -> None:
    _, device = start("no-exit-info", "kill-run=decodex1")
    record = wait_for(run(device, artifact))
    assert failure(record).failure is FailureKind.OUT_OF_MEMORY
    assert "lowmemorykiller" in failure(record).message


def test_another_instrumentation_kills_a_run_and_is_told(start: Start, artifact: Artifact) -> None:
    """Also `prepare`, which another farm's installation asks: Android ends the package first, whatever is asked."""
    phone, device = start()
    other = "am instrument -w -r -e op prepare dev.deepnarrow.harness/.HarnessInstrumentation"

    async def both() -> RunRecord:
        begun = asyncio.Event()
        task = asyncio.create_task(run(device, artifact, on_progress=lambda progress: begun.set()))
        await begun.wait()
        told = await device._link.shell(other)  # pyright: ignore[reportPrivateUsage]
        assert "media_dir=" in told.out
        return await task

    record = wait_for(both())
    assert failure(record).failure is FailureKind.DEVICE
    assert "another `am instrument` started the harness" in failure(record).message
    assert phone.state.process is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [("active-run", "somebody else uses this phone"), ("shared-storage", "unlock the phone")],
)
def test_a_refusal_inside_the_app_is_known_by_its_code_whatever_its_words(
    start: Start, artifact: Artifact, answer: str, error: str
) -> None:
    phone, device = start()
    real = phone._commands["am"]  # pyright: ignore[reportPrivateUsage]

    def am(io, words):  # pyright: ignore
        if words[0] != "instrument":
            return real(io, words)
        io.say(f"INSTRUMENTATION_RESULT: refusal={answer}\nINSTRUMENTATION_RESULT: message=\u305d\u306e\u4ed6")
        io.say("INSTRUMENTATION_CODE: 0")
        return 0

    phone._commands["am"] = am  # pyright: ignore
    with pytest.raises(DeviceError) as told:
        wait_for(run(device, artifact))
    assert error in told.value.hint


def test_a_request_that_is_refused_is_final_with_or_without_a_code(start: Start, artifact: Artifact) -> None:
    phone, device = start()
    real = phone._commands["am"]  # pyright: ignore[reportPrivateUsage]

    def am(io, words):  # pyright: ignore
        if words[0] != "instrument":
            return real(io, words)
        io.say("INSTRUMENTATION_RESULT: message=request: a run is active in its dreams\nINSTRUMENTATION_CODE: 0")
        return 0

    phone._commands["am"] = am  # pyright: ignore
    assert failure(wait_for(run(device, artifact))).failure is FailureKind.REQUEST


def test_a_crash_of_the_system_is_waited_for(start: Start, artifact: Artifact) -> None:
    phone, device = start("crash-system=3x1")
    with pytest.raises(DeviceError, match="System has crashed") as told:
        wait_for(run(device, artifact))
    assert "services" in told.value.hint
    assert phone.state.properties()["sys.boot_completed"] == "1"
    assert not phone.state.has_services
    assert isinstance(wait_for(run(device, artifact)).outcome, Completed)


def test_a_screen_that_never_opens_is_not_waited_for_long(start: Start, artifact: Artifact) -> None:
    phone, device = start("no-screen")

    async def watch() -> RunRecord:
        link = device._link  # pyright: ignore[reportPrivateUsage]
        pushed = device._pushed[await device.push(*artifact)]  # pyright: ignore[reportPrivateUsage]
        attempt = AdbRun(link, phone.state.media_dir, device.identity.facts, request(), pushed, first_line_s=2)
        return await attempt.run(lambda progress: None, HUNG_S)

    with pytest.raises(DeviceError, match="before its first sign of life") as told:
        wait_for(watch())
    assert told.value.failure is FailureKind.DEVICE
    assert "pop-up windows" in told.value.hint
    assert phone.state.process is None or phone.state.process.poll() is not None


def test_an_app_that_may_not_read_the_pushed_folder_gets_it_in_its_own(start: Start, artifact: Artifact) -> None:
    phone, device = start("unreadable-tmp")
    assert isinstance(wait_for(run(device, artifact)).outcome, Completed)
    key = sha256(artifact[0] / "manifest.json")
    assert (phone.state.locate(f"{phone.state.media_dir}/pushed/{key}") / "manifest.json").is_file()
    # From now on at once.
    assert wait_for(device.push(*artifact)) == f"{phone.state.media_dir}/pushed/{key}"


def test_an_app_that_can_read_nothing_is_the_phone_s_trouble_and_not_the_model_s(
    start: Start, artifact: Artifact
) -> None:
    phone, device = start()
    phone.state.can_app_read = lambda path: False
    with pytest.raises(DeviceError) as told:
        wait_for(run(device, artifact))
    assert told.value.failure is FailureKind.STORAGE


def test_a_media_directory_with_spaces_and_quotes(start: Start, artifact: Artifact) -> None:
    phone, device = start("media-dir", "unreadable-tmp")
    victim = phone.state.locate("/sdcard/A")
    victim.mkdir(parents=True)
    assert isinstance(wait_for(run(device, artifact)).outcome, Completed)
    wait_for(device.abort("r1"))
    assert victim.is_dir(), "an unquoted path would have removed this folder"
    assert list(phone.state.locate(f"{phone.state.media_dir}/runs").iterdir()) == []
    assert "it's" in phone.state.media_dir


@pytest.mark.parametrize("place", ["sdcard/dev.deepnarrow.harness", "/", "/sdcard/../data/dev.deepnarrow.harness"])
def test_a_media_directory_that_is_none_is_refused(make_phone: MakePhone, connected: Connected, place: str) -> None:
    device = connected(make_phone(f"media-dir={place}", harness=APP), installed=False)
    with pytest.raises(DeviceError, match="not a path of its own"):
        wait_for(device.install())


def test_an_installation_that_waits_for_a_person(
    make_phone: MakePhone, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.farm.android.device.INSTALL_S", 2.0)
    phone = make_phone("install-waits")
    with pytest.raises(DeviceError, match="adb install: not done after 2 s") as told:
        wait_for(connected(phone, installed=False).install())
    phone.faults.switches.clear()
    assert "screen" in told.value.hint
    assert told.value.needs_person


@pytest.mark.parametrize(
    ("said", "person"), [("INSTALL_FAILED_ABORTED: User rejected permissions", True), ("INSTALL_FAILED_NEW", False)]
)
def test_a_refused_installation(make_phone: MakePhone, connected: Connected, said: str, person: bool) -> None:
    with pytest.raises(DeviceError) as told:
        wait_for(connected(make_phone(f"refuse-install={said}"), installed=False).install())
    assert said in str(told.value)
    assert told.value.hint
    assert told.value.needs_person is person


def found(*phones: FakePhone) -> tuple[list[str], list[Problem]]:
    async def look() -> tuple[list[str], list[Problem]]:
        discovery = AdbDiscovery(DiscoveryOptions(adb_connect=tuple(phone.address for phone in phones)))
        devices = await discovery.devices()
        return [device.identity.device_id for device in devices], await discovery.problems()

    return wait_for(look())


def test_two_phones_with_one_serial_number_are_two_devices(make_phone: MakePhone) -> None:
    phones = [make_phone("serial"), make_phone("serial"), make_phone()]
    ids, problems = found(*phones)
    shared = {f"0123456789ABCDEF@{phone.address}" for phone in phones[:2]}
    assert set(ids) == shared | {"FAKE2"}
    assert len(ids) == 3
    (problem,) = problems
    assert problem.who == "0123456789ABCDEF"
    assert all(phone.address in problem.what for phone in phones[:2])


def test_one_phone_that_is_reached_twice_is_one_device(make_phone: MakePhone) -> None:
    first, second = make_phone("serial"), make_phone("serial")
    for name in ("proc/sys/kernel/random/boot_id",):
        (second.state.root / name).write_text((first.state.root / name).read_text())
    ids, problems = found(first, second)
    assert ids == ["0123456789ABCDEF"]
    assert problems == []


def test_a_native_crash_that_is_no_want_of_memory_stays_the_harness_s(start: Start, artifact: Artifact) -> None:
    phone, device = start("kill-run=decodex1", "death=scudo")
    phone.state.log_crash = lambda pid, tag, text: None
    record = wait_for(run(device, artifact))
    assert failure(record).failure is FailureKind.CRASHED
    assert "a crash in native code" in failure(record).message


DF = {
    "toybox": ("Filesystem       1K-blocks     Used Available Use% Mounted on\n"
               "/dev/block/dm-53 112345678 98765432  13449174  89% /data/user/0\n"),
    "busybox": ("Filesystem           1K-blocks      Used Available Use% Mounted on\n"
                "/dev/block/platform/soc/1d84000.ufshc/by-name/userdata\n"
                "                     112345678 98765432  13449174  88% /data\n"),
    "crlf": ("Filesystem 1K-blocks Used Available Use% Mounted on\r\n"
             "/dev/block/by-name/userdata 112345678 98765432 13449174 88% /data\r\n"),
    "fuse": ("Filesystem 1K-blocks Used Available Use% Mounted on\n"
             "/dev/fuse 112345678 98765432 13449174 89% /storage/emulated"),
    "a place with a space": "Filesystem 1K-blocks Used Available Use% Mounted on\ntmpfs 9 9 13449174 - /mnt/my card\n",
}  # fmt: skip


@pytest.mark.parametrize("text", DF.values(), ids=DF.keys())
def test_free_space_as_phones_tell_it(text: str) -> None:
    assert parse_free_bytes(text) == 13449174 << 10


def test_free_space_that_is_none_or_not_told() -> None:
    assert parse_free_bytes("Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/x 100 120 -20 120% /data\n") == 0
    with pytest.raises(DeviceError, match=r"df gave no number: Filesystem Size Used Free Blksize /data 25\.1G"):
        parse_free_bytes(
            "Filesystem               Size     Used     Free   Blksize\n/data  25.1G    12.3G    12.8G   4096\n"
        )


BATTERY = (
    "Current Battery Service state:\n  USB powered: true\n  present: true\n"
    "  level: 19\n  scale: 100\n  temperature: 376\n"
)


@pytest.mark.parametrize(
    ("battery", "celsius", "percent", "plugged"),
    [
        (BATTERY, 37.6, 19, True),
        (BATTERY.replace("\n", "\r\n"), 37.6, 19, True),
        (BATTERY.replace(": ", ":"), 37.6, 19, True),
        (BATTERY.replace("level: 19\n  scale: 100", "level: 50\n  scale: 200"), 37.6, 25, True),
        (BATTERY.replace("temperature: 376", "temperature: 37.6"), 37.6, 19, True),
        (BATTERY.replace("temperature: 376", "temperature: -15"), -1.5, 19, True),
        (BATTERY.replace("present: true", "present: false"), None, None, True),
        (BATTERY + "  Charge counter: 807642\n  charge counter: 1\n  level: 7\n  temperature: 999\n", 37.6, 19, True),
        (BATTERY.replace("USB powered: true", "AC powered: false\n  Dock powered: false"), 37.6, 19, False),
        ("", None, None, None),
    ],
)  # fmt: skip
def test_batteries(battery: str, celsius: float | None, percent: int | None, plugged: bool | None) -> None:
    state = parse_state(battery, "", "0")
    assert (state.battery_celsius, state.battery_percent, state.plugged) == (celsius, percent, plugged)


@pytest.mark.parametrize(
    ("thermal", "status", "is_faked"),
    [
        ("IsStatusOverride: false\nThermal Status: 0\nHAL Ready: true\n", 0, False),
        ("IsStatusOverride: false\r\nThermal Status: 3\r\nCached temperatures:\r\nHAL Ready: true\r\n", 3, False),
        ("IsStatusOverride: false\n\nThermal Status: 2\nHAL Ready: false\n", None, False),
        ("IsStatusOverride: true\nThermal Status: 0\nHAL Ready: true\n", 0, True),
        ("\tIsStatusOverride:false\n\tThermal Status:\t4\n", 4, False),
        ("Thermal Status: 9\n", None, False),
        ("Can't find service: thermalservice\n", None, False),
        ("", None, False),
    ],
)
def test_thermal_services(thermal: str, status: int | None, is_faked: bool) -> None:
    state = parse_state(BATTERY, thermal, "0")
    assert (state.thermal_status, "thermal status" in state.overridden) == (status, is_faked)
