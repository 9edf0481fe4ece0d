"""A campaign on all its devices at once: one task and one lease for each device, one run at a time on it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from scripts.farm.campaign import Campaign
from scripts.farm.device import Device
from scripts.farm.device_queue import DeviceQueue, Pace, QueueResources
from scripts.farm.events import Listener
from scripts.farm.plan import Slot
from scripts.farm.store.state import DevicesState
from scripts.farm.store.store import Store


@dataclass(slots=True)
class Summary:
    """How a campaign ended, so far.

    Attributes:
        stopped: devices that left slots unfilled, and why.
    """

    planned: int
    completed: int = 0
    skipped: int = 0
    failed: int = 0
    stopped: dict[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Every slot of the plan has a completed run."""
        return self.completed == self.planned


async def run_campaign(
    campaign: Campaign, queues: Sequence[tuple[Device, list[Slot]]], store: Store, state: DevicesState,
    listener: Listener, session: str, pace: Pace | None = None,
) -> Summary:  # fmt: skip
    """Fill the slots that the store does not hold yet.

    Cancelling it restores every device that can be reached, gives it back, and lets the cancellation pass.
    """
    resources = QueueResources(campaign, session, store, state, listener, pace or Pace())
    tasks = {device.identity.device_id: DeviceQueue(resources, device, slots) for device, slots in queues}
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks.values():
                group.create_task(task.work())
    except ExceptionGroup as failures:
        # One reason is enough to stop for: a full disk of the farm, for instance, fails all queues alike.
        raise failures.exceptions[0] from failures
    stopped = {device_id: task.stopped for device_id, task in tasks.items() if task.stopped}
    return summarize(campaign, [slot for _, slots in queues for slot in slots], store, stopped)


def summarize(campaign: Campaign, slots: Sequence[Slot], store: Store, stopped: dict[str, str]) -> Summary:
    """Count the last outcome of each planned slot."""
    sql = "SELECT slot_id, outcome FROM run WHERE campaign = ? ORDER BY attempt"
    last = {row["slot_id"]: row["outcome"] for row in store.index.query(sql, (campaign.name,))}
    outcomes = [last.get(slot.slot_id) for slot in slots]
    return Summary(
        planned=len(slots), completed=outcomes.count("completed"), skipped=outcomes.count("skipped"),
        failed=outcomes.count("failed"), stopped=stopped,
    )  # fmt: skip
