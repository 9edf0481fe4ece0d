"""A device for scheduling faults only, and what it needs; runs of real artifacts are in `test_end_to_end`."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from export.manifest import MANIFEST_FILE, Manifest, sha256
from scripts.farm.device import DeviceIdentity, DeviceState, Progress, Remember
from scripts.farm.outcomes import empty_record
from scripts.records import (
    Completed,
    DeviceFacts,
    DeviceKind,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Stage,
    artifact_facts,
)

SMALL = {
    "num_threads": 1, "prompt_lengths": [8], "prefill_repetitions": 1, "contexts": [0, 16], "decode_steps": 4,
    "warm_up_steps": 1, "probe": {"buffer_bytes": 1 << 20, "passes": 3},
}  # fmt: skip
FACTS = DeviceFacts(
    kind=DeviceKind.PHONE, os="android", os_version="15", os_build="build-1", manufacturer="Maker", model="Phone 1",
    soc="SoC 8", abi="arm64-v8a", cores=(), ram_bytes=None,
)  # fmt: skip


def identity(device_id: str = "p1", os_build: str = "build-1") -> DeviceIdentity:
    """A phone."""
    return DeviceIdentity(device_id=device_id, facts=FACTS.model_copy(update={"os_build": os_build}))


Script = Callable[[RunRequest], Failed | None]


@dataclass
class ScriptedPhone:
    """A `Device` for scheduling faults only: its runs are told by `script`, nothing is measured.

    Attributes:
        script: the outcome of a run, None for completed; may raise `DeviceError`.
        calls: everything that was done with it, in order.
    """

    identity: DeviceIdentity
    script: Script = lambda request: None
    now: DeviceState = field(default_factory=DeviceState)
    calls: list[str] = field(default_factory=list)
    runs: list[RunRequest] = field(default_factory=list)
    manifest: Manifest | None = None
    active: int = 0

    async def prepare(self, remember: Remember) -> None:
        remember("stay_awake", "0")
        self.calls.append("prepare")

    async def restore(self, prior: Mapping[str, str]) -> None:
        self.calls.append(f"restore {dict(prior)}")

    async def state(self) -> DeviceState:
        return self.now

    async def install(self) -> str:
        self.calls.append("install")
        return "build"

    async def push(self, folder: Path, manifest: Manifest) -> str:
        self.manifest = manifest
        self.staged_sha256 = sha256(folder / MANIFEST_FILE)
        return str(folder)

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        self.calls.append(f"run {request.run_id}")
        self.runs.append(request)
        self.active += 1
        assert self.active == 1, "two runs at a time on one device"
        await asyncio.sleep(0)
        on_progress(Progress(Stage.DECODE, 1, 2))
        self.active -= 1
        assert self.manifest is not None
        outcome = self.script(request)
        shell = Failed(stage=Stage.LOAD, failure=FailureKind.LOAD, message="")
        record = empty_record(request, shell, self.identity.facts, artifact_facts(self.manifest, self.staged_sha256))
        return record.model_copy(update={"outcome": outcome or Completed()})

    async def abort(self, run_id: str) -> None:
        self.calls.append(f"abort {run_id}")
