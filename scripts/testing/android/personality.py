"""Who a fake phone is: a TOML file with the facts that a real one tells, and how it heats up."""

import math
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from export.files import first_fault
from models.errors import UserError
from scripts.records import Core, DeviceFacts, DeviceKind

# Temperatures at which Android's status rises to light, moderate and severe.
STATUS_CELSIUS = (41.0, 44.0, 47.0)


class ThermalCurve(BaseModel):
    """Exponential approach to a temperature that depends on whether a run is active.

    Attributes:
        time_scale: seconds of the phone's heat for each second of the clock, so that tests need not wait.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    start_celsius: float = 29.0
    idle_celsius: float = 28.0
    busy_celsius: float = 42.0
    time_constant_s: float = 180.0
    time_scale: float = 1.0


class Personality(BaseModel):
    """A phone's facts, named as in Android's properties where it has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    manufacturer: str = "Fake"
    model: str = "Fake Phone 1"
    soc: str = "FAKE8000"
    android: str = "15"
    sdk: int = 35
    build: str = "fake/phone/phone:15/AP3A.000/1:user/release-keys"
    abi: str = "arm64-v8a"
    ram_bytes: int = 8 << 30
    core_max_khz: tuple[int, ...] = (1_800_000,) * 4 + (2_800_000,) * 4
    battery_percent: int = 82
    plugged: bool = False
    thermal: ThermalCurve = ThermalCurve()

    @property
    def device(self) -> DeviceFacts:
        """As the record carries it: a fake, whatever else it says."""
        cores = tuple(Core(id=number, max_khz=khz) for number, khz in enumerate(self.core_max_khz))
        return DeviceFacts(
            kind=DeviceKind.FAKE, os="android", os_version=self.android, os_build=self.build,
            manufacturer=self.manufacturer, model=self.model, soc=self.soc, abi=self.abi, cores=cores,
            ram_bytes=self.ram_bytes,
        )  # fmt: skip


class Heat:
    """The battery's temperature over time. Not safe for several threads: the phone locks."""

    def __init__(self, curve: ThermalCurve, now_s: float) -> None:
        self._curve, self._celsius, self._at_s, self._busy = curve, curve.start_celsius, now_s, False

    def celsius(self, now_s: float) -> float:
        """Now."""
        curve = self._curve
        target = curve.busy_celsius if self._busy else curve.idle_celsius
        passed = (now_s - self._at_s) * curve.time_scale
        self._celsius = target + (self._celsius - target) * math.exp(-passed / curve.time_constant_s)
        self._at_s = now_s
        return self._celsius

    def set_busy(self, busy: bool, now_s: float) -> None:
        """A run begins or ends."""
        self.celsius(now_s)
        self._busy = busy


def thermal_status(celsius: float) -> int:
    """Android's status, 0 to 3, at a temperature."""
    return sum(celsius >= limit for limit in STATUS_CELSIUS)


def read_personality(path: Path | None) -> Personality:
    """The personality in a TOML file, or the default one.

    Raises:
        UserError: no such file, or not one.
    """
    if path is None:
        return Personality()
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return Personality.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: no TOML: {error}") from error
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error)}") from error
