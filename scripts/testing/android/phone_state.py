"""What a fake phone remembers: its storage, settings, packages, temperature and the run that is active."""

import subprocess
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from scripts.testing.android.faults import Fault, Faults
from scripts.testing.android.personality import Heat, Personality

PACKAGE = "dev.deepnarrow.harness"
MEDIA_DIR = f"/sdcard/Android/media/{PACKAGE}"
MODEL_DIR = "/data/local/tmp/deepnarrow"
SHARED_STORAGE = "/storage/emulated/0"


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of logcat.

    Attributes:
        at_s: on the phone's wall clock.
        pid: of the process that wrote it.
    """

    at_s: float
    pid: int
    tag: str
    text: str

    def __str__(self) -> str:
        """As in logcat's format `threadtime`, in UTC."""
        stamp = datetime.fromtimestamp(self.at_s, UTC).strftime("%m-%d %H:%M:%S.%f")[:-3]
        return f"{stamp} {self.pid:5} {self.pid:5} E {self.tag}: {self.text}"


class PhoneState:
    """The phone without its ways in and out.

    Args:
        root: folder that is the phone's storage; made if missing, kept over restarts.
        serial: what `getprop ro.serialno` says.
    """

    def __init__(self, root: Path, serial: str, personality: Personality, faults: Faults) -> None:
        self.root, self.serial, self.personality, self.faults = root, serial, personality, faults
        self.version_name = "0.1.0"
        self.packages: dict[str, str] = {}
        self.settings: dict[tuple[str, str], str] = {}
        self.exits: list[tuple[float, int, str]] = []
        self.log: deque[LogLine] = deque(maxlen=1000)
        self.process: subprocess.Popen[bytes] | None = None
        self.run_lock = threading.Lock()
        self._heat = Heat(personality.thermal, time.monotonic())
        self._heat_lock = threading.Lock()
        for folder in ("data/local/tmp", "sdcard/Android/media", "proc/sys/kernel/random"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        if (root / "data/app" / PACKAGE / "base.apk").is_file():
            self.packages[PACKAGE] = f"/data/app/{PACKAGE}/base.apk"
        self.boot()

    @property
    def is_booted(self) -> bool:
        """Whether Android is up, which takes longer than adb's daemon."""
        return time.monotonic() >= self._booted_at_s

    def boot(self, android_after_s: float = 0.0) -> None:
        """Forget what does not survive a restart."""
        self._booted_at_s = time.monotonic() + android_after_s
        self.thermal_override: int | None = None
        self.battery_override = False
        self.fixed_performance = False
        (self.root / "proc/sys/kernel/random/boot_id").write_text(f"{uuid.uuid4()}\n")
        memory = f"MemTotal:       {self.personality.ram_bytes // 1024} kB\n"
        (self.root / "proc/meminfo").write_text(memory)
        for number, khz in enumerate(self.personality.core_max_khz):
            folder = self.root / f"sys/devices/system/cpu/cpu{number}/cpufreq"
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("cpuinfo_max_freq", "scaling_cur_freq"):
                (folder / name).write_text(f"{khz}\n")

    def locate(self, path: str) -> Path:
        """Where a device path lies on this machine; `..` never leads out of the phone."""
        clean = PurePosixPath("/")
        for part in PurePosixPath("/", path).parts[1:]:
            clean = clean.parent if part == ".." else clean / part
        text = str(clean)
        if text.startswith(SHARED_STORAGE):
            text = "/sdcard" + text[len(SHARED_STORAGE) :]
        return self.root / text.lstrip("/")

    def device_path(self, path: Path) -> str:
        """The device path of a path on this machine."""
        return "/" + path.resolve().relative_to(self.root.resolve()).as_posix()

    def celsius(self) -> float:
        """The battery's temperature."""
        if fixed := self.faults.value(Fault.HOT):
            return float(fixed)
        with self._heat_lock:
            return self._heat.celsius(time.monotonic())

    def set_busy(self, busy: bool) -> None:
        """A run begins or ends."""
        with self._heat_lock:
            self._heat.set_busy(busy, time.monotonic())

    def log_crash(self, pid: int, tag: str, text: str) -> None:
        """Write a line of the crash log, now."""
        self.log.append(LogLine(self.wall_clock_s(), pid, tag, text))

    def wall_clock_s(self) -> float:
        """The phone's idea of the time."""
        return time.time() + float(self.faults.value(Fault.CLOCK_JUMP) or 0)

    def properties(self) -> dict[str, str]:
        """What `getprop` prints."""
        who = self.personality
        return {
            "ro.serialno": self.serial, "ro.product.manufacturer": who.manufacturer, "ro.product.model": who.model,
            "ro.product.brand": who.manufacturer, "ro.soc.model": who.soc, "ro.build.fingerprint": who.build,
            "ro.build.version.release": who.android, "ro.build.version.sdk": str(who.sdk),
            "ro.product.cpu.abi": who.abi, "ro.product.cpu.abilist": who.abi,
            "sys.boot_completed": str(int(self.is_booted)),
            "ro.deepnarrow.fake": "1",
        }  # fmt: skip

    def refuse_push(self, path: str) -> str | None:
        """Why a file may not be pushed there."""
        writable = ("/data/local/tmp", "/sdcard", SHARED_STORAGE)
        if not path.startswith(writable):
            return "couldn't create file: Read-only file system"
        if path.startswith("/data/local/tmp") and self.faults.value(Fault.PUSH_DENIED) is not None:
            return "couldn't create file: Permission denied"
        return None
