"""One campaign on a fake Android phone and a fake iPhone, to one page with both.

The phones are processes: the real adb reaches the desktop build of the Android harness, and go-ios' commands reach the
desktop build of the iOS harness. `ios_app/ci/test.sh` builds the latter and runs this.
"""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.records import Completed, DeviceKind, RunRecord, read_finished_record
from scripts.testing.android.phone_instrument import Harness
from scripts.testing.ios.fake_iphone import FOLDER_VARIABLE, HARNESS_VARIABLE
from scripts.testing.ios.fake_usbmuxd import UDID, FakeUsbmuxd
from scripts.testing.swift_command import Configuration, swift_program
from tests.limits import HUNG_S
from tests.scripts.farm.android.conftest import MakePhone
from tests.scripts.farm.ios.npm_program import npm_go_ios

ROOT = Path(__file__).parents[4]
WriteCampaign = Callable[[int], Path]
CAMPAIGN = """\
name = "two-phones"
artifacts_folder = "{artifacts}"
pairs = ["tiny"]
targets = ["onnx"]
schemes = ["int4"]
devices = [["kind:fake"]]
repetitions = {repetitions}
run_timeout_s = 120

[discovery]
adb_connect = ["{address}"]
android_apk = "{apk}"
ios_app = "{ipa}"

[start_limits]
wait_s = 0

[protocol]
num_threads = 1
prompt_lengths = [8]
prefill_repetitions = 1
contexts = [0]
decode_steps = 8
warm_up_steps = 1

[protocol.probe]
buffer_bytes = 1048576
passes = 3
"""
# Files, facts and battery through go-ios itself; Apple's services that install, start and end apps are not imitated.
MIXED_PROGRAM = """\
#!/bin/sh
case " $* " in
  *" install "*|*" launch "*|*" kill "*) exec {double} "$@" ;;
  *) exec {real} "$@" ;;
esac
"""


@pytest.fixture
def fake_iphone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake iPhone whose app is the Swift command. Returns its container.

    Its `ios`, and on macOS its `xcrun`, is the first on the path.
    """
    words = swift_program(Configuration.DEBUG)
    if not words:
        pytest.skip("the Swift command is not built here: bash ios_app/ci/test.sh needs Swift 6 or a Debian 13 root")
    folder = tmp_path / "iphone"
    (folder / "container" / "Documents").mkdir(parents=True)
    (folder / "phone.json").write_text(json.dumps({"udid": UDID}))
    for name, module in (("ios", "fake_go_ios"), ("xcrun", "fake_xcrun")):
        put_program(tmp_path, name, f'#!/bin/sh\nexec {double(module)} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    monkeypatch.setenv(HARNESS_VARIABLE, " ".join([*words, "run"]))
    return folder / "container"


def double(module: str) -> str:
    return f"env PYTHONPATH={ROOT} {sys.executable} -m scripts.testing.ios.{module}"


def put_program(folder: Path, name: str, text: str) -> None:
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(text)
    program.chmod(stat.S_IRWXU)


@pytest.fixture
def go_ios(
    tmp_path_factory: pytest.TempPathFactory, fake_iphone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The unmodified `ios` before a usbmuxd with the fake iPhone behind it, for all that this usbmuxd can do."""
    real = npm_go_ios(tmp_path_factory.mktemp("npm"))
    put_program(tmp_path, "ios", MIXED_PROGRAM.format(double=double("fake_go_ios"), real=real))
    service = FakeUsbmuxd(tmp_path / "usbmuxd", fake_iphone)
    threading.Thread(target=service.serve, daemon=True).start()
    monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", str(tmp_path / "usbmuxd"))
    yield
    service.close()


@pytest.fixture
def campaign(make_phone: MakePhone, harness: Harness, tiny_artifacts: Path, apk: Path, tmp_path: Path) -> WriteCampaign:
    """Writes the campaign's file; its Android phone is on."""
    ipa, file = tmp_path / "harness.ipa", tmp_path / "campaign.toml"
    ipa.write_bytes(b"app")
    address = make_phone(harness=harness).address
    paths = {"artifacts": tiny_artifacts.resolve(), "apk": apk, "ipa": ipa}

    def write(repetitions: int) -> Path:
        file.write_text(CAMPAIGN.format(address=address, repetitions=repetitions, **paths))
        return file

    return write


def call(*words: str | Path) -> str:
    """Standard output of a command of the project that has to succeed."""
    command = [sys.executable, "-m", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_campaign(campaign: Path, results: Path, repetitions: int) -> dict[str, list[RunRecord]]:
    """Its records by operating system: on each a canary, then both arms."""
    call("scripts.farm", "run", campaign, "--results", results, "--no-tty")
    records = [read_finished_record(done.parent) for done in (results / "two-phones").glob("*/done.json")]
    by_os = {name: [each for each in records if each.device.os == name] for name in ("android", "ios")}
    for mine in by_os.values():
        assert [each.outcome for each in mine] == [Completed()] * (1 + 2 * repetitions)
    return by_os


def check_records(records: dict[str, list[RunRecord]]) -> None:
    """Every run of each phone came from its own harness, says that it is no phone, and answered as the exporter did."""
    for os_name, harness_name in (("android", "deepnarrow-jvm"), ("ios", "deepnarrow-swift")):
        mine = records[os_name]
        assert {each.harness.name for each in mine} == {harness_name}
        assert {each.device.kind for each in mine} == {DeviceKind.FAKE}
        assert all(each.decode and each.self_check for each in mine)


def check_page(results: Path, folder: Path, repetitions: int) -> None:
    """Both phones stand on the page as fakes, and each has its own verdict on its own runs."""
    page = folder / "page.html"
    told = json.loads(call("scripts.report", results, "--out", page, "--json").splitlines()[-1])
    assert {each["device"] for each in told["decisions"]} == {"FAKE0 (Fake Phone 1)", f"{UDID} (iPhone17,1)"}
    assert len(told["decisions"]) == 2
    for decision in told["decisions"]:
        assert decision["phone"] is False
        assert [(each["runs_deep"], each["runs_wide"]) for each in decision["verdicts"]] == [(repetitions, repetitions)]
    html = page.read_text(encoding="utf-8")
    for device in ("FAKE0", UDID):
        assert device in html
    assert html.count("fake, not a phone") >= 2
    rows = json.loads(call("scripts.farm", "results", "two-phones", "--results", results, "--json"))["verdicts"]
    assert [row["runs"] for row in rows] == [f"{repetitions}+{repetitions}"] * 2
    assert [row["setup"].split()[0] for row in rows] == ["FAKE0", UDID]


@pytest.mark.slow
@pytest.mark.usefixtures("fake_iphone")
def test_an_android_phone_and_an_iphone_come_to_one_page(campaign: WriteCampaign, tmp_path: Path) -> None:
    check_records(run_campaign(campaign(2), tmp_path / "results", 2))
    check_page(tmp_path / "results", tmp_path, 2)


@pytest.mark.slow
@pytest.mark.usefixtures("go_ios")
def test_go_ios_itself_carries_the_files(campaign: WriteCampaign, tmp_path: Path) -> None:
    check_records(run_campaign(campaign(1), tmp_path / "results", 1))
    check_page(tmp_path / "results", tmp_path, 1)
