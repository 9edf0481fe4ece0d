"""`worker`: one Dask worker process per device of this host, for as long as the device can be used.

A live worker's resources are never changed: Dask would not wake the tasks that wait for them. A device that goes away
takes its worker with it, and one that comes gets a new worker.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from export.console import say
from scripts.farm.dask.options import DaskOptions, host_of, is_own
from scripts.farm.dask.remote import OPTIONS_VARIABLE, RESOURCE, options_to_text
from scripts.farm.device import DiscoveryOptions
from scripts.farm.discovery import all_discoveries, find_devices

ROOT = Path(__file__).resolve().parents[3]
WATCH_PERIOD_S = 10.0
STOP_TIMEOUT_S = 20.0


@dataclass(slots=True)
class Workers:
    """The worker processes of this host, by device."""

    dask: DaskOptions
    options: DiscoveryOptions
    _processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def match(self, device_ids: set[str]) -> None:
        """Start and stop until there is one live worker for each device."""
        for device_id, process in list(self._processes.items()):
            if process.returncode is not None:
                say(f"{device_id}: its worker ended with exit code {process.returncode}")
                del self._processes[device_id]
            elif device_id not in device_ids:
                say(f"{device_id}: gone, its worker is stopped")
                await _stop(self._processes.pop(device_id))
        for device_id in sorted(device_ids - self._processes.keys()):
            self._processes[device_id] = await self._start(device_id)
            say(f"{device_id}: worker {self._processes[device_id].pid} started")

    async def stop(self) -> None:
        """Stop them all."""
        await asyncio.gather(*(_stop(process) for process in self._processes.values()))

    async def _start(self, device_id: str) -> asyncio.subprocess.Process:
        files = self.dask.tls_files
        names = ("--tls-ca-file", "--tls-cert", "--tls-key")
        tls = [word for pair in zip(names, files, strict=True) for word in pair] if files else []
        # A worker runs what it is sent, too, and listens on all interfaces unless it is told.
        place = [] if files or not is_own(self.dask.address) else ["--host", host_of(self.dask.address)]
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "distributed.cli.dask_worker", self.dask.address, "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--name", f"{socket.gethostname()}/{device_id}", "--resources",
            f"{RESOURCE}{device_id}=1", *place, *tls, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, OPTIONS_VARIABLE: options_to_text(self.options), "PYTHONPATH": str(ROOT)},
        )  # fmt: skip


async def serve(dask: DaskOptions, options: DiscoveryOptions) -> None:
    """Watch the devices until the process is interrupted; then stop every worker."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    workers = Workers(dask, options)
    try:
        while True:
            devices, _ = await find_devices(all_discoveries(options))
            await workers.match({device.identity.device_id for device in devices})
            await asyncio.sleep(WATCH_PERIOD_S)
    finally:
        await workers.stop()


async def _stop(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
