"""Settings, sensors and links of Android devices: changed and put back, read, waited for."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.farm.android.device import AdbDevice, AdbDiscovery, identity_of
from scripts.farm.android.link import AdbLink
from scripts.farm.android.server import AdbOutput, AdbServer
from scripts.farm.android.state import parse_state
from scripts.farm.device import DeviceError, DiscoveryOptions, Remember
from scripts.farm.start_limits import await_start
from scripts.records import StartLimits
from scripts.testing.android.fake_phone import ANDROID_S, OFFLINE_S
from tests.scripts.farm.android.conftest import Connected, MakePhone, wait_for


def first_of(remembered: dict[str, str]) -> Remember:
    """Keeps the first value of each setting, as the farm does."""

    def remember(setting: str, prior: str) -> None:
        remembered.setdefault(setting, prior)

    return remember


def test_settings_are_changed_remembered_and_put_back(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone)
    phone.state.settings["global", "window_animation_scale"] = "1.5"
    before = dict(phone.state.settings)
    remembered: dict[str, str] = {}
    wait_for(device.prepare(first_of(remembered)))
    assert phone.state.settings["global", "window_animation_scale"] == "0"
    assert phone.state.settings["global", "stay_on_while_plugged_in"] == "7"
    assert phone.state.fixed_performance
    assert remembered["window_animation_scale"] == "1.5"
    wait_for(device.prepare(first_of(remembered)))
    wait_for(device.restore(remembered))
    assert phone.state.settings == before
    assert not phone.state.fixed_performance


def test_airplane_mode_is_left_again(make_phone: MakePhone) -> None:
    phone = make_phone()

    async def fly() -> dict[str, str]:
        discovery = AdbDiscovery(DiscoveryOptions(adb_connect=(phone.address,), airplane_mode=True))
        device = (await discovery.devices())[0]
        remembered: dict[str, str] = {}
        await device.prepare(first_of(remembered))
        assert phone.state.settings["global", "airplane_mode_on"] == "1"
        await device.restore(remembered)
        return remembered

    assert wait_for(fly())["airplane_mode"] == "disabled"
    assert phone.state.settings["global", "airplane_mode_on"] == "0"


def test_a_setting_from_elsewhere_is_not_executed(make_phone: MakePhone, connected: Connected) -> None:
    device = connected(make_phone(), installed=False)
    for prior in ({"colour": "1"}, {"window_animation_scale": "1; reboot"}):
        with pytest.raises(DeviceError, match="not a setting"):
            wait_for(device.restore(prior))


def test_a_value_that_could_not_be_put_back_is_never_changed(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    phone.state.settings["global", "animator_duration_scale"] = "1,5"
    before = dict(phone.state.settings)
    remembered: dict[str, str] = {}
    with pytest.raises(DeviceError, match="animator_duration_scale is '1,5'"):
        wait_for(device.prepare(first_of(remembered)))
    assert phone.state.settings == before
    assert remembered == {}


def test_one_bad_value_does_not_keep_the_others(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    phone.state.settings["global", "window_animation_scale"] = "0"
    phone.state.fixed_performance = True
    prior = {"colour": "1", "window_animation_scale": "1.5", "fixed_performance": "false"}
    with pytest.raises(DeviceError, match="colour"):
        wait_for(device.restore(prior))
    assert phone.state.settings["global", "window_animation_scale"] == "1.5"
    assert not phone.state.fixed_performance


@pytest.mark.parametrize(
    ("serial", "over_tcp"),
    [("R5CT30XXXX", False), ("10.0.0.7:5555", True), ("adb-R5CT30-abc._adb-tls-connect._tcp", True),
     ("adb-R5CT30-abc (2)._adb-tls-connect._tcp.", True), ("emulator-5554", False)],
)  # fmt: skip
def test_phones_on_the_network_are_not_cut_off(serial: str, over_tcp: bool) -> None:
    link = AdbLink(AdbServer("127.0.0.1", 9), serial)
    assert link.over_tcp == over_tcp
    options = DiscoveryOptions(airplane_mode=True)
    device = AdbDevice(link, identity_of({"ro.serialno": "R5CT30"}, serial, options), 35, options)
    if over_tcp:
        with pytest.raises(DeviceError, match="airplane_mode would cut off"):
            wait_for(device.prepare(lambda setting, prior: None))


def test_a_restarted_phone_is_waited_for_until_android_is_up(make_phone: MakePhone, connected: Connected) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)
    link = device._link  # pyright: ignore[reportPrivateUsage]
    phone.restart()
    assert not phone.state.is_booted
    wait_for(link.settle())
    assert phone.state.is_booted
    phone.restart()
    with pytest.raises(DeviceError):
        wait_for(link.settle(OFFLINE_S + ANDROID_S / 2))


def test_a_slow_link_has_time() -> None:
    """A model of 300 MiB at 1 MiB/s."""
    asked: list[float] = []

    class Recorder(AdbLink):
        async def adb(self, words: Sequence[str], timeout_s: float) -> AdbOutput:
            asked.append(timeout_s)
            return AdbOutput(0, "")

    wait_for(Recorder(AdbServer("127.0.0.1", 9), "R5").push(Path("model"), "/data/local/tmp/model", 300 << 20))
    assert asked[0] > 300


def test_sensors_are_read(make_phone: MakePhone, connected: Connected) -> None:
    state = wait_for(connected(make_phone("hot=45.5"), installed=False).state())
    assert state.battery_celsius == 45.5
    assert (state.thermal_status, state.battery_percent, state.plugged) == (2, 82, False)
    assert state.overridden == ()


@pytest.mark.parametrize(
    ("command", "told"),
    [("cmd thermalservice override-status 0", "thermal status"), ("dumpsys battery unplug", "battery")],
)
def test_a_faked_sensor_is_refused(make_phone: MakePhone, connected: Connected, command: str, told: str) -> None:
    phone = make_phone()
    device = connected(phone, installed=False)

    async def gate() -> None:
        await AdbLink(device._link.server, phone.address).must(command)  # pyright: ignore[reportPrivateUsage]
        await await_start(device, StartLimits(), lambda state, shut: None)

    with pytest.raises(DeviceError, match=f"{told} overridden"):
        asyncio.run(gate())


def test_a_thermal_service_without_hardware_is_no_reading() -> None:
    state = parse_state("level: 80\n  temperature: 305\n", "HAL Ready: false\nThermal Status: 0\n", "null")
    assert (state.thermal_status, state.battery_celsius, state.power_save) == (None, 30.5, None)
    nothing = parse_state("Can't find service: battery\n", "", "1")
    assert (nothing.battery_celsius, nothing.plugged, nothing.power_save) == (None, None, True)
