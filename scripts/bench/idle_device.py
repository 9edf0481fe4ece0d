"""A device that does nothing but wait, for what the scheduler alone costs. Its records measure nothing."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from export.manifest import MANIFEST_FILE, Manifest, sha256
from scripts.farm.device import DeviceIdentity, DeviceState, Progress, Remember
from scripts.farm.outcomes import empty_record
from scripts.host.environment import device_facts
from scripts.records import (
    Completed,
    DecodeSamples,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Stage,
    artifact_facts,
)


class IdleDevice:
    """A `Device` whose runs wait for `run_s` seconds."""

    def __init__(self, number: int, run_s: float) -> None:
        self.identity = DeviceIdentity(device_id=f"idle-{number}", facts=device_facts())
        self._run_s, self._manifest, self._hash = run_s, None, ""

    async def prepare(self, remember: Remember) -> None:
        """Change one setting."""
        remember("setting", "old")

    async def restore(self, prior: Mapping[str, str]) -> None:
        """Nothing to do."""

    async def state(self) -> DeviceState:
        """Cool."""
        return DeviceState(battery_celsius=25.0)

    async def install(self) -> str:
        """Nothing to do."""
        return "idle"

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """Remember what is run."""
        if self._manifest is not manifest:
            self._manifest, self._hash = manifest, sha256(folder / MANIFEST_FILE)
        return str(folder)

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """Wait, and give a record of the size of a real one."""
        for done in range(10):
            on_progress(Progress(Stage.DECODE, done, 10))
            await asyncio.sleep(self._run_s / 10)
        assert self._manifest is not None
        shell = Failed(stage=Stage.LOAD, failure=FailureKind.LOAD, message="")
        record = empty_record(request, shell, self.identity.facts, artifact_facts(self._manifest, self._hash))
        steps = tuple(range(1, request.protocol.decode_steps + 1))
        decode = tuple(DecodeSamples(context=d, forward_ns=steps, step_ns=steps) for d in request.protocol.contexts)
        return record.model_copy(update={"outcome": Completed(), "decode": decode})

    async def abort(self, run_id: str) -> None:
        """Nothing to do."""
