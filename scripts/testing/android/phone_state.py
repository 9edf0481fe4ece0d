"""What a fake phone remembers: its storage, settings, packages, temperature and the run that is active."""

import subprocess
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath

from scripts.testing.android.faults import Fault, Faults
from scripts.testing.android.personality import Heat, Personality

PACKAGE = "dev.deepnarrow.harness"
MEDIA_DIR = f"/sdcard/Android/media/{PACKAGE}"
MODEL_DIR = "/data/local/tmp/deepnarrow"
SHARED_STORAGE = "/storage/emulated/0"


class Death(StrEnum):
    """Ways in which the system or its allocator ends a process."""

    LOW_MEMORY = "low-memory"
    SIGNAL = "signal"
    CLEANER = "cleaner"
    FROZEN = "frozen"
    SCUDO = "scudo"
    FORCE_STOP = "force-stop"
    START = "start"
    UNKNOWN = "unknown"


# (reason, subreason, status, rss, description), as real phones write them.
EXIT_TEXTS = {
    Death.LOW_MEMORY: ("3 (LOW_MEMORY)", "0 (UNKNOWN)", 0, "1.1GB", "null"),
    Death.SIGNAL: ("2 (SIGNALED)", "0 (UNKNOWN)", 9, "1.6GB", "null"),
    Death.CLEANER: ("10 (USER REQUESTED)", "21 (FORCE STOP)", 0, "618MB",
                    f"stop {PACKAGE} due to RemoveTaskMemoryClean"),
    Death.FROZEN: ("14 (FREEZER)", "20 (FREEZER BINDER TRANSACTION)", 0, "618MB", "Sync transaction while frozen"),
    Death.SCUDO: ("5 (APP CRASH(NATIVE))", "0 (UNKNOWN)", 6, "1.9GB", "crash"),
    Death.FORCE_STOP: ("10 (USER REQUESTED)", "21 (FORCE STOP)", 0, "0.00", f"stop {PACKAGE} due to from pid 4711"),
    Death.START: ("10 (USER REQUESTED)", "21 (FORCE STOP)", 0, "0.00", f"stop {PACKAGE} due to start instr"),
    Death.UNKNOWN: ("0 (UNKNOWN)", "0 (UNKNOWN)", 0, "0.00", "null"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exit:
    """An end of the harness, as `dumpsys activity exit-info` tells it."""

    at_s: float
    pid: int
    death: Death

    def lines(self, number: int, user: int = 0) -> list[str]:
        """The entry."""
        stamp = datetime.fromtimestamp(self.at_s, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        reason, subreason, status, rss, description = EXIT_TEXTS[self.death]
        uid = user * 100_000 + 10_234
        return [
            f"        ApplicationExitInfo #{number}:",
            f"          timestamp={stamp} pid={self.pid} realUid={uid} packageUid={uid} definingUid={uid} user={user}",
            f"          process={PACKAGE} reason={reason} subreason={subreason} status={status}",
            f"          importance=100 pss=0.00 rss={rss} description={description} state=empty trace=null",
        ]


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
        self.exits: list[Exit] = []
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

    @property
    def media_dir(self) -> str:
        """The harness's own folder in shared storage."""
        return self.faults.value(Fault.MEDIA_DIR) or MEDIA_DIR

    @property
    def has_services(self) -> bool:
        """Whether Android's services answer; adb and `sys.boot_completed` do not tell."""
        return self.is_booted and time.monotonic() >= self._services_at_s

    def crash_system(self, seconds: float) -> None:
        """Android's system server dies and starts again."""
        self._services_at_s = time.monotonic() + seconds

    def can_app_read(self, path: str) -> bool:
        """Whether the harness may read an artifact's folder."""
        hidden = self.faults.value(Fault.UNREADABLE_TMP) is not None and path.startswith("/data/local/tmp")
        return not hidden and (self.locate(path) / "manifest.json").is_file()

    def boot(self, android_after_s: float = 0.0) -> None:
        """Forget what does not survive a restart."""
        self._booted_at_s = self._services_at_s = time.monotonic() + android_after_s
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
            "ro.serialno": self.faults.value(Fault.SERIAL) or self.serial,
            "ro.product.manufacturer": who.manufacturer, "ro.product.model": who.model,
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
