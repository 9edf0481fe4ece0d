"""A device runs what it has pushed itself, and says so where it has not; nothing is reached here."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.farm.android.device import AdbDevice
from scripts.farm.android.link import AdbLink
from scripts.farm.android.server import AdbServer
from scripts.farm.device import Device, DeviceError, DiscoveryOptions
from scripts.farm.ios.device import IosDevice
from scripts.farm.ios.go_ios import GoIos
from scripts.farm.ios.programs import Iphone
from scripts.records import Protocol, RunRequest
from tests.scripts.farm.doubles import SMALL, identity


def android() -> Device:
    return AdbDevice(AdbLink(AdbServer("127.0.0.1", 9), "R5CT30"), identity(), 35, DiscoveryOptions())


def iphone() -> Device:
    phone = Iphone(udid="00008140", model="iPhone17,1", os_version="18.5", os_build="22F76")
    return IosDevice(GoIos("/nowhere/ios"), phone, DiscoveryOptions())


@pytest.mark.parametrize("device", [android, iphone])
def test_what_another_process_staged_is_the_device_s_failure(device: Callable[[], Device], tmp_path: Path) -> None:
    request = RunRequest(run_id="r1", protocol=Protocol.model_validate(SMALL))
    with pytest.raises(DeviceError, match="not pushed by this process"):
        asyncio.run(device().run(request, str(tmp_path), lambda progress: None, 10.0))
