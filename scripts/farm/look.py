"""What `quick` says before it measures: whether the device is busy or warm, and about how long the runs will take."""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.farm.device import Device
from scripts.farm.plan import Slot
from scripts.host.environment import busy_core_ns, usable_cores
from scripts.records import DeviceKind, StartLimits

# As long as a run: shorter looks catch single moments.
LOOK_S = 1.5
# Processor cores used by others above which the host's harness warns of a busy machine.
BUSY_CORES = 0.1
# A run besides its tokens: process, imports, load, probe; on a phone also the way there and back.
_HOST_START_S, _PHONE_START_S = 2.5, 6.0
# Weight bytes that steps and prompts pass each second, on a desktop of 2 cores; their order of magnitude is enough.
_STEP_BYTES_PER_S, _PREFILL_BYTES_PER_S = 12e9, 60e9
# Tokens of the self-check: its texts, and the steps after them.
_CHECK_PREFILL, _CHECK_STEPS = 600, 96


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """A device before its first run.

    Attributes:
        doubts: why its numbers will have to be read with care, and what to do about it; one line each.
        slowdown: how many times longer everything takes because others use the processor.
    """

    doubts: tuple[str, ...]
    slowdown: float


async def look_at(device: Device, limits: StartLimits) -> Look:
    """Look at the processor of this machine, or at the sensors of a phone."""
    if device.identity.kind is DeviceKind.HOST:
        return _host_look(await _busy_cores(), len(usable_cores()))
    state = await device.state()
    doubts: list[str] = []
    celsius, limit = state.battery_celsius, limits.max_battery_celsius
    if celsius is not None and limit is not None and celsius > limit:
        doubts.append(f"the battery is at {celsius:.1f} C; runs wait for {limit:.1f} C: put the phone in the open air")
    if state.plugged:
        doubts.append("the phone charges: charging warms it, and its numbers are not compared with unplugged ones")
    if state.power_save:
        doubts.append("power save is on, which slows the processor: switch it off")
    return Look(doubts=tuple(doubts), slowdown=1.0)


def expected_seconds(slots: Sequence[Slot], kind: DeviceKind, slowdown: float) -> float:
    """About how long these runs take together, without waiting for a phone to cool."""
    start = _HOST_START_S if kind is DeviceKind.HOST else _PHONE_START_S
    return slowdown * sum(start + _token_seconds(slot) for slot in slots)


def told_duration(seconds: float) -> str:
    """`about 50 s`, `about 4 min`."""
    return f"about {10 * max(1, round(seconds / 10))} s" if seconds < 90 else f"about {round(seconds / 60)} min"


async def _busy_cores() -> float | None:
    """Cores that other processes keep busy; None where the system does not tell."""
    began, before = time.monotonic_ns(), busy_core_ns()
    await asyncio.sleep(LOOK_S)
    after, ended = busy_core_ns(), time.monotonic_ns()
    return None if before is None or after is None else (after - before) / (ended - began)


def _host_look(busy: float | None, cores: int) -> Look:
    if busy is None or busy <= BUSY_CORES:
        return Look(doubts=(), slowdown=1.0)
    doubt = (
        f"this machine is busy: others use {busy:.1f} of its {cores} cores. Times will be longer and spread "
        "more; stop what you can, or measure later"
    )
    # Of n processes that want the cores each gets its share; the load average says how many want them.
    return Look(doubts=(doubt,), slowdown=max(1.0, (os.getloadavg()[0] + 1) / cores))


def _token_seconds(slot: Slot) -> float:
    protocol, weights = slot.protocol, slot.artifact.manifest.cost_per_token.weight_bytes_read
    steps = len(protocol.contexts) * (protocol.warm_up_steps + protocol.decode_steps) + _CHECK_STEPS
    prefill = (
        sum(protocol.contexts) + sum(protocol.prompt_lengths) * (1 + protocol.prefill_repetitions) + _CHECK_PREFILL
    )
    return weights * (steps / _STEP_BYTES_PER_S + prefill / _PREFILL_BYTES_PER_S) + (protocol.sustained_s or 0)
