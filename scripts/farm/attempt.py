"""One attempt at a run: device ready, artifact there, start limits hold, harness run. Always gives a record."""

from typing import Protocol

from export.manifest import MANIFEST_FILE, sha256
from models.errors import UserError
from scripts.farm.campaign import Campaign
from scripts.farm.device import Device, DeviceError, DeviceState, Progress
from scripts.farm.events import Phase
from scripts.farm.outcomes import empty_record
from scripts.farm.plan import Slot
from scripts.farm.start_limits import await_start
from scripts.farm.store.state import DevicesState
from scripts.records import Failed, FailureKind, RunRecord, RunRequest, Skipped, Stage, artifact_facts

# What a call of a device may raise: its own error, and what unexpected answers, full disks and broken pipes become.
# One device's trouble never ends the runs of the others.
TROUBLE = (DeviceError, UserError, ValueError, OSError)


class Tell(Protocol):
    """Reports what the device is doing."""

    def __call__(self, phase: Phase, detail: str, celsius: float | None = None, step: str = "") -> None: ...


class Attempt:
    """Attempts on one device. A device that failed is prepared again before the next one.

    Attributes:
        needs_person: why the last attempt failed in a way that no further attempt can mend; empty otherwise.
    """

    def __init__(self, campaign: Campaign, session: str, device: Device, state: DevicesState, tell: Tell) -> None:
        self._campaign, self._session, self._device = campaign, session, device
        self._state, self._tell = state, tell
        self._is_ready = False
        self._celsius: float | None = None
        self.needs_person = ""

    async def run(self, slot: Slot, number: int) -> RunRecord:
        """The record of attempt `number`, whatever happens, cancellation excepted."""
        request = slot.request(self._campaign, self._session, number)
        self.needs_person = ""
        try:
            return await self._run(slot, request)
        except TROUBLE as error:
            self._is_ready = False
            outcome = failed(error)
            if isinstance(error, DeviceError) and error.needs_person:
                self.needs_person = outcome.message
            return self._without_harness(slot, request, outcome)

    async def _run(self, slot: Slot, request: RunRequest) -> RunRecord:
        cell = slot.position.cell
        await self._make_ready(cell)
        self._tell(Phase.PUSHING, cell, self._celsius)
        pushed = await self._device.push(slot.artifact.folder, slot.artifact.manifest)
        broken = await await_start(self._device, self._campaign.start_limits, self._on_state)
        if broken:
            return self._without_harness(slot, request, broken)

        def on_progress(progress: Progress) -> None:
            part = f" {progress.done}/{progress.total}" if progress.total > 1 else ""
            self._tell(Phase.RUNNING, cell, self._celsius, f"{progress.stage}{part}")

        self._tell(Phase.RUNNING, cell, self._celsius)
        record = await self._device.run(request, pushed, on_progress, self._campaign.run_timeout_s)
        if record.request != request:
            raise DeviceError(f"the answer to {request.run_id} is a record of another request, {record.run_id}")
        return record

    async def _make_ready(self, cell: str) -> None:
        if self._is_ready:
            return
        device_id = self._device.identity.device_id
        self._tell(Phase.PREPARING, cell, self._celsius)
        await self._device.prepare(lambda setting, prior: self._state.remember(device_id, setting, prior))
        self._tell(Phase.INSTALLING, cell, self._celsius)
        await self._device.install()
        self._is_ready = True

    def _on_state(self, state: DeviceState, broken: str | None) -> None:
        self._celsius = state.battery_celsius
        if broken:
            self._tell(Phase.COOLING, broken, state.battery_celsius)

    def _without_harness(self, slot: Slot, request: RunRequest, outcome: Failed | Skipped) -> RunRecord:
        artifact = slot.artifact
        manifest = artifact.folder / MANIFEST_FILE
        facts = artifact_facts(artifact.manifest, sha256(manifest)) if manifest.is_file() else None
        return empty_record(request, outcome, self._device.identity.facts, facts)


def failed(error: DeviceError | UserError | ValueError | OSError) -> Failed:
    """The outcome of a run in which a call of the device raised one of `TROUBLE`."""
    if isinstance(error, DeviceError):
        message = f"{error} ({error.hint})" if error.hint else str(error)
        return Failed(stage=Stage.ENVIRONMENT, failure=error.failure, message=message)
    failure = FailureKind.DEVICE if isinstance(error, OSError) else FailureKind.INTERNAL
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return Failed(stage=Stage.ENVIRONMENT, failure=failure, message=message)
