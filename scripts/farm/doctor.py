"""What `doctor` tells beside problems: what was looked for, and what was found."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.farm.android.server import AdbServer, adb_program, is_listening, own_server
from scripts.farm.device import Device, DeviceError, DiscoveryOptions
from scripts.records import DeviceKind

NO_PHONE = "none: switch on USB debugging on a phone, plug it in, and accept its question"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for."""

    what: str
    found: str


async def look_around(options: DiscoveryOptions, devices: Sequence[Device]) -> list[Finding]:
    """The programs and servers that reach phones, and the devices that can be used."""
    phones = [each.identity for each in devices if each.identity.facts.os == "android"]
    hosts = [each.identity for each in devices if each.identity.kind is DeviceKind.HOST]
    shown = ", ".join(f"{each.facts.model} ({each.device_id}, {each.kind})" for each in phones)
    return [
        Finding("adb", await _adb_version()),
        *(Finding("adb server", _server(each)) for each in _servers(options)),
        Finding("Android devices", shown or NO_PHONE),
        *(Finding("this machine", f"{each.facts.model}, {len(each.facts.cores)} cores ({each.device_id})")
          for each in hosts),
        Finding("iPhone tool", _ios_tool()),
    ]  # fmt: skip


async def _adb_version() -> str:
    try:
        told = await own_server().run(["version"])
    except DeviceError as error:
        return f"{error}: {error.hint}"
    versions = [line for line in told.out.splitlines() if line.startswith(("Version", "Android Debug Bridge"))]
    return f"{'; '.join(versions) or told.text}, {adb_program()}"


def _servers(options: DiscoveryOptions) -> list[AdbServer]:
    if not options.adb_endpoints:
        return [own_server()]
    pairs = [endpoint.rpartition(":") for endpoint in options.adb_endpoints]
    return [AdbServer(host, int(port)) for host, _, port in pairs]


def _server(server: AdbServer) -> str:
    if is_listening(server.host, server.port):
        ends = "; stopped when the last farm ends" if server.home else ""
        return f"answers at {server.host}:{server.port}{ends}"
    if server.home:
        return (
            f"port {server.port}: not running; the farm starts it for a phone or an emulator, and stops it at its end"
        )
    return f"does not answer at {server.host}:{server.port}"


def _ios_tool() -> str:
    name = "xcrun" if sys.platform == "darwin" else "ios"
    return shutil.which(name) or f"{name} is not on the PATH; only iPhones need it"
