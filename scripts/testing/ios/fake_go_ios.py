"""Double of go-ios' program `ios`: same arguments, JSON answers and exit codes, with a folder as the phone."""

import json
import sys
from pathlib import Path
from typing import Any

from scripts.testing.ios.fake_iphone import BUILD, BUNDLE_ID, VERSION, FakeIphone, refuse, the_phone


def main(words: list[str]) -> int:
    """Run one command."""
    options = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    plain = [word for word in words if not word.startswith("--")]
    phone = the_phone()
    if plain == ["list"]:
        return _say({"deviceList": [phone.udid] if phone else []})
    if phone is None or options.get("udid") != phone.udid:
        refuse(f"device not found: {options.get('udid')}")
    match plain:
        case ["info"]:
            return _say({"ProductType": "iPhone17,1", "ProductVersion": "18.5", "BuildVersion": "22F76"})
        case ["apps"]:
            return _say([_app()] if phone.is_installed else [])
        case ["batteryregistry"]:
            return _say({"Temperature": 3050, "CurrentCapacity": 81, "IsCharging": False, "Voltage": 4100})
        case ["install"]:
            phone.install(options["path"])
        case ["kill", _]:
            if phone.pid() is None:
                refuse("process not found")
            phone.kill()
        case ["launch", bundle]:
            return _launch(bundle, words, phone)
        case ["fsync", command]:
            _fsync(command, options, phone)
        case _:
            refuse(f"usage: {' '.join(plain)}")
    return 0


def _say(answer: object) -> int:
    print(json.dumps(answer))
    return 0


def _app() -> dict[str, Any]:
    return {"CFBundleIdentifier": BUNDLE_ID, "CFBundleShortVersionString": VERSION, "CFBundleVersion": BUILD}


def _launch(bundle: str, words: list[str], phone: FakeIphone) -> int:
    if bundle != BUNDLE_ID or not phone.is_installed:
        refuse(f"{bundle} is not installed")
    if "--wait" not in words or "--kill-existing" not in words:
        refuse("this double waits for the app's end in a fresh process only")
    texts = [word.removeprefix("--env=") for word in words if word.startswith("--env=")]
    phone.launch(dict(text.split("=", 1) for text in texts), show_output=False)
    return 0


def _fsync(command: str, options: dict[str, str], phone: FakeIphone) -> None:
    if options.get("app") != BUNDLE_ID:
        refuse("fsync: --app is needed")
    if command == "mkdir":
        phone.locate(options["path"]).mkdir(exist_ok=True)
    elif command == "rm":
        phone.remove(options["path"])
    elif command == "push":
        target = phone.locate(options["dstPath"])
        if not target.parent.is_dir() or not Path(options["srcPath"]).is_file():
            refuse(f"{options['dstPath']}: ObjectNotFound")
        phone.copy(Path(options["srcPath"]), target)
    elif command == "pull":
        phone.copy(phone.locate(options["srcPath"]), Path(options["dstPath"]))
    else:
        refuse(f"fsync {command}: not understood here")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
