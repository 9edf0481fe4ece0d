"""The double of go-ios' program and the unmodified program itself, side by side: same commands, same behaviour.

The program comes from the npm package `go-ios` of this version; without npm or its registry nothing is compared.
"""

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.farm.device import DeviceError
from scripts.farm.ios.go_ios import GoIos
from scripts.farm.ios.programs import cause_of
from scripts.testing.ios.fake_iphone import BUNDLE_ID, FOLDER_VARIABLE
from scripts.testing.ios.fake_usbmuxd import UDID, FakeUsbmuxd
from tests.limits import HUNG_S
from tests.scripts.farm.android.conftest import wait_for
from tests.scripts.farm.ios.npm_program import npm_go_ios

CAUSE_CHARS = len("Usage: ios --version | version [options]")  # the help goes on
ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        container: the app's container on its phone.
    """

    program: str
    container: Path

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *words], capture_output=True, text=True, timeout=HUNG_S, check=False, env=os.environ
        )


@pytest.fixture(scope="session")
def real_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`ios` of the npm package."""
    return npm_go_ios(tmp_path_factory.mktemp("npm"))


@pytest.fixture
def usbmuxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Start the service; returns the app's container."""
    services: list[FakeUsbmuxd] = []

    def start(*connections: str, paired: bool = True) -> Path:
        place, container = tmp_path / f"mux{len(services)}", tmp_path / "container"
        (container / "Documents").mkdir(parents=True, exist_ok=True)
        services.append(FakeUsbmuxd(place, container, connections or ("USB",), paired=paired))
        threading.Thread(target=services[-1].serve, daemon=True).start()
        monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", str(place))
        return container

    yield start
    for service in services:
        service.close()


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Side:
    folder, program = tmp_path / "phone", tmp_path / "ios"
    (folder / "container" / "Documents").mkdir(parents=True)
    (folder / "phone.json").write_text(json.dumps({"udid": UDID}))
    (folder / "app.json").write_text(json.dumps({"path": "x.ipa", "count": 1}))
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m scripts.testing.ios.fake_go_ios "$@"\n')
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return Side(str(program), folder / "container")


@pytest.fixture
def sides(real_program: str, double: Side, usbmuxd: Callable[..., Path]) -> dict[str, Side]:
    return {"real": Side(real_program, usbmuxd()), "double": double}


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


def test_both_behave_alike(sides: dict[str, Side], tmp_path: Path) -> None:
    """Exit codes, what is written where, whether there is an answer, and how a cause is told."""
    (tmp_path / "sent").write_bytes(b"weights" * 1000)
    fsync = (f"--udid={UDID}", "fsync", f"--app={BUNDLE_ID}")
    commands = (
        ("nonsense",),
        ("--udid=nobody", "info"),
        (*fsync, "mkdir", "--path=Documents/a/b"),
        (*fsync, "mkdir", "--path=Documents/a/b"),
        (*fsync, "push", f"--srcPath={tmp_path / 'sent'}", "--dstPath=Documents/a/b/model"),
        (*fsync, "pull", "--srcPath=Documents/a/b/model", "--dstPath=OUT/record.json"),
        (*fsync, "pull", "--srcPath=Documents/none.json", "--dstPath=OUT/none.json"),
        (*fsync, "rm", "--r", "--path=Documents/a"),
    )
    told: dict[str, list[object]] = {}
    for name, side in sides.items():
        out = tmp_path / f"out-{name}"
        out.mkdir()
        told[name] = []
        for words in commands:
            done = side.ask(*(word.replace("OUT", str(out)) for word in words))
            told[name].append(
                (words[-2:], done.returncode, bool(done.stdout.strip()), cause_of(done.stderr)[:CAUSE_CHARS])
            )
            told[name].append((words[-2:], tree(side.container), tree(out)))
    for real, ours in zip(told["real"], told["double"], strict=True):
        assert ours == real


def test_answers_have_the_same_fields(sides: dict[str, Side]) -> None:
    for command, read in (("info", dict), ("batteryregistry", dict), ("apps", list)):
        answers = [json.loads(side.ask(f"--udid={UDID}", command).stdout) for side in sides.values()]
        real, ours = (answer[0] if read is list else answer for answer in answers)
        assert ours.keys() <= real.keys(), command
    for side in sides.values():
        assert set(json.loads(side.ask("list").stdout)["deviceList"]) == {UDID}


def test_the_farm_s_class_works_on_both(sides: dict[str, Side], tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    (folder / "sub").mkdir(parents=True)
    for name in ("model", "sub/weights"):
        (folder / name).write_text(name)

    async def use(side: Side) -> list[object]:
        program = GoIos(side.program)
        (phone,), problems = await program.phones()
        await program.push_folder(phone.udid, folder, "Documents/artifacts/key")
        back = tmp_path / "back"
        there = await program.pull_file(phone.udid, "Documents/artifacts/key/sub/weights", back)
        text = back.read_text()
        missing = await program.pull_file(phone.udid, "Documents/runs/r1/done.json", tmp_path / "none")
        await program.empty_folder(phone.udid, "Documents/runs/r1")
        await program.empty_folder(phone.udid, "Documents/artifacts/key")
        gone = await program.pull_file(phone.udid, "Documents/artifacts/key/model", tmp_path / "none")
        await program.push_folder(phone.udid, folder, "Documents/artifacts/key")
        state = await program.state(phone.udid)
        version = await program.installed_version(phone.udid)
        return [problems, there, text, missing, gone, state, version, tree(side.container)]

    real, ours = (wait_for(use(side)) for side in sides.values())
    assert ours == real
    assert real[1:5] == [True, "sub/weights", False, False]


def test_one_phone_on_cable_and_wi_fi_is_one_device(real_program: str, usbmuxd: Callable[..., Path]) -> None:
    usbmuxd("USB", "Network")
    (phone,), problems = wait_for(GoIos(real_program).phones())
    assert phone.udid == UDID
    assert problems == []


def test_an_untrusted_phone_is_one_line(real_program: str, usbmuxd: Callable[..., Path]) -> None:
    usbmuxd(paired=False)
    found, (problem,) = wait_for(GoIos(real_program).phones())
    assert found == []
    assert problem.who == UDID
    assert "\n" not in problem.what
    assert "tunnel start" not in problem.what
    assert "Trust" in problem.what_to_do, problem


def test_without_the_service_the_advice_is_to_start_it(
    real_program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", str(tmp_path / "nobody"))
    with pytest.raises(DeviceError) as told:
        wait_for(GoIos(real_program).phones())
    assert "usbmuxd" in told.value.hint


def test_starting_and_ending_need_the_developer_image_and_say_so(
    real_program: str, usbmuxd: Callable[..., Path]
) -> None:
    usbmuxd()
    with pytest.raises(DeviceError) as told:
        wait_for(GoIos(real_program).terminate(UDID))
    assert "ios image auto" in told.value.hint
