"""All devices of all kinds."""

from collections.abc import Sequence
from pathlib import Path

from models.errors import UserError
from scripts.farm.android.device import AdbDiscovery
from scripts.farm.campaign import Campaign
from scripts.farm.device import Device, DeviceError, Discovery, DiscoveryOptions, Problem
from scripts.farm.host_device import HostDiscovery
from scripts.farm.ios.device import IosDiscovery

MAX_PORT = 65_535


def options_of(servers: list[str] | None, connect: list[str] | None, apk: Path | None) -> DiscoveryOptions:
    """Where the command line says to look.

    Raises:
        UserError: an address without a port, or no such package.
    """
    for value in [*(servers or []), *(connect or [])]:
        port = value.rpartition(":")[2]
        if not port.isdigit() or not 0 < int(port) <= MAX_PORT:
            raise UserError(f"{value}: an adb address is HOST:PORT, such as lab-3:5037")
    if apk and not apk.is_file():
        raise UserError(f"--apk {apk}: no such file")
    return DiscoveryOptions(adb_endpoints=tuple(servers or ()), adb_connect=tuple(connect or ()), android_apk=apk)


def all_discoveries(options: DiscoveryOptions) -> list[Discovery]:
    """One for each kind of device."""
    return [AdbDiscovery(options), IosDiscovery(options), HostDiscovery(options)]


async def find_devices(discoveries: Sequence[Discovery]) -> tuple[list[Device], list[Problem]]:
    """Every device that can be used, sorted by id, and why others cannot."""
    found: list[Device] = []
    problems: list[Problem] = []
    for discovery in discoveries:
        try:
            devices = await discovery.devices()
            told = await discovery.problems()
        except DeviceError as error:
            problems.append(Problem(who="discovery", what=str(error), what_to_do=error.hint))
            continue
        found += devices
        problems += told
    return sorted(found, key=lambda device: device.identity.device_id), problems


def select(devices: Sequence[Device], campaign: Campaign) -> list[Device]:
    """The devices that the campaign asks for.

    Raises:
        UserError: none; the message says what there is.
    """
    chosen = [device for device in devices if campaign.selects(device.identity.tags)]
    if not chosen:
        wanted = " or ".join(" + ".join(selector) for selector in campaign.devices)
        there = "; ".join(f"{each.identity.device_id} ({', '.join(sorted(each.identity.tags))})" for each in devices)
        raise UserError(f"no device with the tags {wanted}; found: {there or 'none'}; see `doctor`")
    return chosen
