"""Devices of other hosts, through Dask distributed: one worker per device, found by the resource it offers.

The scheduler of the farm stays the same: a `DaskDevice` is a `Device` whose methods are tasks. Dask gives a task to
another worker that offers the device when the first one dies.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from distributed import Client, Future, KilledWorker
from distributed.client import FutureCancelledError
from distributed.security import Security

from export.manifest import Manifest
from models.errors import UserError
from scripts.farm.dask import remote
from scripts.farm.dask.options import DaskOptions
from scripts.farm.dask.remote import RESOURCE
from scripts.farm.device import (
    Device,
    DeviceError,
    DeviceIdentity,
    DeviceState,
    DiscoveryOptions,
    Problem,
    Progress,
    Remember,
)
from scripts.records import RunRecord, RunRequest, Stage

CONNECT_TIMEOUT_S = 10.0
# How long anything but a run may take, the wait for a worker that is started again included.
CALL_TIMEOUT_S = 900.0
# How long ending a run on its host may take.
CANCEL_TIMEOUT_S = 60.0
T = TypeVar("T")
WORKER_HINT = "start it again on the device's host: python -m scripts.farm worker --scheduler ADDRESS"


class DaskDevice:
    """Implements `scripts.farm.device.Device`."""

    def __init__(self, client: Client, identity: DeviceIdentity, airplane_mode: bool) -> None:
        self._client, self._identity, self._airplane_mode = client, identity, airplane_mode

    @property
    def identity(self) -> DeviceIdentity:
        """As its worker told it."""
        return self._identity

    async def prepare(self, remember: Remember) -> None:
        """Changes are remembered as the worker announces them."""

        def take(event: tuple[float, Mapping[str, str]]) -> None:
            remember(event[1]["setting"], event[1]["prior"])

        async with _listening(self._client, take) as topic:
            changed: dict[str, str] = await self._call(remote.prepare, topic)
        for setting, prior in changed.items():
            remember(setting, prior)

    async def restore(self, prior: Mapping[str, str]) -> None:
        """On its host."""
        await self._call(remote.restore, dict(prior))

    async def state(self) -> DeviceState:
        """On its host."""
        return remote.state_from_text(await self._call(remote.state))

    async def install(self) -> str:
        """On its host, the package that `farm worker` was given."""
        return await self._call(remote.install)

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """From its host's disk, where the artifact lies under the same path.

        Returns:
            that path: the worker that runs need not be the one that pushed, so `run` pushes again, which sends nothing.
        """
        await self._call(remote.push, str(folder.resolve()))
        return str(folder.resolve())

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """The deadline is the worker's; here there is time for a second try after a worker died."""

        def take(event: tuple[float, Mapping[str, str | int]]) -> None:
            stage, done, total = (event[1][name] for name in ("stage", "done", "total"))
            on_progress(Progress(Stage(stage), int(done), int(total)))

        body = request.model_dump_json(by_alias=True)
        async with _listening(self._client, take) as topic:
            patience_s = 2 * deadline_s + CALL_TIMEOUT_S
            try:
                record = await self._call(remote.run, body, pushed, topic, deadline_s, timeout_s=patience_s)
            except asyncio.CancelledError:
                # Also for a worker that died and was started again: it knows of no call, but its device knows the run.
                with contextlib.suppress(DeviceError):  # the next run on the device ends what is left
                    await self.abort(request.run_id)
                raise
        return RunRecord.model_validate_json(record)

    async def abort(self, run_id: str) -> None:
        """On its host, at once: it does not wait for the task that it ends."""
        device_id = self._identity.device_id
        await at_once(self._client, device_id, remote.abort, device_id, self._airplane_mode, run_id)

    async def _call(
        self, function: Callable[..., Awaitable[T]], *arguments: object, timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        device_id = self._identity.device_id
        return await call(self._client, device_id, function, (self._airplane_mode, *arguments), timeout_s)


class DaskDiscovery:
    """Implements `scripts.farm.device.Discovery` for the workers of one scheduler."""

    def __init__(self, client: Client, options: DiscoveryOptions) -> None:
        self._client, self._options = client, options
        self._problems: list[Problem] = []

    async def devices(self) -> list[Device]:
        """Ask every worker for its device."""
        found: list[Device] = []
        for device_id in await self._offered():
            try:
                arguments = (self._options.airplane_mode,)
                text = await call(self._client, device_id, remote.identity, arguments, CALL_TIMEOUT_S)
            except DeviceError as error:
                self._problems.append(Problem(who=device_id, what=str(error), what_to_do=error.hint or WORKER_HINT))
                continue
            identity = remote.identity_from_text(text)
            labels = identity.labels | self._options.labels_of(device_id)
            identity = replace(identity, labels=labels)
            found.append(DaskDevice(self._client, identity, self._options.airplane_mode))
        return found

    async def problems(self) -> list[Problem]:
        """Workers that do not reach their device."""
        return self._problems

    async def _offered(self) -> list[str]:
        names = {name for resources in (await _resources(self._client)).values() for name in resources}
        return sorted(name.removeprefix(RESOURCE) for name in names if name.startswith(RESOURCE))


async def call(
    client: Client,
    device_id: str,
    function: Callable[..., Awaitable[T]],
    arguments: tuple[object, ...],
    timeout_s: float,
) -> T:
    """Run `function(device_id, *arguments)` on the worker that offers the device.

    Whoever stops waiting, cancelled or too late, ends it there too: Dask itself lets a task that has begun go on, and
    the device's next task would wait for it.

    Raises:
        DeviceError: the device's own, or no worker finished the task in time.
    """
    call_id = uuid.uuid4().hex
    future: Future[T] = client.submit(
        remote.perform, call_id, function, device_id, *arguments, resources={f"{RESOURCE}{device_id}": 1},
        pure=False,
    )  # fmt: skip # pyright: ignore[reportAssignmentType] - a coroutine function's future holds its result
    try:
        async with asyncio.timeout(timeout_s):
            return await future
    except TimeoutError as error:
        raise DeviceError(f"no worker did it for {device_id} within {timeout_s:.0f} s", hint=WORKER_HINT) from error
    except KilledWorker as error:
        raise DeviceError(f"the workers of {device_id} died again and again", hint=WORKER_HINT) from error
    except FutureCancelledError as error:
        raise DeviceError(f"the Dask scheduler has dropped a task of {device_id}: {error}", hint=WORKER_HINT) from error
    except OSError as error:
        raise DeviceError(f"the Dask scheduler cannot be reached: {error}", hint="start it again") from error
    finally:
        if not future.done():
            await future.cancel()
            with contextlib.suppress(DeviceError):  # what could not be ended ends by its own deadline
                await at_once(client, device_id, remote.cancel, call_id)


async def at_once(client: Client, device_id: str, function: Callable[..., Awaitable[None]], *arguments: object) -> None:
    """Run `function(*arguments)` on the device's workers past their queues.

    Raises:
        DeviceError: the device's own, or the cluster cannot be reached, or not in time.
    """
    try:
        async with asyncio.timeout(CANCEL_TIMEOUT_S):
            offers = await _resources(client)
            workers = [address for address, resources in offers.items() if f"{RESOURCE}{device_id}" in resources]
            if workers:
                await client.run(function, *arguments, workers=workers)  # pyright: ignore - awaitable when asynchronous
    except (TimeoutError, OSError) as error:
        raise DeviceError(f"the worker of {device_id} cannot be reached: {error}", hint=WORKER_HINT) from error


async def _resources(client: Client) -> dict[str, dict[str, float]]:
    """What each worker offers, by its address."""
    assert client.scheduler is not None
    told: dict[str, dict[str, dict[str, dict[str, float]]]] = await client.scheduler.identity()  # pyright: ignore
    return {address: worker["resources"] for address, worker in told["workers"].items()}


@asynccontextmanager
async def connect(options: DaskOptions, discovery: DiscoveryOptions) -> AsyncGenerator[DaskDiscovery]:
    """A client of the scheduler, for as long as the block lasts.

    Raises:
        UserError: nothing answers at the address.
    """
    try:
        client: Client = await Client(  # pyright: ignore - awaiting gives the client itself
            options.address,
            asynchronous=True,
            security=security(options),
            timeout=CONNECT_TIMEOUT_S,
            set_as_default=False,
        )
    except OSError as error:
        raise UserError(f"--scheduler {options.address}: no Dask scheduler answers there: {error}") from error
    try:
        yield DaskDiscovery(client, discovery)
    finally:
        await client.close()  # pyright: ignore - a coroutine when asynchronous


def security(options: DaskOptions) -> Security | None:
    """Encryption is required where certificates are given."""
    if options.tls_files is None:
        return None
    authority, certificate, key = options.tls_files
    return Security(tls_ca_file=authority, tls_client_cert=certificate, tls_client_key=key, require_encryption=True)


@asynccontextmanager
async def _listening(client: Client, take: Callable[[tuple[float, Any]], None]) -> AsyncGenerator[str]:
    """A topic of its own that `take` gets the events of."""
    topic = f"deepnarrow-{uuid.uuid4().hex}"
    client.subscribe_topic(topic, take)
    try:
        yield topic
    finally:
        client.unsubscribe_topic(topic)
