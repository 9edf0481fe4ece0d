"""An iPhone for the doubles of `xcrun devicectl` and `ios`: a container folder, and a process that is the app.

The folder `$DEEPNARROW_FAKE_IPHONE` holds `phone.json` (udid, state, fault), `app.json` once the app is installed, and
`container/`. The app is a harness command with `--artifact`, `--request` and `--out` of its container behind it:
`python -m scripts.host`, or the words in `$DEEPNARROW_FAKE_IPHONE_HARNESS`, which also get `--device-json` of a fake
iPhone, as docs/harness-contract.md has it. Nothing of Apple's protocol is imitated here:
only the programs' arguments, files, answers and exit codes; `scripts.testing.ios.fake_usbmuxd` has a protocol.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

FOLDER_VARIABLE = "DEEPNARROW_FAKE_IPHONE"
HARNESS_VARIABLE = "DEEPNARROW_FAKE_IPHONE_HARNESS"
BUNDLE_ID = "dev.deepnarrow.harness"
VERSION, BUILD = "0.1.0", "7"
# The farm tells a double from a phone by this key among its facts.
FAKE_KEY = "DeepNarrowFake"
# `DeviceFacts` of a record. Plain values: each command of the farm starts a process, which should start fast.
DEVICE: dict[str, Any] = {
    "kind": "fake", "os": "ios", "os_version": "18.5", "os_build": "22F76", "manufacturer": "Apple",
    "model": "iPhone17,1", "soc": None, "abi": "arm64", "ram_bytes": None,
    "cores": [{"id": number, "max_khz": None} for number in range(6)],
}  # fmt: skip
BATTERY_PERCENT = 81
_ENVIRONMENT = {
    "thermal_status": 0, "battery_percent": BATTERY_PERCENT, "plugged": False, "power_save": False, "foreground": True,
}  # fmt: skip


class FakeIphone:
    """The phone in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents = folder / "container" / "Documents"
        facts = json.loads((folder / "phone.json").read_text())
        self.udid, self.fault = str(facts["udid"]), str(facts.get("fault", ""))

    @property
    def is_installed(self) -> bool:
        """Whether it has the app."""
        return (self._folder / "app.json").exists()

    def install(self, app: str) -> None:
        """Keep the app's path; its data stays."""
        if not Path(app).exists():
            refuse(f"{app}: no such file")
        self._documents.mkdir(parents=True, exist_ok=True)
        count = json.loads((self._folder / "app.json").read_text())["count"] if self.is_installed else 0
        (self._folder / "app.json").write_text(json.dumps({"path": app, "count": count + 1}))

    def locate(self, path: str) -> Path:
        """A path in the container, and never outside."""
        found = (self._folder / "container" / path.lstrip("/")).resolve()
        if not self.is_installed or not found.is_relative_to((self._folder / "container").resolve()):
            refuse(f"{path}: not in the container of {BUNDLE_ID}")
        return found

    def copy(self, source: Path, target: Path) -> None:
        """A file or a folder; folders are made."""
        if not source.exists():
            refuse(f"{source.name}: no such file or directory")
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)

    def remove(self, folder: str) -> None:
        """With all that is in it."""
        found = self.locate(folder)
        if not found.is_dir():
            refuse(f"{folder}: ObjectNotFound")
        if self.fault != "keep":
            shutil.rmtree(found)

    def launch(self, environment: Mapping[str, str], show_output: bool) -> int:
        """Run the app to its end; returns its exit code."""
        if self.fault == "locked":
            refuse("The request to open the app was denied because the device is locked (passcode)")
        self.kill()
        request = self._documents / environment["DEEPNARROW_REQUEST"]
        unfinished = self._documents / "runs" / json.loads(request.read_text())["run_id"]
        if unfinished.exists() and not (unfinished / "done.json").exists():
            shutil.rmtree(unfinished)
        artifact = self._documents / environment["DEEPNARROW_ARTIFACT"]
        command = [*harness_command(), "--artifact", str(artifact), "--request", str(request)]
        command += ["--out", str(self._documents / "runs"), *self._played()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            (self._folder / "pid").write_text(str(process.pid))
            assert process.stdout
            for line in process.stdout:
                if show_output:
                    print(line, end="", flush=True)
                self._strike(line, process)
            return process.wait()

    def _played(self) -> list[str]:
        """What tells the harness command that it plays an iPhone; `scripts.host` is always this machine."""
        if not os.environ.get(HARNESS_VARIABLE):
            return []
        path = self._folder / "device.json"
        path.write_text(json.dumps({"device": DEVICE, "environment": _ENVIRONMENT}))
        return ["--device-json", str(path)]

    def _strike(self, line: str, process: subprocess.Popen[str]) -> None:
        if '"decode"' not in line:
            return
        if self.fault == "crash":
            process.kill()
        elif self.fault == "hang":
            process.send_signal(signal.SIGSTOP)
            time.sleep(3600)
        elif self.fault == "damage":
            process.wait()
            for record in self._documents.glob("runs/*/record.json"):
                record.write_text(record.read_text() + "\n")

    def pid(self) -> int | None:
        """Of the app, while it runs."""
        file = self._folder / "pid"
        pid = int(file.read_text()) if file.exists() else None
        return pid if pid and Path(f"/proc/{pid}/exe").exists() else None

    def kill(self) -> None:
        """End the app."""
        if pid := self.pid():
            os.killpg(pid, signal.SIGKILL)


def harness_command() -> list[str]:
    """What plays the app."""
    return shlex.split(os.environ.get(HARNESS_VARIABLE, "")) or [sys.executable, "-m", "scripts.host"]


def the_phone() -> FakeIphone | None:
    """The phone of this process's environment; None where none is connected."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    return FakeIphone(folder) if (folder / "phone.json").exists() else None


def refuse(message: str) -> NoReturn:
    """Fail as such programs do."""
    print(f"ERROR: {message}", file=sys.stderr)
    sys.exit(1)
