"""What runs inside the Dask worker of a device. Arguments and results are plain text, so that hosts may differ.

A worker finds its device again for itself, with the options that `farm worker` gave it; the device object lives as
long as the worker. A task that is started again after its worker died carries the same run id, and devices end what
an earlier attempt has left.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

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
_devices: dict[str, Device] = {}


def options_to_text(options: DiscoveryOptions) -> str:
    """For the worker's environment."""
    return _OPTIONS.dump_json(options).decode()


def identity_from_text(text: str) -> DeviceIdentity:
    """The inverse of `identity`'s result."""
    return _IDENTITY.validate_json(text)


def state_from_text(text: str) -> DeviceState:
    """The inverse of `state`'s result."""
    return _STATE.validate_json(text)


async def identity(device_id: str, airplane_mode: bool) -> str:
    """Find the device of this worker."""
    return _IDENTITY.dump_json((await _device(device_id, airplane_mode)).identity).decode()


async def prepare(device_id: str, topic: str) -> dict[str, str]:
    """Prepare; every change is told on `topic` before it is made, and all of them in the result."""
    changed: dict[str, str] = {}

    def remember(setting: str, prior: str) -> None:
        changed.setdefault(setting, prior)
        get_worker().log_event(topic, {"setting": setting, "prior": prior})

    await (await _device(device_id)).prepare(remember)
    return changed


async def restore(device_id: str, prior: Mapping[str, str]) -> None:
    """Put settings back."""
    await (await _device(device_id)).restore(prior)


async def state(device_id: str) -> str:
    """Read the sensors."""
    return _STATE.dump_json(await (await _device(device_id)).state()).decode()


async def install(device_id: str) -> str:
    """Install the harness."""
    return await (await _device(device_id)).install()


async def stage(device_id: str, folder: str) -> str:
    """Stage an artifact, which lies under the same path on this host."""
    path = Path(folder)
    if not path.is_dir():
        raise DeviceError(f"{folder} is not on this host", hint="share the artifacts folder under the same path")
    return await (await _device(device_id)).stage(path, read_manifest(path))


async def run(device_id: str, request: str, staged: str, topic: str, deadline_s: float) -> str:
    """Run; the record as JSON."""
    worker = get_worker()

    def tell(progress: Progress) -> None:
        # Dask's messages take plain strings, no enums.
        worker.log_event(topic, {"stage": progress.stage.value, "done": progress.done, "total": progress.total})

    device = await _device(device_id)
    record = await device.run(RunRequest.model_validate_json(request), staged, tell, deadline_s)
    return record.model_dump_json(by_alias=True)


async def abort(device_id: str, run_id: str) -> None:
    """End a run."""
    await (await _device(device_id)).abort(run_id)


async def _device(device_id: str, airplane_mode: bool = False) -> Device:
    if device_id not in _devices:
        options = _OPTIONS.validate_python(json.loads(os.environ.get(OPTIONS_VARIABLE, "{}")))
        found, problems = await find_devices(all_discoveries(replace(options, airplane_mode=airplane_mode)))
        _devices.update({each.identity.device_id: each for each in found})
        if device_id not in _devices:
            reasons = "; ".join(f"{problem.who}: {problem.what}" for problem in problems)
            raise DeviceError(f"{device_id} is not at its worker any more{f' ({reasons})' if reasons else ''}")
    return _devices[device_id]
