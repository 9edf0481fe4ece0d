"""The limits before a run, as the farm sees the device; the harness has the same ones and looks again."""

import asyncio
import time
from collections.abc import Callable

from scripts.farm.device import Device, DeviceError, DeviceState
from scripts.records import FailureKind, Skipped, StartLimits

PERIOD_S = 5.0


OnState = Callable[[DeviceState, str | None], None]


async def await_start(device: Device, limits: StartLimits, on_state: OnState) -> Skipped | None:
    """Wait until the device is within the limits. `on_state` is told every reading and the limit that it breaks.

    Returns:
        None when it is; the outcome of the run if it is not after `limits.wait_s`.

    Raises:
        DeviceError: somebody has overridden its sensors.
    """
    deadline = time.monotonic() + limits.wait_s
    while True:
        state = await device.state()
        if state.overridden:
            names = " and ".join(state.overridden)
            hint = "adb shell cmd thermalservice reset; adb shell dumpsys battery reset"
            raise DeviceError(f"{names} overridden: the device does not tell the truth", FailureKind.DEVICE, hint)
        broken = broken_limit(state, limits)
        on_state(state, broken)
        if broken is None:
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            return Skipped(message=f"{broken} after {limits.wait_s} s")
        await asyncio.sleep(min(PERIOD_S, left))


def broken_limit(state: DeviceState, limits: StartLimits) -> str | None:
    """The first limit that does not hold, in words. What the device does not tell passes."""
    celsius, hottest = state.battery_celsius, limits.max_battery_celsius
    status, worst = state.thermal_status, limits.max_thermal_status
    percent, least = state.battery_percent, limits.min_battery_percent
    if celsius is not None and hottest is not None and celsius > hottest:
        return f"battery at {celsius} C, above max_battery_celsius {hottest}"
    if status is not None and worst is not None and status > worst:
        return f"thermal status {status}, above max_thermal_status {worst}"
    if percent is not None and least is not None and percent < least:
        return f"battery at {percent} %, below min_battery_percent {least}"
    return None
