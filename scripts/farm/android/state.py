"""State of an Android device: its sensors, and the settings that the farm changes and puts back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.farm.android.link import AdbLink
from scripts.farm.device import DeviceError, DeviceState, Remember

SDK_WITH_FIXED_PERFORMANCE = 30
FIXED_PERFORMANCE, AIRPLANE, POWER_SAVE = "fixed_performance", "airplane_mode", "power_save"
_UNSET = "null"
_RESTORABLE = re.compile(r"-?\d+(\.\d+)?|null")


@dataclass(frozen=True, slots=True)
class _Setting:
    """A row of Android's settings.

    Attributes:
        wanted: value for measuring.
        change: command that brings it there.
    """

    wanted: str
    change: str


_GLOBAL = {
    name: _Setting("0", f"settings put global {name} 0")
    for name in ("window_animation_scale", "transition_animation_scale", "animator_duration_scale")
}
_STAY_ON = "stay_on_while_plugged_in"
# 7: on any charger. Newer Androids add 8 for docks, so any value but 0 counts as awake.
_SETTINGS = {_STAY_ON: _Setting("7", "svc power stayon true"), **_GLOBAL}


async def read_state(link: AdbLink) -> DeviceState:
    """Battery, heat, and whether somebody fakes them."""
    battery = await link.must("dumpsys battery")
    thermal = await link.must("dumpsys thermalservice")
    saver = (await link.must("settings get global low_power")).strip()
    return parse_state(battery, thermal, saver)


def parse_state(battery: str, thermal: str, power_save: str) -> DeviceState:
    """The state in the texts of `dumpsys battery`, `dumpsys thermalservice` and the setting `low_power`.

    A thermal service without its hardware layer reports 0 for ever; that is no reading.
    """
    values = _fields(battery)
    heat = _fields(thermal)
    tenths, level, status = values.get("temperature"), values.get("level"), heat.get("Thermal Status")
    faked = {
        "thermal status": heat.get("IsStatusOverride") == "true",
        "battery": "UPDATES STOPPED" in battery,
    }
    plugged = [value == "true" for name, value in values.items() if name.endswith(" powered")]
    return DeviceState(
        battery_celsius=int(tenths) / 10 if tenths and _is_number(tenths) else None,
        thermal_status=int(status) if status and _is_number(status) and heat.get("HAL Ready") != "false" else None,
        battery_percent=int(level) if level and _is_number(level) else None,
        plugged=any(plugged) if plugged else None,
        power_save={"0": False, "1": True}.get(power_save),
        overridden=tuple(name for name, is_faked in faked.items() if is_faked),
    )


async def prepare(link: AdbLink, remember: Remember, sdk: int, airplane_mode: bool) -> None:
    """Awake, unlocked if no code is asked, no animations, no battery saver, fixed performance where offered.

    Raises:
        DeviceError: an old value could not be put back; nothing was changed then.
    """
    for name, prior in (await _to_change(link)).items():
        remember(name, prior)
        await link.must(_SETTINGS[name].change)
    if (await link.must("settings get global low_power")).strip() == "1":
        remember(POWER_SAVE, "1")
        await link.must("cmd power set-mode 0")
    if sdk >= SDK_WITH_FIXED_PERFORMANCE:
        remember(FIXED_PERFORMANCE, "false")
        # A chip without it says so by its exit code; its clocks are in the records.
        await link.shell("cmd power set-fixed-performance-mode-enabled true")
    if airplane_mode:
        await _enter_airplane_mode(link, remember, sdk)
    await link.must("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")


async def _to_change(link: AdbLink) -> dict[str, str]:
    """Old values of the settings that are not as they should be, all of which `restore` can put back."""
    priors: dict[str, str] = {}
    for name, setting in _SETTINGS.items():
        prior = (await link.must(f"settings get global {name}")).strip()
        is_awake = name == _STAY_ON and prior not in ("0", _UNSET)
        if prior == setting.wanted or is_awake:
            continue
        if not _RESTORABLE.fullmatch(prior):
            hint = f"set it by hand: adb shell settings put global {name} {setting.wanted}"
            raise DeviceError(f"{name} is {prior!r}, no number, and could not be put back as it was", hint=hint)
        priors[name] = prior
    return priors


async def _enter_airplane_mode(link: AdbLink, remember: Remember, sdk: int) -> None:
    if sdk < SDK_WITH_FIXED_PERFORMANCE:
        hint = "switch it on by hand, and leave discovery.airplane_mode out"
        raise DeviceError("airplane_mode needs Android 11 or newer without root", hint=hint)
    if (await link.must("cmd connectivity airplane-mode")).strip() != "enabled":
        remember(AIRPLANE, "disabled")
        await link.must("cmd connectivity airplane-mode enable")


async def restore(link: AdbLink, prior: Mapping[str, str]) -> None:
    """Put back what `prepare` has changed.

    Raises:
        DeviceError: a setting could not be put back; all others were tried.
    """
    failed: list[str] = []
    for name, value in prior.items():
        try:
            done = await link.shell(_command_to_restore(name, value))
        except DeviceError as error:
            failed.append(f"{name}: {error}")
            continue
        if done.code and name != FIXED_PERFORMANCE:
            failed.append(f"{name}: {done.text}")
    if failed:
        raise DeviceError(f"could not be put back: {'; '.join(failed)}", hint="set it by hand")


def _command_to_restore(name: str, value: str) -> str:
    if name == FIXED_PERFORMANCE:
        return f"cmd power set-fixed-performance-mode-enabled {value}"
    if name == AIRPLANE:
        return "cmd connectivity airplane-mode disable"
    if name == POWER_SAVE:
        return f"cmd power set-mode {value}"
    if name not in _SETTINGS or not _RESTORABLE.fullmatch(value):
        raise DeviceError(f"{name} = {value}: not a setting that this version changes", hint="put it back by hand")
    return f"settings delete global {name}" if value == _UNSET else f"settings put global {name} {value}"


def _fields(text: str) -> dict[str, str]:
    """`name: value` lines; the first of a name counts, later ones are of other sections."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.strip().partition(": ")
        if colon:
            fields.setdefault(name, value.strip())
    return fields


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+", text) is not None
