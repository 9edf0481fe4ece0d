"""State of an Android device: its sensors, and the settings that the farm changes and puts back."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from scripts.farm.android.link import AdbLink
from scripts.farm.android.server import device_error
from scripts.farm.device import DeviceError, DeviceState, Remember

SDK_WITH_FIXED_PERFORMANCE = 30
FIXED_PERFORMANCE, AIRPLANE, POWER_SAVE = "fixed_performance", "airplane_mode", "power_save"
WORST_STATUS = 6
_UNSET = "null"
_RESTORABLE = re.compile(r"-?\d+(\.\d+)?|null")


@dataclass(frozen=True, slots=True)
class _Setting:
    """A row of Android's settings.

    Attributes:
        wanted: value for measuring.
        change: command that brings it there.
        keep: command that leaves it where it is, with `{prior}` for that value; it needs the same permission.
    """

    wanted: str
    change: str
    keep: str


_GLOBAL = {
    name: _Setting("0", f"settings put global {name} 0", f"settings put global {name} {{prior}}")
    for name in ("window_animation_scale", "transition_animation_scale", "animator_duration_scale")
}
_STAY_ON = "stay_on_while_plugged_in"
# 7: on any charger. Newer Androids add 8 for docks, so any value but 0 counts as awake.
_SETTINGS = {_STAY_ON: _Setting("7", "svc power stayon true", "svc power stayon false"), **_GLOBAL}

# A phone that lets adb press no keys is woken by the harness's own screen.
_WAKE = {"waking the screen": "input keyevent KEYCODE_WAKEUP", "leaving the lock screen": "wm dismiss-keyguard"}


async def read_state(link: AdbLink) -> DeviceState:
    """Battery, heat, and whether somebody fakes them. A phone that tells neither heat nor saver has no such reading."""
    battery = await link.must("dumpsys battery")
    thermal = (await link.shell("dumpsys thermalservice")).out
    saver = (await link.shell("settings get global low_power")).out.strip()
    return parse_state(battery, thermal, saver)


def parse_state(battery: str, thermal: str, power_save: str) -> DeviceState:
    """The state in the texts of `dumpsys battery`, `dumpsys thermalservice` and the setting `low_power`.

    A thermal service without its hardware layer reports 0 for ever; that is no reading. Nor is an absent battery.
    """
    values, heat = _fields(battery), _fields(thermal)
    is_there = values.get("present") != "false"
    faked = {
        "thermal status": heat.get("isstatusoverride") == "true",
        "battery": "updates stopped" in battery.lower(),
    }
    plugged = [value == "true" for name, value in values.items() if name.endswith(" powered")]
    return DeviceState(
        battery_celsius=_celsius(values.get("temperature", "")) if is_there else None,
        thermal_status=_status(heat.get("thermal status", "")) if heat.get("hal ready") != "false" else None,
        battery_percent=_percent(values.get("level", ""), values.get("scale", "")) if is_there else None,
        plugged=any(plugged) if plugged else None,
        power_save={"0": False, "1": True}.get(power_save),
        overridden=tuple(name for name, is_faked in faked.items() if is_faked),
    )


def _celsius(text: str) -> float | None:
    """Android counts in tenths; a text with a point is in degrees already."""
    if not _is_number(text):
        return None
    return float(text) if "." in text else int(text) / 10


def _percent(level: str, scale: str) -> int | None:
    if not _is_number(level) or "." in level:
        return None
    full = int(scale) if scale.isdecimal() and int(scale) else 100
    return round(100 * int(level) / full)


def _status(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) <= WORST_STATUS else None


async def prepare(link: AdbLink, remember: Remember, sdk: int, airplane_mode: bool) -> tuple[str, ...]:
    """Awake, unlocked if no code is asked, no animations, no battery saver, fixed performance where offered.

    Returns:
        a line for each thing that the phone refuses; it is not noted as changed.

    Raises:
        DeviceError: an old value could not be put back; nothing was changed then.
    """
    refused: list[str] = []
    for name, prior in (await _to_change(link)).items():
        setting = _SETTINGS[name]
        keep = f"settings delete global {name}" if prior == _UNSET else setting.keep.format(prior=prior)
        if problem := await _refusal(link, setting.keep if name == _STAY_ON else keep):
            refused.append(f"{name} stays {prior}: {problem}")
            continue
        remember(name, prior)
        if problem := await _refusal(link, setting.change):
            refused.append(f"{name}: {problem}")
    if (await link.shell("settings get global low_power")).out.strip() == "1":
        refused += await _leave_power_save(link, remember)
    if sdk >= SDK_WITH_FIXED_PERFORMANCE:
        remember(FIXED_PERFORMANCE, "false")
        # A chip without it says so by its exit code; its clocks are in the records.
        await link.shell("cmd power set-fixed-performance-mode-enabled true")
    if airplane_mode:
        refused += await _enter_airplane_mode(link, remember, sdk)
    for what, command in _WAKE.items():
        if problem := await _refusal(link, command):
            refused.append(f"{what}: {problem}")
    return tuple(refused)


async def _refusal(link: AdbLink, command: str) -> str | None:
    """Run a command that a maker may refuse.

    Returns:
        None, or what the phone said and what to do.
    """
    done = await link.shell(command)
    if not done.code:
        return None
    lines = [line.strip() for line in done.text.splitlines() if line.strip()]
    error = device_error(next((line for line in lines if "Exception:" in line), lines[-1] if lines else ""))
    said = str(error) or f"{command}: exit code {done.code}"
    return f"{said} ({error.hint})" if error.hint else said


async def _leave_power_save(link: AdbLink, remember: Remember) -> list[str]:
    if problem := await _refusal(link, "cmd power set-mode 1"):
        return [f"battery saver stays on: {problem}"]
    remember(POWER_SAVE, "1")
    problem = await _refusal(link, "cmd power set-mode 0")
    return [f"battery saver stays on: {problem}"] if problem else []


async def _to_change(link: AdbLink) -> dict[str, str]:
    """Old values of the settings that are not as they should be, all of which `restore` can put back."""
    priors: dict[str, str] = {}
    for name, setting in _SETTINGS.items():
        prior = (await link.must(f"settings get global {name}")).strip() or _UNSET
        is_awake = name == _STAY_ON and prior not in ("0", _UNSET)
        if prior == setting.wanted or is_awake:
            continue
        if not _RESTORABLE.fullmatch(prior):
            hint = f"set it by hand: adb shell settings put global {name} {setting.wanted}"
            raise DeviceError(f"{name} is {prior!r}, no number, and could not be put back as it was", hint=hint)
        priors[name] = prior
    return priors


async def _enter_airplane_mode(link: AdbLink, remember: Remember, sdk: int) -> list[str]:
    if sdk < SDK_WITH_FIXED_PERFORMANCE:
        hint = "switch it on by hand, and leave discovery.airplane_mode out"
        raise DeviceError("airplane_mode needs Android 11 or newer without root", hint=hint)
    if (await link.must("cmd connectivity airplane-mode")).strip() == "enabled":
        return []
    if problem := await _refusal(link, "cmd connectivity airplane-mode disable"):
        return [f"airplane mode stays off: {problem}"]
    remember(AIRPLANE, "disabled")
    problem = await _refusal(link, "cmd connectivity airplane-mode enable")
    return [f"airplane mode stays off: {problem}"] if problem else []


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
        if done.code and name != FIXED_PERFORMANCE and not await _is_back(link, name, value):
            failed.append(f"{name}: {device_error(done.text)}")
    if failed:
        raise DeviceError(f"could not be put back: {'; '.join(failed)}", hint="set it by hand")


async def _is_back(link: AdbLink, name: str, value: str) -> bool:
    """Whether a setting that the phone does not let us write is as it was anyhow."""
    return name in _SETTINGS and (await link.shell(f"settings get global {name}")).out.strip() == value


def _command_to_restore(name: str, value: str) -> str:
    if name == FIXED_PERFORMANCE:
        return f"cmd power set-fixed-performance-mode-enabled {value}"
    if name == AIRPLANE:
        return "cmd connectivity airplane-mode disable"
    if name == POWER_SAVE:
        return f"cmd power set-mode {value}"
    if name not in _SETTINGS or not _RESTORABLE.fullmatch(value):
        raise DeviceError(f"{name} = {value}: not a setting that this version changes", hint="put it back by hand")
    if name == _STAY_ON and value in ("0", _UNSET):
        # Makers that refuse `settings` allow this one, which `prepare` has used, too.
        return (
            f"settings delete global {name} || svc power stayon false" if value == _UNSET else "svc power stayon false"
        )
    return f"settings delete global {name}" if value == _UNSET else f"settings put global {name} {value}"


def _fields(text: str) -> dict[str, str]:
    """`name: value` lines by lower-case name; the first of a name counts, later ones are of other sections."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
