"""A device that counts the time spent in it, so that what is left of a campaign's time is the farm's own."""

import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TypeVar

from export.manifest import Manifest
from scripts.farm.device import Device, DeviceIdentity, DeviceState, Progress, Remember
from scripts.records import RunRecord, RunRequest

T = TypeVar("T")


class TimedDevice:
    """Implements `scripts.farm.device.Device` by another one.

    Attributes:
        first_s: when the device was first used, on the clock of `time.perf_counter`.
        last_s: when the last run had ended.
        busy_s: seconds in methods of the device between the two.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.first_s = self.last_s = self.busy_s = self._in_last_run_s = 0.0

    @property
    def identity(self) -> DeviceIdentity:
        """Of the device."""
        return self._device.identity

    @property
    def overhead_s(self) -> float:
        """Seconds between the first use and the end of the last run in which nothing was asked of the device."""
        return self.last_s - self.first_s - self._in_last_run_s

    async def prepare(self, remember: Remember) -> None:
        """Timed."""
        await self._timed(self._device.prepare(remember))

    async def restore(self, prior: Mapping[str, str]) -> None:
        """Timed."""
        await self._timed(self._device.restore(prior))

    async def state(self) -> DeviceState:
        """Timed."""
        return await self._timed(self._device.state())

    async def install(self) -> str:
        """Timed."""
        return await self._timed(self._device.install())

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """Timed."""
        return await self._timed(self._device.push(folder, manifest))

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """Timed."""
        record = await self._timed(self._device.run(request, pushed, on_progress, deadline_s))
        self.last_s, self._in_last_run_s = time.perf_counter(), self.busy_s
        return record

    async def abort(self, run_id: str) -> None:
        """Timed."""
        await self._timed(self._device.abort(run_id))

    async def _timed(self, work: Coroutine[None, None, T]) -> T:
        start = time.perf_counter()
        self.first_s = self.first_s or start
        try:
            return await work
        finally:
            self.busy_s += time.perf_counter() - start
