"""A campaign from its file to its summary: devices found, plan made, run, store kept up to date."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.console import say
from models.errors import UserError
from scripts.farm.campaign import Campaign
from scripts.farm.device import Device, Discovery
from scripts.farm.discovery import find_devices, select
from scripts.farm.plan import Slot, plan_device, planned_artifacts
from scripts.farm.progress import Display
from scripts.farm.scheduler import Summary, run_campaign
from scripts.farm.store.state import DevicesState
from scripts.farm.store.store import Store
from scripts.records import new_session


@dataclass(frozen=True, slots=True)
class Planned:
    """The queue of a device."""

    device: Device
    slots: list[Slot]


async def plan_campaign(campaign: Campaign, discoveries: Sequence[Discovery]) -> list[Planned]:
    """Find the campaign's devices and make their queues.

    Raises:
        UserError: no artifact or no device fits; problems of devices go to standard error.
    """
    artifacts = planned_artifacts(campaign)
    devices, problems = await find_devices(discoveries)
    for problem in problems:
        say(f"{problem.who}: {problem.what}")
    planned = [
        Planned(device, plan_device(campaign, artifacts, device.identity)) for device in select(devices, campaign)
    ]
    for each in planned:
        if not each.slots:
            say(f"{each.device.identity.device_id}: none of the artifacts runs on it; it is left out")
    if not any(each.slots for each in planned):
        raise UserError("no artifact of the campaign runs on any of its devices")
    return [each for each in planned if each.slots]


async def run_planned(campaign: Campaign, planned: Sequence[Planned], root: Path, display: Display) -> Summary:
    """Run what the store does not hold yet. SIGINT and SIGTERM cancel: devices are restored, finished runs kept.

    Raises:
        UserError: `root` is a file.
    """
    if root.exists() and not root.is_dir():
        raise UserError(f"--results {root}: must be a folder, or not there yet")
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    state = DevicesState(root)
    try:
        with Store(root) as store, display:
            for line in store.catch_up(campaign.name):
                say(line)
            queues = [(each.device, each.slots) for each in planned]
            return await run_campaign(campaign, queues, store, state, display.show, new_session())
    finally:
        state.close()
