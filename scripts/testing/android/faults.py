"""What can be made to go wrong with a fake phone: `NAME[=VALUE][xTIMES]`, as in `drop-push=100000x1`."""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from models.errors import UserError


class Fault(StrEnum):
    """One switch. Faults with a value have a default; without `xTIMES` a fault never ends."""

    DROP_PUSH = "drop-push"  # falls off the bus once VALUE bytes of a push have arrived, back after two seconds
    UNAUTHORIZED = "unauthorized"  # the person never accepts the key
    NO_MEDIA_DIR = "no-media-dir"  # the harness finds no shared storage
    PUSH_DENIED = "push-denied"  # /data/local/tmp refuses files
    INSTALL_FULL = "install-full"  # no space for the package
    KILL_RUN = "kill-run"  # the system kills the harness in stage VALUE
    HANG_RUN = "hang-run"  # the harness stops in stage VALUE and says nothing more
    HOT = "hot"  # VALUE degrees Celsius, whatever is done
    CLOCK_JUMP = "clock-jump"  # the wall clock of every run is VALUE seconds ahead
    SLOW_LINK = "slow-link"  # VALUE bytes a second towards the phone
    WRONG_HASH = "wrong-hash"  # the record is damaged after its hash was taken
    REBOOT = "reboot"  # restarts in stage VALUE of a run, back after two seconds
    DEATH = "death"  # what Android says of a killed run: low-memory, signal, cleaner, frozen, scudo
    NO_EXIT_INFO = "no-exit-info"  # an Android before 11: no exit records
    TWO_USERS = "two-users"  # the harness is installed for two users, and Android lists the other one's end first
    GRANT_REFUSED = "refuse-grant"  # `install -g` is refused, as by several makers
    SETTINGS_REFUSED = "refuse-settings"  # adb may change no settings and press no keys
    INSTALL_WAITS = "install-waits"  # the phone asks a person, who does not come
    INSTALL_REFUSED = "refuse-install"  # with Failure [VALUE]
    SYSTEM_CRASH = "crash-system"  # a run ends with Android's services, which are away for VALUE seconds
    NO_SCREEN = "no-screen"  # the harness's screen never opens, and nothing is said
    UNREADABLE_TMP = "unreadable-tmp"  # the app may not read /data/local/tmp
    SERIAL = "serial"  # the phone says that its serial number is VALUE
    MEDIA_DIR = "media-dir"  # the app's media directory is VALUE


DEFAULTS = {
    Fault.DROP_PUSH: "100000", Fault.KILL_RUN: "decode", Fault.HANG_RUN: "decode", Fault.HOT: "47",
    Fault.CLOCK_JUMP: "3600", Fault.SLOW_LINK: "2000000", Fault.REBOOT: "decode", Fault.DEATH: "low-memory",
    Fault.INSTALL_REFUSED: "INSTALL_FAILED_ABORTED: User rejected permissions", Fault.SYSTEM_CRASH: "4",
    Fault.SERIAL: "0123456789ABCDEF", Fault.MEDIA_DIR: "/sdcard/A folder; it's \"odd\"/dev.deepnarrow.harness",
}  # fmt: skip


@dataclass(slots=True)
class Switch:
    """A fault that is on.

    Attributes:
        times: how often it will still happen; None for always.
    """

    value: str
    times: int | None


@dataclass(slots=True)
class Faults:
    """The switches of one phone; safe to use from several threads."""

    switches: dict[Fault, Switch] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def value(self, fault: Fault) -> str | None:
        """The value of a fault that is on, without using it up."""
        with self.lock:
            switch = self.switches.get(fault)
            return switch.value if switch and switch.times != 0 else None

    def strike(self, fault: Fault) -> bool:
        """Whether the fault happens now; if so one of its times is used up."""
        with self.lock:
            switch = self.switches.get(fault)
            if not switch or switch.times == 0:
                return False
            if switch.times is not None:
                switch.times -= 1
            return True


def parse_faults(texts: Iterable[str]) -> Faults:
    """Switches from what people type.

    Raises:
        UserError: an unknown fault, or not of the form.
    """
    faults = Faults()
    for text in texts:
        match = re.fullmatch(r"([a-z-]+)(?:=([^x]+))?(?:x(\d+))?", text)
        if not match or match.group(1) not in set(Fault):
            raise UserError(f"fault {text!r} is not NAME[=VALUE][xTIMES]; NAME is one of {', '.join(Fault)}")
        fault = Fault(match.group(1))
        times = int(match.group(3)) if match.group(3) else None
        faults.switches[fault] = Switch(match.group(2) or DEFAULTS.get(fault, ""), times)
    return faults
