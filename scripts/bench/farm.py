"""What the farm itself costs: `python -m scripts.bench.farm overhead|push|kill|store|scheduler`.

`overhead`, `push` and `kill` use fake phones: processes that the real adb talks to, whose harness is the desktop build
of the Android one and really runs models. `scheduler` uses devices that only wait.
"""

import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from export.console import ExitCode, run_app
from export.manifest import find_artifacts
from models.errors import UserError
from scripts.analysis.spread import paired_speed, spread
from scripts.bench.fake_rack import fake_rack
from scripts.bench.farm_kill import kill_and_finish
from scripts.bench.farm_push import PushTimes, padded_artifact, time_push
from scripts.bench.idle_device import IdleDevice
from scripts.bench.timed_device import TimedDevice
from scripts.farm.android.device import AdbDevice, AdbDiscovery
from scripts.farm.android.link import AdbLink
from scripts.farm.android.server import own_server
from scripts.farm.campaign import Campaign, read_campaign
from scripts.farm.device import Device
from scripts.farm.discovery import find_devices
from scripts.farm.plan import Slot, plan_device, planned_artifacts
from scripts.farm.scheduler import run_campaign
from scripts.farm.store.state import DevicesState
from scripts.farm.store.store import Store
from scripts.host.machine import this_machine
from scripts.records import RunRecord, new_session

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Measure the farm's own cost on this machine. Close everything else first.",
)  # fmt: skip
Artifacts = Annotated[Path, typer.Option("--artifacts", help="A folder with the pair `tiny` for ONNX at int4.")]
Jar = Annotated[Path, typer.Option("--jar", help="Desktop build of the Android harness.")]
JavaOptions = Annotated[
    str, typer.Option("--java-options", help="For the phones' JVMs, such as -XX:TieredStopAtLevel=1 to start faster.")
]
ARTIFACTS = Path("artifacts")
JAR = Path("android_app/core/target/deepnarrow-harness.jar")


@app.command("overhead")
def overhead(
    artifacts: Artifacts = ARTIFACTS,
    jar: Jar = JAR,
    phones: Annotated[int, typer.Option("--phones", min=1)] = 16,
    runs: Annotated[int, typer.Option("--runs", min=2, help="Runs on each phone, canary apart.")] = 20,
    java_options: JavaOptions = "",
) -> None:
    """Time that a run on a fake phone costs beyond what the phone does, and the memory of the farm."""
    print(this_machine().summary())
    with tempfile.TemporaryDirectory() as name, fake_rack(Path(name), phones, jar, java_options=java_options) as rack:
        campaign = read_campaign(rack.campaign_file(artifacts, runs))
        asyncio.run(_overhead(campaign, phones, Path(name) / "results"))


async def _overhead(campaign: Campaign, count: int, root: Path) -> None:
    devices = await _phones(campaign, count)
    await _report_overhead(campaign, [TimedDevice(device) for device in devices], root)


async def _phones(campaign: Campaign, count: int) -> list[Device]:
    devices, problems = await find_devices([AdbDiscovery(campaign.discovery_options())])
    if len(devices) != count:
        told = "; ".join(f"{each.who}: {each.what}" for each in problems)
        raise UserError(f"{len(devices)} of {count} fake phones were found: {told}")
    return devices


async def _report_overhead(campaign: Campaign, devices: Sequence[TimedDevice], root: Path) -> None:
    artifacts = planned_artifacts(campaign)
    queues: list[tuple[Device, list[Slot]]] = [
        (device, plan_device(campaign, artifacts, device.identity)) for device in devices
    ]
    state, start, cpu = DevicesState(root), time.perf_counter(), time.process_time()
    with Store(root) as store:
        summary = await run_campaign(campaign, queues, store, state, lambda event: None, new_session())
        elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
        (row,) = store.index.query("SELECT COUNT(*) AS rows, COUNT(DISTINCT slot_id) AS slots FROM run")
    state.close()
    gaps = len(queues[0][1]) - 1  # after the last run nothing is timed
    per_run = [device.overhead_s / gaps * 1e3 for device in devices]
    print(f"{summary.completed} of {summary.planned} runs completed in {elapsed:.1f} s, "
          f"{summary.planned - row['slots']} lost, {row['rows'] - row['slots']} twice")  # fmt: skip
    print(f"overhead per run in ms, over devices: {spread(per_run):.1f}")
    print(f"processor time of the farm per run: {cpu / summary.planned * 1e3:.1f} ms")
    print(f"peak memory of the farm: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    if summary.completed != row["rows"] or not summary.is_complete:
        raise UserError(f"not every run completed once: {summary}")


@app.command("scheduler")
def scheduler(
    artifacts: Artifacts = ARTIFACTS,
    devices: Annotated[int, typer.Option("--devices", min=1)] = 16,
    runs: Annotated[int, typer.Option("--runs", min=2, help="Runs on each device, canary apart.")] = 20,
    run_s: Annotated[float, typer.Option("--run-s", help="Seconds of a run.")] = 0.5,
) -> None:
    """The same with devices that only wait: planning, start limits, leases, events and the store, without adb."""
    print(this_machine().summary())
    campaign = Campaign.model_validate(
        {"name": "scheduler", "artifacts_folder": artifacts, "pairs": ["tiny"], "targets": ["onnx"],
         "devices": [["kind:host"]], "repetitions": runs // 2}
    )  # fmt: skip
    idle = [TimedDevice(IdleDevice(number, run_s)) for number in range(devices)]
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(_report_overhead(campaign, idle, Path(name)))


@app.command("push")
def push(
    artifacts: Artifacts = ARTIFACTS,
    jar: Jar = JAR,
    megabytes: Annotated[int, typer.Option("--megabytes", min=1, help="Size of the model file.")] = 200,
    rounds: Annotated[int, typer.Option("--rounds", min=1)] = 5,
    link_mb_s: Annotated[
        int, typer.Option("--link-mb-s", min=0, help="Speed of the cable in MB/s, 40 as USB 2 gives; 0: loopback.")
    ] = 40,
) -> None:
    """Bring an artifact to a fake phone through the farm and by plain `adb push`, in turn."""
    print(this_machine().summary())
    found = [folder for folder, each in find_artifacts(artifacts)[0].items() if each.pair == "tiny"]
    if not found:
        raise UserError(f"--artifacts {artifacts}: no artifact of tiny; python -m export all --pair tiny --out DIR")
    with (
        tempfile.TemporaryDirectory() as name,
        fake_rack(Path(name), 1, jar, link_bytes_per_s=link_mb_s * 1_000_000 or None) as rack,
    ):
        folder, manifest = padded_artifact(sorted(found)[0], Path(name) / "padded", megabytes)
        campaign = read_campaign(rack.campaign_file(artifacts, 2))

        async def measure() -> PushTimes:
            (device,) = await _phones(campaign, 1)
            assert isinstance(device, AdbDevice)
            link = AdbLink(own_server(), rack.addresses[0])
            return await time_push(device, link, folder, manifest, rounds)

        times = asyncio.run(measure())
    link = f"a link of {link_mb_s} MB/s" if link_mb_s else "the loopback device"
    print(f"plain adb push of {megabytes} MB over {link}: {spread(times.plain_s.values()):.2f} s")
    print(f"pushed by the farm, hashes checked: {spread(times.pushed_s.values()):.2f} s")
    print(f"speed of the farm over plain push: {paired_speed(times.pushed_s, times.plain_s):.2f}")
    print(f"pushed again: {spread(each * 1e3 for each in times.again_s.values()):.0f} ms")


@app.command("kill")
def kill(
    artifacts: Artifacts = ARTIFACTS,
    jar: Jar = JAR,
    phones: Annotated[int, typer.Option("--phones", min=1)] = 2,
    runs: Annotated[int, typer.Option("--runs", min=2, help="Runs on each phone, canary apart.")] = 40,
    kills: Annotated[int, typer.Option("--kills", min=1)] = 20,
    longest_s: Annotated[float, typer.Option("--longest-s", min=0.5, help="Latest moment of a kill.")] = 6.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the moments.")] = 0,
    java_options: JavaOptions = "",
) -> None:
    """`kill -9` of a farm at random moments, then a restart: every planned run must have one record, no more."""
    print(this_machine().summary())
    with tempfile.TemporaryDirectory() as name, fake_rack(Path(name), phones, jar, java_options=java_options) as rack:
        campaign = rack.campaign_file(artifacts, runs)
        count = kill_and_finish(campaign, Path(name) / "results", kills, longest_s, seed)
    print(f"{count.kills} of {kills} kills hit a farm at work; {count.planned} runs planned, {count.lost} lost, "
          f"{count.doubled} twice, {count.failed_attempts} failed attempts repeated")  # fmt: skip
    if count.lost or count.doubled:
        raise typer.Exit(ExitCode.FAILED)


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
    sys.exit(run_app(app, "python -m scripts.bench.farm"))
