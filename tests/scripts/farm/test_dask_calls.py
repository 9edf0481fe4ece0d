"""Calls through Dask to a device that is scripted: a scheduler and a worker inside this process."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from distributed import Client, Future, LocalCluster

from export.manifest import Manifest
from scripts.farm.dask import remote
from scripts.farm.dask.device import DaskDevice, DaskDiscovery
from scripts.farm.dask.remote import RESOURCE
from scripts.farm.device import Device, DeviceError, DiscoveryOptions, Problem, Progress
from scripts.records import Protocol, RunRecord, RunRequest
from tests.limits import HUNG_S
from tests.scripts.farm.doubles import SMALL, ScriptedPhone, identity

REQUEST = RunRequest(run_id="r1", protocol=Protocol.model_validate(SMALL))


@dataclass
class Phone(ScriptedPhone):
    """Knows what it has pushed itself, as a phone's device object does; its runs hang where `hangs`."""

    hangs: bool = False
    pushed: set[str] = field(default_factory=set)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def push(self, folder: Path, manifest: Manifest) -> str:
        self.calls.append("push")
        self.pushed.add(await super().push(folder, manifest))
        return str(folder)

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        if pushed not in self.pushed:
            raise DeviceError("not pushed")
        if self.hangs:
            self.calls.append("run")
            self.has_begun.set()
            try:
                await asyncio.sleep(600)
            finally:
                self.calls.append("run ended")
        return await super().run(request, pushed, on_progress, deadline_s)


@dataclass
class OneDiscovery:
    """Finds a phone whose system is updated before every look."""

    options: DiscoveryOptions
    looks: list[bool]

    async def devices(self) -> list[Device]:
        self.looks.append(self.options.airplane_mode)
        return [Phone(identity("p1", f"build-{len(self.looks)}"))]

    async def problems(self) -> list[Problem]:
        return []


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """The airplane mode of every discovery of the worker."""
    found: list[bool] = []
    monkeypatch.setattr(remote, "all_discoveries", lambda options: [OneDiscovery(options, found)])
    remote._devices.clear()  # pyright: ignore[reportPrivateUsage]
    yield found
    remote._devices.clear()  # pyright: ignore[reportPrivateUsage]


def with_client(work: Callable[[Client], Coroutine[None, None, None]]) -> None:
    async def go() -> None:
        resources = {f"{RESOURCE}p1": 1}
        async with (
            LocalCluster(
                n_workers=1, threads_per_worker=1, processes=False, asynchronous=True, dashboard_address=None,
                resources=resources,
            ) as cluster,
            Client(cluster, asynchronous=True) as client,
        ):  # fmt: skip
            async with asyncio.timeout(HUNG_S):
                await work(client)

    asyncio.run(go())


def at_worker(phone: Phone) -> Phone:
    remote._devices[("p1", False)] = phone  # pyright: ignore[reportPrivateUsage]
    return phone


def artifact(tiny_artifacts: Path) -> Path:
    return next(path.parent for path in sorted(tiny_artifacts.rglob("manifest.json")))


def begin(device: DaskDevice, folder: Path) -> "asyncio.Task[RunRecord]":
    return asyncio.create_task(device.run(REQUEST, str(folder), lambda progress: None, 300.0))


def test_a_cancelled_run_is_over_before_the_restore(tiny_artifacts: Path) -> None:
    async def work(client: Client) -> None:
        phone = at_worker(Phone(identity("p1"), hangs=True))
        device = DaskDevice(client, identity("p1"), airplane_mode=False)
        task = begin(device, artifact(tiny_artifacts))
        await phone.has_begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(HUNG_S):
            await device.restore({"stay_awake": "0"})
        assert phone.calls == ["push", "run", "run ended", "abort r1", "restore {'stay_awake': '0'}"]

    with_client(work)


def test_a_task_that_dask_drops_is_the_device_s_failure(tiny_artifacts: Path) -> None:
    async def work(client: Client) -> None:
        phone = at_worker(Phone(identity("p1"), hangs=True))
        task = begin(DaskDevice(client, identity("p1"), airplane_mode=False), artifact(tiny_artifacts))
        await phone.has_begun.wait()
        dropped: Sequence[Future[object]] = [Future(key, client) for key in client.futures]
        await client.cancel(dropped, force=True)  # pyright: ignore[reportGeneralTypeIssues]
        with pytest.raises(DeviceError, match="dropped a task of p1"):
            await task

    with_client(work)


def test_a_worker_that_did_not_stage_runs_all_the_same(tiny_artifacts: Path) -> None:
    async def work(client: Client) -> None:
        device = DaskDevice(client, identity("p1"), airplane_mode=False)
        at_worker(Phone(identity("p1")))
        folder = artifact(tiny_artifacts)
        pushed = await device.push(folder, Manifest.model_validate_json((folder / "manifest.json").read_bytes()))
        started_again = at_worker(Phone(identity("p1")))
        record = await device.run(REQUEST, pushed, lambda progress: None, 60.0)
        assert record.request == REQUEST
        assert started_again.calls == ["push", "run r1"]

    with_client(work)


def test_an_abort_does_not_wait_for_the_run(tiny_artifacts: Path) -> None:
    async def work(client: Client) -> None:
        phone = at_worker(Phone(identity("p1"), hangs=True))
        device = DaskDevice(client, identity("p1"), airplane_mode=False)
        task = begin(device, artifact(tiny_artifacts))
        await phone.has_begun.wait()
        async with asyncio.timeout(HUNG_S):
            await device.abort("r1")
        assert phone.calls[-1] == "abort r1"
        task.cancel()
        await asyncio.wait([task])

    with_client(work)


def test_every_campaign_finds_the_device_as_it_is_now(looks: list[bool]) -> None:
    async def work(client: Client) -> None:
        builds: list[str] = []
        for airplane_mode in (False, True, True):
            (device,) = await DaskDiscovery(client, DiscoveryOptions(airplane_mode=airplane_mode)).devices()
            await device.state()
            builds.append(device.identity.facts.os_build)
        assert builds == ["build-1", "build-2", "build-3"]
        assert looks == [False, True, True]

    with_client(work)
