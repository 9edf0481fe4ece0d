"""This machine, now: what `/proc` and `/sys` tell. Where they do not (no Linux), None: not measured is not zero."""

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path

from scripts.host.machine import this_machine
from scripts.records import Core, DeviceFacts, DeviceKind, Environment, MemoryPoint, Stage

_SUPPLIES = Path("/sys/class/power_supply")
_DMI = Path("/sys/class/dmi/id")


def usable_cores() -> list[int]:
    """Ids of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def device_facts() -> DeviceFacts:
    """The machine as records carry it."""
    machine = this_machine()
    return DeviceFacts(
        kind=DeviceKind.HOST, os=platform.system().lower(), os_version=_os_version(), os_build=platform.release(),
        manufacturer=_text(_DMI / "sys_vendor"), model=_text(_DMI / "product_name") or machine.processor,
        soc=machine.processor, abi=platform.machine(), ram_bytes=machine.memory_bytes,
        cores=tuple(Core(id=core, max_khz=_khz(core, "cpuinfo_max_freq")) for core in usable_cores()),
    )  # fmt: skip


def environment() -> Environment:
    """A snapshot. A battery is read where there is one; hosts have no common thermal status."""
    battery = next((path for path in sorted(_SUPPLIES.glob("*")) if _text(path / "type") == "Battery"), None)
    status = _text(battery / "status") if battery else None
    current = _number(battery / "current_now") if battery else None
    celsius = _number(battery / "temp") if battery else None
    return Environment(
        time_utc=datetime.now(UTC).isoformat(timespec="milliseconds"), monotonic_ns=time.monotonic_ns(),
        boot_ns=time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else None,
        thermal_status=None, thermal_headroom=None,
        battery_percent=_number(battery / "capacity") if battery else None,
        battery_celsius=celsius / 10 if celsius is not None else None, battery_current_ua=current,
        plugged=status != "Discharging" if status else None, power_save=None, foreground=None,
        core_khz=tuple(_khz(core, "scaling_cur_freq") for core in usable_cores()),
        available_ram_bytes=_kib_field(Path("/proc/meminfo"), "MemAvailable"), load_average=os.getloadavg()[0],
    )  # fmt: skip


def memory_point(after: Stage) -> MemoryPoint:
    """Memory of this process."""
    status = Path("/proc/self/status")
    return MemoryPoint(
        after=after, rss_bytes=_kib_field(status, "VmRSS"), anonymous_bytes=_kib_field(status, "RssAnon"),
        file_bytes=_kib_field(status, "RssFile"), swap_bytes=_kib_field(status, "VmSwap"),
        high_water_bytes=_kib_field(status, "VmHWM"),
    )  # fmt: skip


def busy_core_ns() -> int | None:
    """Processor time that all processes of the machine but this one have used, in nanoseconds; time stolen included."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    # proc(5): user nice system idle iowait irq softirq steal, in ticks; guests are counted in user already.
    ticks = [int(word) for word in stat.read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    return busy * (1_000_000_000 // os.sysconf("SC_CLK_TCK")) - time.process_time_ns()


def thread_count() -> int | None:
    """Threads of this process."""
    tasks = Path("/proc/self/task")
    return sum(1 for _ in tasks.iterdir()) if tasks.is_dir() else None


def _os_version() -> str:
    if platform.system() == "Darwin":
        return platform.mac_ver()[0]
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.version())
    except OSError:
        return platform.version()


def _khz(core: int, name: str) -> int | None:
    return _number(Path(f"/sys/devices/system/cpu/cpu{core}/cpufreq/{name}"))


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _kib_field(path: Path, field: str) -> int | None:
    for line in (_text(path) or "").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return None
