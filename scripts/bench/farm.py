"""What the farm itself costs, and how fast the store is: `python -m scripts.bench.farm overhead|store`.

`overhead` runs a campaign on scripted devices, whose runs take a fixed time and measure nothing: what is left is the
scheduler's. Its records are thrown away. The same campaign on fake phones is in `scripts.testing`.
"""

import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from export.manifest import MANIFEST_FILE, Manifest, sha256
from scripts.bench.machine import this_machine
from scripts.bench.spread import spread
from scripts.farm.campaign import Campaign
from scripts.farm.device import DeviceIdentity, DeviceState, Progress, Remember
from scripts.farm.devices_state import DevicesState
from scripts.farm.outcomes import empty_record
from scripts.farm.plan import find_subjects, plan_device
from scripts.farm.scheduler import run_campaign
from scripts.farm.store import Store
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

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Measure the farm's own cost on this machine.")
Artifacts = Annotated[Path, typer.Option("--artifacts", help="A folder with the pair `tiny` for ONNX.")]


class IdleDevice:
    """A `Device` whose runs wait for `run_s` seconds; counts the time that was spent in it."""

    def __init__(self, number: int, run_s: float) -> None:
        self.identity = DeviceIdentity(device_id=f"idle-{number}", facts=device_facts())
        self._run_s, self._manifest, self._hash = run_s, None, ""
        self.busy_s = 0.0

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

    async def stage(self, folder: Path, manifest: Manifest) -> str:
        """Remember what is run."""
        if self._manifest is not manifest:
            self._manifest, self._hash = manifest, sha256(folder / MANIFEST_FILE)
        return str(folder)

    async def run(
        self, request: RunRequest, staged: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """Wait, and give a record of the size of a real one."""
        start = time.perf_counter()
        for done in range(10):
            on_progress(Progress(Stage.DECODE, done, 10))
            await asyncio.sleep(self._run_s / 10)
        self.busy_s += time.perf_counter() - start
        assert self._manifest is not None
        shell = Failed(stage=Stage.LOAD, failure=FailureKind.LOAD, message="")
        record = empty_record(request, shell, self.identity.facts, artifact_facts(self._manifest, self._hash))
        steps = tuple(range(1, request.protocol.decode_steps + 1))
        decode = tuple(DecodeSamples(depth=d, forward_ns=steps, step_ns=steps) for d in request.protocol.depths)
        return record.model_copy(update={"outcome": Completed(), "decode": decode})

    async def abort(self, run_id: str) -> None:
        """Nothing to do."""


@app.command("overhead")
def overhead(
    artifacts: Artifacts = Path("artifacts"),
    devices: Annotated[int, typer.Option("--devices", min=1)] = 16,
    runs: Annotated[int, typer.Option("--runs", min=2, help="Runs on each device, canary apart.")] = 20,
    run_s: Annotated[float, typer.Option("--run-s", help="Seconds of a run.")] = 0.5,
) -> None:
    """Time that a run costs beyond its own: planning, gates, leases, events and the store."""
    print(this_machine().summary())
    campaign = Campaign.model_validate(
        {"name": "overhead", "artifacts_folder": artifacts, "pairs": ["tiny"], "targets": ["onnx"],
         "devices": [["kind:host"]], "repetitions": runs // 2}
    )  # fmt: skip
    subjects = find_subjects(campaign)
    idle = [IdleDevice(number, run_s) for number in range(devices)]
    queues = [(device, plan_device(campaign, subjects, device.identity)) for device in idle]
    with tempfile.TemporaryDirectory() as folder:
        state, start = DevicesState(Path(folder)), time.perf_counter()
        with Store(Path(folder)) as store:
            summary = asyncio.run(run_campaign(campaign, queues, store, state, lambda event: None))
            elapsed = time.perf_counter() - start
            (row,) = store.index.query("SELECT COUNT(*) AS rows, COUNT(DISTINCT slot_id) AS slots FROM run")
        state.close()
    per_run = [(elapsed - device.busy_s) / len(queues[0][1]) * 1e3 for device in idle]
    assert summary.planned == row["rows"] == row["slots"], "a run was lost or doubled"
    print(f"{summary.completed} of {summary.planned} runs, none lost, none twice, {elapsed:.1f} s")
    print(f"overhead per run in ms, over devices: {spread(per_run):.1f}")
    print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


@app.command("store")
def store_inserts(
    record: Annotated[Path, typer.Argument(help="A record.json, of which copies are stored.")],
    count: Annotated[int, typer.Option("--count", min=2)] = 200,
) -> None:
    """Time to keep a record: both files written, flushed and renamed, and the row inserted."""
    print(this_machine().summary())
    source = RunRecord.model_validate_json(record.read_bytes())
    times_ms: list[float] = []
    rows_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        for number in range(count):
            request = source.request.model_copy(update={"run_id": f"copy.r{number}.a0"})
            copy = source.model_copy(update={"request": request})
            start = time.perf_counter()
            store.add("copies", copy)
            times_ms.append((time.perf_counter() - start) * 1e3)
        start = time.perf_counter()
        store.reindex()
        rows_ms.append((time.perf_counter() - start) / count * 1e3)
    print(f"{count} records of {record.stat().st_size / 1024:.0f} KiB: {spread(times_ms):.2f} ms each")
    print(f"95th percentile {statistics.quantiles(times_ms, n=20)[-1]:.2f} ms; reindex {rows_ms[0]:.2f} ms per record")


if __name__ == "__main__":
    app()
