"""The fake phone, spoken to by the real adb program and by a second, independent client."""

import base64
import io
import json
import os
import socket
import sys
import time
from pathlib import Path

import pytest
from adb_shell.adb_device import AdbDeviceTcp

from models.errors import UserError
from scripts.testing.android.fake_phone import FakePhone
from scripts.testing.android.faults import Fault, parse_faults
from scripts.testing.android.personality import Heat, ThermalCurve, read_personality, thermal_status
from scripts.testing.android.phone_instrument import COMPONENT, Harness
from tests.limits import HUNG_S
from tests.scripts.testing.conftest import Adb, MakePhone

MODELS = "/data/local/tmp/deepnarrow"
# Plays the harness: two stages, then an end that the test chooses.
SCRIPT = """
import json, os, sys, time
out = sys.argv[sys.argv.index('--out') + 1]
request = json.load(open(sys.argv[sys.argv.index('--request') + 1]))
for stage in ('load', 'decode'):
    print(json.dumps({'stage': stage, 'done': 0, 'total': 1}), flush=True)
    time.sleep(0.3)
folder = os.path.join(out, request['run_id'])
os.makedirs(folder)
record = os.path.join(folder, 'record.json')
open(record, 'w').write('{}')
print(json.dumps({'run_id': request['run_id'], 'outcome': 'completed', 'record': record, 'message': None}))
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Harness:
    path = tmp_path / "harness.py"
    path.write_text(SCRIPT)
    return Harness((sys.executable, str(path)))


def instrument(adb: Adb, phone: FakePhone, run_id: str = "r1") -> str:
    manifest = phone.state.locate(f"{MODELS}/a/manifest.json")
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.touch()
    request = base64.b64encode(json.dumps({"run_id": run_id}).encode()).decode()
    words = ("am", "instrument", "-w", "-r", "-e", "artifact", f"{MODELS}/a", "-e", "request", request, COMPONENT)
    return adb("-s", phone.address, "shell", *words).stdout


def test_adb_sees_a_device_and_exit_codes(adb: Adb, make_phone: MakePhone) -> None:
    phone = make_phone()
    assert f"{phone.address}\tdevice" in adb("devices").stdout
    done = adb("-s", phone.address, "shell", "ls /nowhere; echo $? && false || echo no; nosuch 2>/dev/null")
    assert done.returncode == 127
    assert done.stdout == "1\nno\n"
    assert done.stderr == "ls: /nowhere: No such file or directory\n"


def test_files_go_and_come_back_unchanged(adb: Adb, make_phone: MakePhone, tmp_path: Path) -> None:
    phone = make_phone()
    content = os.urandom(3_000_001)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "big").write_bytes(content)
    (tmp_path / "tree" / "empty").write_bytes(b"")
    assert adb("-s", phone.address, "push", str(tmp_path / "tree"), f"{MODELS}/t").returncode == 0
    assert phone.state.locate(f"{MODELS}/t/big").read_bytes() == content
    assert adb("-s", phone.address, "pull", f"{MODELS}/t", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back" / "big").read_bytes() == content
    assert (tmp_path / "back" / "empty").read_bytes() == b""
    missing = adb("-s", phone.address, "pull", f"{MODELS}/none", str(tmp_path / "x"))
    assert missing.returncode == 1


def test_an_independent_client_understands_it_too(make_phone: MakePhone, tmp_path: Path) -> None:
    phone = make_phone()
    host, port = phone.address.split(":")
    device = AdbDeviceTcp(host, int(port), default_transport_timeout_s=5)
    assert device.connect(auth_timeout_s=1)
    assert device.shell("getprop ro.serialno").strip() == "FAKE0"
    (tmp_path / "f").write_bytes(b"x" * 200_000)
    device.push(str(tmp_path / "f"), "/data/local/tmp/f")
    back = io.BytesIO()
    device.pull("/data/local/tmp/f", back)
    assert back.getvalue() == b"x" * 200_000
    assert [entry.filename for entry in device.list("/data/local/tmp")] == [b"f"]
    device.close()


def test_both_ways_of_installing(adb: Adb, make_phone: MakePhone, tmp_path: Path) -> None:
    phone = make_phone()
    (tmp_path / "h.apk").write_bytes(b"apk" * 1000)
    for way in ([], ["--no-streaming"]):
        assert "Success" in adb("-s", phone.address, "install", *way, "-r", str(tmp_path / "h.apk")).stdout
        assert phone.state.locate("/data/app/dev.deepnarrow.harness/base.apk").read_bytes() == b"apk" * 1000
    full = make_phone("install-full")
    refused = adb("-s", full.address, "install", "-r", str(tmp_path / "h.apk"))
    assert refused.returncode == 1
    assert "INSTALL_FAILED_INSUFFICIENT_STORAGE" in refused.stdout + refused.stderr


def test_paths_never_lead_out_of_the_phone(make_phone: MakePhone) -> None:
    phone = make_phone()
    for path in ("/../../etc/passwd", "../x", "/data/../../..", "/storage/emulated/0/../../../../etc"):
        assert phone.state.locate(path).resolve().is_relative_to(phone.state.root.resolve())


def test_an_instrumentation_speaks_as_android_does(adb: Adb, make_phone: MakePhone, scripted: Harness) -> None:
    phone = make_phone(harness=scripted)
    assert "Unable to find instrumentation info" in instrument(adb, phone)
    phone.state.packages["dev.deepnarrow.harness"] = "/data/app/x"
    assert instrument(adb, phone).splitlines() == [
        "INSTRUMENTATION_STATUS: done=0", "INSTRUMENTATION_STATUS: stage=load", "INSTRUMENTATION_STATUS: total=1",
        "INSTRUMENTATION_STATUS_CODE: 1", "INSTRUMENTATION_STATUS: done=0", "INSTRUMENTATION_STATUS: stage=decode",
        "INSTRUMENTATION_STATUS: total=1", "INSTRUMENTATION_STATUS_CODE: 1", "INSTRUMENTATION_RESULT: run_id=r1",
        "INSTRUMENTATION_RESULT: outcome=completed",
        "INSTRUMENTATION_RESULT: record=/sdcard/Android/media/dev.deepnarrow.harness/runs/r1/record.json",
        "INSTRUMENTATION_CODE: -1",
    ]  # fmt: skip


def test_a_killed_run(adb: Adb, make_phone: MakePhone, scripted: Harness) -> None:
    phone = make_phone("kill-run=decodex1", harness=scripted)
    phone.state.packages["dev.deepnarrow.harness"] = "/data/app/x"
    assert "shortMsg=Process crashed." in instrument(adb, phone)
    assert "reason=3 (LOW_MEMORY)" in adb("-s", phone.address, "shell", "dumpsys activity exit-info").stdout
    logcat = ("-s", phone.address, "logcat", "-b", "crash", "-d")
    assert "Kill 'dev.deepnarrow.harness'" in adb(*logcat).stdout
    assert "Kill" in adb(*logcat, "-T", f"{time.time() - 60:.3f}").stdout
    assert "Kill" not in adb(*logcat, "-T", f"{time.time() + 60:.3f}").stdout
    assert "outcome=completed" in instrument(adb, phone, "r2")


def test_a_push_that_breaks_off(adb: Adb, make_phone: MakePhone, tmp_path: Path) -> None:
    phone = make_phone("drop-push=500000x1")
    (tmp_path / "big").write_bytes(bytes(2_000_000))
    broken = adb("-s", phone.address, "push", str(tmp_path / "big"), f"{MODELS}/big")
    assert broken.returncode == 1
    deadline = time.monotonic() + HUNG_S
    while adb("-s", phone.address, "get-state").stdout.strip() != "device":
        assert time.monotonic() < deadline, "the phone does not come back"
        adb("connect", phone.address)
        time.sleep(0.1)
    assert adb("-s", phone.address, "push", str(tmp_path / "big"), f"{MODELS}/big").returncode == 0
    assert phone.state.locate(f"{MODELS}/big").stat().st_size == 2_000_000


def test_refusals(adb: Adb, make_phone: MakePhone, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    denied = make_phone("push-denied")
    assert "Permission denied" in adb("-s", denied.address, "push", str(tmp_path / "f"), f"{MODELS}/f").stderr
    assert "Read-only" in adb("-s", denied.address, "push", str(tmp_path / "f"), "/system/f").stderr
    stranger = make_phone("unauthorized")
    state = adb("devices").stdout.split(stranger.address)[1].split()[0]
    assert state in ("unauthorized", "authorizing", "connecting")


def test_a_phone_that_is_switched_off_takes_no_connection(make_phone: MakePhone) -> None:
    phone = make_phone()
    host, port = phone.address.split(":")
    phone.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=HUNG_S).close()


def test_android_is_up_later_than_adb(make_phone: MakePhone) -> None:
    phone = make_phone()
    assert phone.state.properties()["sys.boot_completed"] == "1"
    phone.restart()
    assert phone.state.properties()["sys.boot_completed"] == "0"


def test_heat() -> None:
    heat = Heat(ThermalCurve(start_celsius=30, idle_celsius=28, busy_celsius=48, time_constant_s=10), 0.0)
    assert heat.celsius(100.0) == pytest.approx(28, abs=0.01)
    heat.set_busy(busy=True, now_s=100.0)
    assert heat.celsius(107.0) == pytest.approx(48 - 20 * 0.4966, abs=0.01)
    assert [thermal_status(celsius) for celsius in (37, 41, 44, 47)] == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["explode", "hot=x", "kill-run=decodex", "HOT"])
def test_unknown_faults_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="NAME is one of"):
        parse_faults([text])


def test_faults_run_out() -> None:
    faults = parse_faults(["wrong-hashx2", "hot"])
    assert [faults.strike(Fault.WRONG_HASH) for _ in range(3)] == [True, True, False]
    assert faults.value(Fault.HOT) == "47"


def test_a_bad_personality_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text("modell = 'x'\n")
    with pytest.raises(UserError, match="modell: Extra inputs"):
        read_personality(tmp_path / "p.toml")
