"""Double of go-ios' program `ios`: same arguments, answers, log lines and exit codes, with a folder as the phone.

What it says was compared with version 1.2.0, and a test holds the commands that need no running phone to it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

from scripts.testing.ios.fake_iphone import (
    BATTERY_PERCENT,
    BUILD,
    BUNDLE_ID,
    DEVICE,
    FAKE_KEY,
    VERSION,
    FakeIphone,
    the_phone,
)

NO_AGENT = (
    "go-ios agent is not running. You might need to start it with 'ios tunnel start' for ios17+. Use "
    "ENABLE_GO_IOS_AGENT=user for userspace tunnel or ENABLE_GO_IOS_AGENT=kernel for kernel tunnel for the "
    "experimental daemon mode."
)
# Not a command of `ios`: what goes on in the background once `launch` has ended.
_APP = "run-app"


def main(words: list[str]) -> int:
    """Run one command."""
    if words[:1] == [_APP]:
        return _run_app(json.loads(words[1]))
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    plain = [word for word in words if not word.startswith("--")]
    if plain[:1] not in (
        [name] for name in ("list", "info", "apps", "batteryregistry", "install", "kill", "launch", "fsync")
    ):
        print("Usage:\n  ios --version | version [options]", file=sys.stderr)
        return 1
    _log("WARN", NO_AGENT)
    phone = the_phone()
    if plain == ["list"]:
        # A phone that is also reached over Wi-Fi is listed twice.
        return _say({"deviceList": [phone.udid] * 2 if phone else []})
    if phone is None or options.get("udid") != phone.udid:
        udid = options.get("udid")
        _refuse(f"Device not found: {udid}", f"Device '{udid}' not found. Is it attached to the machine?")
    return _run(plain, words, options, phone)


def _run(plain: list[str], words: list[str], options: dict[str, str], phone: FakeIphone) -> int:
    match plain:
        case ["info"] if phone.fault == "untrusted":
            _refuse(
                "failed getting info", "could not retrieve PairRecord with error: ReadPair failed with errorcode '2'"
            )
        case ["info"]:
            told = {
                "BuildVersion": DEVICE["os_build"],
                "ProductType": DEVICE["model"],
                "ProductVersion": DEVICE["os_version"],
            }
            return _say({**told, FAKE_KEY: True})
        case ["apps"]:
            return _say([_app()] if phone.is_installed else [])
        case ["batteryregistry"]:
            return _say({"Temperature": 3050, "CurrentCapacity": BATTERY_PERCENT, "IsCharging": False, "Voltage": 4100})
        case ["install"]:
            phone.install(options["path"])
        case ["kill", _]:
            _needs_tunnel(phone)
            if phone.pid() is None:
                _refuse(f"process {BUNDLE_ID} not found")
            phone.kill()
        case ["launch", bundle]:
            return _launch(bundle, words, phone)
        case ["fsync", command]:
            _fsync(command, options, phone)
        case _:
            _refuse(f"usage: {' '.join(plain)}")
    return 0


def _log(level: str, message: str, error: str = "") -> None:
    entry = {
        "time": "2026-12-01T13:29:23.863137486Z",
        "level": level,
        "msg": message,
        **({"err": error} if error else {}),
    }
    print(json.dumps(entry, separators=(",", ":")), file=sys.stderr, flush=True)


def _refuse(message: str, error: str = "") -> NoReturn:
    _log("ERROR", message, error)
    sys.exit(1)


def _needs_tunnel(phone: FakeIphone) -> None:
    """Instruments' services, which start and end processes, need the tunnel and the developer image."""
    if phone.fault == "no-tunnel":
        _refuse("processcontrol failed", "failed to get tunnel info: no tunnel for this device")


def _say(answer: object) -> int:
    print(json.dumps(answer))
    return 0


def _app() -> dict[str, Any]:
    return {"CFBundleIdentifier": BUNDLE_ID, "CFBundleShortVersionString": VERSION, "CFBundleVersion": BUILD}


def _launch(bundle: str, words: list[str], phone: FakeIphone) -> int:
    """Start the app and leave it, or wait for a signal with `--wait`: go-ios never waits for the app's end."""
    _needs_tunnel(phone)
    if bundle != BUNDLE_ID or not phone.is_installed:
        _refuse("launch failed", f"{bundle} not installed")
    if phone.fault == "locked":
        _refuse("processcontrol failed", "The request was denied: the device is locked (passcode)")
    if phone.pid() is not None and "--kill-existing" not in words:
        _refuse("launch failed", "the double starts fresh processes only")
    texts = [word.removeprefix("--env=") for word in words if word.startswith("--env=")]
    environment = json.dumps(dict(text.split("=", 1) for text in texts))
    subprocess.Popen(
        [sys.executable, "-m", "scripts.testing.ios.fake_go_ios", _APP, environment], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, env=os.environ,
    )  # fmt: skip
    _log("INFO", "Process launched")
    if "--wait" in words:
        signal.pause()
    return 0


def _run_app(environment: dict[str, str]) -> int:
    phone = the_phone()
    assert phone is not None
    return phone.launch(environment, show_output=False)


def _fsync(command: str, options: dict[str, str], phone: FakeIphone) -> None:
    if options.get("app") != BUNDLE_ID:
        _refuse("fsync: --app is needed")
    if command == "mkdir":
        phone.locate(options["path"]).mkdir(parents=True, exist_ok=True)
    elif command == "rm":
        found = phone.locate(options["path"])
        if not found.exists():
            _refuse("fsync: rm failed", "afc error code: 8")
        phone.remove(options["path"])
    elif command == "push":
        target = phone.locate(options["dstPath"])
        if not target.parent.is_dir() or not Path(options["srcPath"]).is_file():
            _refuse("fsync: push failed", "afc error code: 8")
        shutil.copyfile(options["srcPath"], target)
    elif command == "pull":
        _pull(phone.locate(options["srcPath"]), Path(options["dstPath"]))
    else:
        _refuse(f"fsync {command}: not understood here")


def _pull(source: Path, folder: Path) -> None:
    """The target is a folder, whatever it is called; it is made before anything is looked for."""
    folder.mkdir(parents=True, exist_ok=True)
    if not source.is_file():
        _refuse("fsync: pull failed", "error getting file info: afc error code: 8")
    shutil.copyfile(source, folder / source.name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
