"""The gate before a run, as the farm sees the device; the harness has the same limits and looks again."""

import asyncio
import time
from collections.abc import Callable

from scripts.farm.device import Device, DeviceError, DeviceState
from scripts.records import FailureKind, GateLimits, Skipped

GATE_PERIOD_S = 5.0


async def await_gate(device: Device, limits: GateLimits, on_wait: Callable[[DeviceState, str], None]) -> Skipped | None:
    """Wait until the device is within the limits.

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
        shut = shut_gate(state, limits)
        if shut is None:
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            return Skipped(message=f"{shut} after {limits.wait_s} s")
        on_wait(state, shut)
        await asyncio.sleep(min(GATE_PERIOD_S, left))


def shut_gate(state: DeviceState, limits: GateLimits) -> str | None:
    """The first limit that does not hold, in words. What the device does not tell passes."""
    celsius, status, percent = state.battery_celsius, state.thermal_status, state.battery_percent
    if None not in (celsius, limits.max_battery_celsius) and celsius > limits.max_battery_celsius:
        return f"battery at {celsius} C, above max_battery_celsius {limits.max_battery_celsius}"
    if None not in (status, limits.max_thermal_status) and status > limits.max_thermal_status:
        return f"thermal status {status}, above max_thermal_status {limits.max_thermal_status}"
    if None not in (percent, limits.min_battery_percent) and percent < limits.min_battery_percent:
        return f"battery at {percent} %, below min_battery_percent {limits.min_battery_percent}"
    return None
