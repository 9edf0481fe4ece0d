"""What runs inside the Dask worker of a device. Arguments and results are plain text, so that hosts may differ.

A worker finds its device again for itself, with the options that `farm worker` gave it; the device object lives until
the next discovery. A task that is started again after its worker died carries the same run id, and devices end what
an earlier attempt has left.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from distributed import get_worker
from pydantic import TypeAdapter

from export.manifest import read_manifest
from scripts.farm.device import Device, DeviceError, DeviceIdentity, DeviceState, DiscoveryOptions, Progress
from scripts.farm.discovery import all_discoveries, find_devices
from scripts.records import RunRequest

RESOURCE = "device:"
OPTIONS_VARIABLE = "DEEPNARROW_DISCOVERY"
_IDENTITY = TypeAdapter(DeviceIdentity)
_STATE = TypeAdapter(DeviceState)
_OPTIONS = TypeAdapter(DiscoveryOptions)
T = TypeVar("T")
# By id and airplane mode, which is the campaign's choice, not the worker's.
_devices: dict[tuple[str, bool], Device] = {}
_calls: dict[str, asyncio.Task[object]] = {}


def options_to_text(options: DiscoveryOptions) -> str:
    """For the worker's environment."""
    return _OPTIONS.dump_json(options).decode()


def identity_from_text(text: str) -> DeviceIdentity:
    """The inverse of `identity`'s result."""
    return _IDENTITY.validate_json(text)


def state_from_text(text: str) -> DeviceState:
    """The inverse of `state`'s result."""
    return _STATE.validate_json(text)


async def perform(call_id: str, function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """A task of Dask: `function(*arguments)`, which `cancel` can end.

    Raises:
        DeviceError: also for a worker's own trouble with files, which is not the scheduler's.
    """
    task = asyncio.ensure_future(function(*arguments))
    _calls[call_id] = task  # pyright: ignore[reportArgumentType] - an awaitable of a coroutine function is a task
    try:
        return await task
    except asyncio.CancelledError:
        this = asyncio.current_task()
        if this and this.cancelling():  # the worker itself is being stopped
            raise
        raise DeviceError("cancelled") from None
    except OSError as error:
        raise DeviceError(f"on the device's host: {error}") from error
    finally:
        del _calls[call_id]


async def cancel(call_id: str) -> None:
    """End a call of `perform` and wait for its end. Run past the queue of tasks, which waits for that very call."""
    if task := _calls.get(call_id):
        task.cancel()
        await asyncio.wait([task])


async def identity(device_id: str, airplane_mode: bool) -> str:
    """Discover the device of this worker anew: its system may have been updated since."""
    _devices.pop((device_id, airplane_mode), None)
    return _IDENTITY.dump_json((await _device(device_id, airplane_mode)).identity).decode()


async def prepare(device_id: str, airplane_mode: bool, topic: str) -> dict[str, str]:
    """Prepare; every change is told on `topic` before it is made, and all of them in the result."""
    changed: dict[str, str] = {}

    def remember(setting: str, prior: str) -> None:
        changed.setdefault(setting, prior)
        get_worker().log_event(topic, {"setting": setting, "prior": prior})

    await (await _device(device_id, airplane_mode)).prepare(remember)
    return changed


async def restore(device_id: str, airplane_mode: bool, prior: Mapping[str, str]) -> None:
    """Put settings back."""
    await (await _device(device_id, airplane_mode)).restore(prior)


async def state(device_id: str, airplane_mode: bool) -> str:
    """Read the sensors."""
    return _STATE.dump_json(await (await _device(device_id, airplane_mode)).state()).decode()


async def install(device_id: str, airplane_mode: bool) -> str:
    """Install the harness."""
    return await (await _device(device_id, airplane_mode)).install()


async def push(device_id: str, airplane_mode: bool, folder: str) -> str:
    """Push an artifact, which lies under the same path on this host."""
    path = Path(folder)
    if not path.is_dir():
        raise DeviceError(f"{folder} is not on this host", hint="share the artifacts folder under the same path")
    return await (await _device(device_id, airplane_mode)).push(path, read_manifest(path))


async def run(
    device_id: str, airplane_mode: bool, request: str, folder: str, topic: str, deadline_s: float
) -> str:  # fmt: skip
    """Run; the record as JSON. The artifact is pushed again, since another worker may have done it before."""
    worker = get_worker()

    def tell(progress: Progress) -> None:
        # Dask's messages take plain strings, no enums.
        worker.log_event(topic, {"stage": progress.stage.value, "done": progress.done, "total": progress.total})

    pushed = await push(device_id, airplane_mode, folder)
    device = await _device(device_id, airplane_mode)
    record = await device.run(RunRequest.model_validate_json(request), pushed, tell, deadline_s)
    return record.model_dump_json(by_alias=True)


async def abort(device_id: str, airplane_mode: bool, run_id: str) -> None:
    """End a run that an earlier worker may have begun."""
    await (await _device(device_id, airplane_mode)).abort(run_id)


async def _device(device_id: str, airplane_mode: bool) -> Device:
    key = (device_id, airplane_mode)
    if key not in _devices:
        options = _OPTIONS.validate_python(json.loads(os.environ.get(OPTIONS_VARIABLE, "{}")))
        found, problems = await find_devices(all_discoveries(replace(options, airplane_mode=airplane_mode)))
        mine = next((each for each in found if each.identity.device_id == device_id), None)
        if mine is None:
            reasons = "; ".join(f"{problem.who}: {problem.what}" for problem in problems)
            raise DeviceError(f"{device_id} is not at its worker any more{f' ({reasons})' if reasons else ''}")
        _devices[key] = mine
    return _devices[key]
