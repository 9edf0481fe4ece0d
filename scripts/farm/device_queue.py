"""One device's queue: lease, restore what an earlier farm left, prepare, then run after run, and restore."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from scripts.farm.attempt import TROUBLE, Attempt
from scripts.farm.campaign import Campaign
from scripts.farm.device import Device
from scripts.farm.events import DeviceEvent, Listener, Phase, RunStored
from scripts.farm.plan import Slot, remaining
from scripts.farm.store.lock import MachineLock
from scripts.farm.store.state import LEASE_S, DevicesState
from scripts.farm.store.store import MAX_ATTEMPTS, Store
from scripts.records import FAILURE_CLASS, Completed, Failed, FailureClass, RunRecord

MAX_INFRA_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the scheduler is.

    Attributes:
        retry_s: before the second attempt; each further one waits three times as long.
        renew_s: between renewals of a lease.
    """

    retry_s: float = 5.0
    renew_s: float = LEASE_S / 3


@dataclass(frozen=True, slots=True)
class QueueResources:
    """What all queues of a campaign share."""

    campaign: Campaign
    session: str
    store: Store
    state: DevicesState
    listener: Listener
    pace: Pace


class DeviceQueue:
    """Fills one device's slots."""

    def __init__(self, resources: QueueResources, device: Device, slots: list[Slot]) -> None:
        self._resources, self._device, self._slots = resources, device, slots
        self._id = device.identity.device_id
        self._infra_in_a_row = 0
        self._deadline = time.monotonic() + (resources.campaign.budget_minutes or float("inf")) * 60
        self._attempt = Attempt(resources.campaign, resources.session, device, resources.state, self._tell)
        self._lock: MachineLock | None = None
        self.stopped = ""
        self._done = 0

    async def work(self) -> None:
        """Fill what can be filled; `stopped` says why slots are left."""
        todo = self._todo()
        if reason := self._resources.state.quarantined(self._id):
            self._stop(f"in quarantine {reason}")
        elif todo and (holder := self._take()):
            self._stop(f"in use by another farm: {holder}")
        elif todo:
            renewal = asyncio.create_task(self._renew())
            try:
                await self._fill(todo)
            finally:
                await self._give_back()
                renewal.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await renewal
        if not self.stopped:
            self._tell(Phase.DONE, "")

    def _take(self) -> str | None:
        """Lease the device from farms with this results folder, and lock it against all others on this machine.

        Returns:
            None, or who has it.
        """
        if holder := self._resources.state.lease(self._id):
            return holder
        lock = MachineLock.take(f"device-{self._id}", f"records in {self._resources.store.root.absolute()}")
        if isinstance(lock, str):
            self._resources.state.release(self._id)
            return lock
        self._lock = lock
        return None

    def _todo(self) -> list[Slot]:
        todo = remaining(self._slots, self._resources.store.finished_slots(self._resources.campaign.name))
        self._done = len(self._slots) - len(todo)
        return todo

    async def _fill(self, todo: list[Slot]) -> None:
        if changed := self._resources.state.changed(self._id):
            self._tell(Phase.RESTORING, "what an earlier farm has left")
            if not await self._restore(dict(changed)):
                return None
        for slot in todo:
            if time.monotonic() >= self._deadline:
                return self._stop(f"budget_minutes {self._resources.campaign.budget_minutes:g} are over")
            record = await self._fill_slot(slot)
            if self.stopped:
                return None
            if slot.position.canary and not isinstance(record.outcome, Completed):
                message = getattr(record.outcome, "message", record.outcome.kind)
                return self._stop(f"the canary run failed, so nothing else was begun: {message}")
            self._done += 1
        return None

    async def _fill_slot(self, slot: Slot) -> RunRecord:
        """Run until an outcome that is not the device's fault, at most `MAX_ATTEMPTS` times in this process."""
        store, campaign = self._resources.store, self._resources.campaign
        first = store.next_attempt(campaign.name, slot.slot_id)
        for number in range(first, first + MAX_ATTEMPTS):
            if number > first:
                self._tell(Phase.RETRYING, slot.position.cell)
                await asyncio.sleep(self._resources.pace.retry_s * 3 ** (number - first - 1))
            record = await self._attempt.run(slot, number)
            self._tell(Phase.STORING, slot.position.cell)
            store.add(campaign.name, record)
            self._resources.listener(RunStored(self._id, record, self._done + 1, len(self._slots)))
            if not self._is_infra(record) or self.stopped:
                break
        return record  # pyright: ignore[reportPossiblyUnboundVariable] - at least one attempt

    def _is_infra(self, record: RunRecord) -> bool:
        outcome = record.outcome
        infra = isinstance(outcome, Failed) and FAILURE_CLASS[outcome.failure] is FailureClass.INFRA
        self._infra_in_a_row = self._infra_in_a_row + 1 if infra else 0
        if self._attempt.needs_person:
            # No quarantine: the next `run` may begin as soon as somebody has done it.
            self._stop(f"somebody has to look at it: {self._attempt.needs_person}")
        elif self._infra_in_a_row >= MAX_INFRA_IN_A_ROW and isinstance(outcome, Failed):
            self._resources.state.quarantine(self._id, outcome.message)
            self._stop(f"{self._infra_in_a_row} failures of the device in a row; in quarantine: {outcome.message}")
        return infra

    async def _give_back(self) -> None:
        """Restore and release, also when the campaign is being cancelled."""
        if changed := self._resources.state.changed(self._id):
            self._tell(Phase.RESTORING, "")
            await self._restore(dict(changed))
        self._resources.state.release(self._id)
        if self._lock:
            self._lock.release()

    async def _restore(self, changed: dict[str, str]) -> bool:
        try:
            await self._device.restore(changed)
        except TROUBLE as error:
            self._stop(f"could not be restored, which the next farm will try again: {error}")
            return False
        self._resources.state.restored(self._id)
        return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._resources.pace.renew_s)
            self._resources.state.lease(self._id)

    def _stop(self, reason: str) -> None:
        self.stopped = self.stopped or reason
        self._tell(Phase.STOPPED, reason)

    def _tell(self, phase: Phase, detail: str, celsius: float | None = None, step: str = "") -> None:
        self._resources.listener(
            DeviceEvent(
                device_id=self._id,
                phase=phase,
                detail=detail,
                done=self._done,
                total=len(self._slots),
                celsius=celsius,
                step=step,
            )
        )
