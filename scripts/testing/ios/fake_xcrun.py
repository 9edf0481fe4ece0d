"""Double of Apple's `xcrun devicectl`: same arguments, JSON files and exit codes, with a folder as the phone."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from scripts.testing.ios.fake_iphone import BUILD, BUNDLE_ID, DEVICE, FAKE_KEY, VERSION, FakeIphone, refuse, the_phone

_COMMANDS = (
    "list devices", "device install app", "device info apps", "device info processes", "device copy to",
    "device copy from", "device process launch", "device process terminate",
)  # fmt: skip


def main(words: list[str]) -> int:
    """Run one command."""
    if words[:1] != ["devicectl"]:
        refuse(f"xcrun: only devicectl is here, not {' '.join(words[:1])}")
    text = " ".join(words[1:])
    command = next((each for each in _COMMANDS if text.startswith(each)), None)
    if command is None:
        refuse(f"devicectl: unknown command: {text}")
    options = _parser().parse_args(words[1 + len(command.split()) :])
    phone = the_phone()
    answer, code = _run(command, options, phone)
    if options.json_output:
        Path(options.json_output).write_text(json.dumps({"info": {"outcome": "success"}, "result": answer}))
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="devicectl", allow_abbrev=False)
    for name in ("device", "json-output", "domain-type", "domain-identifier", "source", "destination", "bundle-id",
                 "remove-existing-content", "environment-variables", "pid"):  # fmt: skip
        parser.add_argument(f"--{name}")
    for name in ("console", "terminate-existing", "kill"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("operand", nargs="?")
    return parser


def _run(command: str, options: argparse.Namespace, phone: FakeIphone | None) -> tuple[dict[str, Any], int]:
    if command == "list devices":
        return {"devices": _devices(phone)}, 0
    if phone is None or options.device != phone.udid:
        refuse(f"The specified device was not found: {options.device}")
    if command == "device install app":
        phone.install(options.operand)
    elif command == "device info apps":
        apps = (
            [{"bundleIdentifier": BUNDLE_ID, "version": VERSION, "bundleVersion": BUILD}] if phone.is_installed else []
        )
        return {"apps": apps}, 0
    elif command == "device info processes":
        pid = phone.pid()
        path = "file:///private/var/containers/Bundle/Application/X/DeepNarrowHarness.app/DeepNarrowHarness"
        return {"runningProcesses": [{"processIdentifier": pid, "executable": path}] if pid else []}, 0
    elif command.startswith("device copy"):
        _copy(command, options, phone)
    elif command == "device process terminate":
        phone.kill()
    elif command == "device process launch":
        return {}, _launch(options, phone)
    return {}, 0


def _launch(options: argparse.Namespace, phone: FakeIphone) -> int:
    if options.operand != BUNDLE_ID or not phone.is_installed:
        refuse(f"The requested application {options.operand} is not installed.")
    return phone.launch(json.loads(options.environment_variables), show_output=options.console)


def _copy(command: str, options: argparse.Namespace, phone: FakeIphone) -> None:
    if (options.domain_type, options.domain_identifier) != ("appDataContainer", BUNDLE_ID):
        refuse("devicectl: --domain-type appDataContainer and --domain-identifier are needed")
    if command == "device copy to":
        if options.remove_existing_content == "true" and phone.locate(options.destination).exists():
            phone.remove(options.destination)
        phone.copy(Path(options.source), phone.locate(options.destination))
    else:
        phone.copy(phone.locate(options.source), Path(options.destination))


def _devices(phone: FakeIphone | None) -> list[dict[str, Any]]:
    simulator = {"identifier": "SIM", "hardwareProperties": {"platform": "iOS", "reality": "virtual", "udid": "SIM"}}
    if phone is None:
        return [simulator]
    return [
        simulator,
        {"identifier": "5B0C", "connectionProperties": {"pairingState": "paired", "transportType": "wired"},
         "deviceProperties": {"name": "Desk", "osVersionNumber": DEVICE["os_version"],
                              "osBuildUpdate": DEVICE["os_build"]},
         "hardwareProperties": {"platform": "iOS", "reality": "physical", "udid": phone.udid,
                                "productType": DEVICE["model"], "marketingName": "iPhone 16 Pro", FAKE_KEY: True}},
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
