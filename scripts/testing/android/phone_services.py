"""The system services of a fake phone: properties, settings, packages, battery, heat, logs."""

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from scripts.testing.android.faults import Fault
from scripts.testing.android.personality import thermal_status
from scripts.testing.android.phone_shell import Command, ShellIo
from scripts.testing.android.phone_state import PACKAGE, PhoneState

STAY_ON = "stay_on_while_plugged_in"


class ServiceCommands:
    """`getprop`, `settings`, `pm`, `cmd`, `dumpsys`, `svc`, `logcat` and what only has to exist."""

    def __init__(self, state: PhoneState) -> None:
        self._state = state
        self._locate: Callable[[str], Path] = state.locate

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {
            "getprop": self._getprop, "settings": self._settings, "pm": self._pm, "cmd": self._cmd,
            "dumpsys": self._dumpsys, "svc": self._svc, "logcat": self._logcat, "pidof": self._pidof,
            "input": _nothing, "wm": _nothing, "log": _nothing, "sync": _nothing, "export": _nothing,
        }  # fmt: skip

    def _getprop(self, io: ShellIo, words: list[str]) -> int:
        properties = self._state.properties()
        if words:
            io.say(properties.get(words[0], ""))
        else:
            for name, value in properties.items():
                io.say(f"[{name}]: [{value}]")
        return 0

    def _settings(self, io: ShellIo, words: list[str]) -> int:
        match words:
            case ["get", space, key]:
                io.say(self._state.settings.get((space, key), "null"))
            case ["put", space, key, value]:
                self._state.settings[space, key] = value
            case ["delete", space, key]:
                io.say(f"Deleted {1 if self._state.settings.pop((space, key), None) else 0} rows")
            case _:
                io.complain("settings: get|put|delete NAMESPACE KEY [VALUE]")
                return 1
        return 0

    def _svc(self, io: ShellIo, words: list[str]) -> int:
        if words[:2] != ["power", "stayon"] or len(words) != 3:
            io.complain("svc: only `power stayon` is understood here")
            return 1
        value = {"true": "7", "false": "0", "ac": "1", "usb": "2", "wireless": "4"}.get(words[2], "0")
        self._state.settings["global", STAY_ON] = value
        return 0

    def _pm(self, io: ShellIo, words: list[str]) -> int:
        match words:
            case ["path", package] if package in self._state.packages:
                io.say(f"package:{self._state.packages[package]}")
            case ["path", _]:
                return 1
            case ["list", "packages", *rest]:
                for package in self._state.packages:
                    if all(word.startswith("-") or word in package for word in rest):
                        io.say(f"package:{package}")
            case ["install", *options]:
                return self._install_file(io, self._locate(options[-1]))
            case ["uninstall", *options]:
                self._state.packages.pop(options[-1], None)
                io.say("Success")
            case _:
                io.complain(f"pm: {' '.join(words)}: unknown command")
                return 255
        return 0

    def _install_file(self, io: ShellIo, source: Path) -> int:
        if self._state.faults.strike(Fault.INSTALL_FULL):
            return self._no_space(io)
        if not source.is_file():
            io.say("Failure [INSTALL_PARSE_FAILED_NOT_APK]")
            return 1
        shutil.copyfile(source, self._package_file())
        return self._installed(io)

    def _install_stream(self, io: ShellIo, size: int) -> int:
        full = self._state.faults.strike(Fault.INSTALL_FULL)
        with self._package_file().open("wb") as file:
            while size:
                part = io.read_some(size)
                size -= len(part)
                file.write(part)
        return self._no_space(io) if full else self._installed(io)

    def _package_file(self) -> Path:
        path = self._locate(f"/data/app/{PACKAGE}/base.apk")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _installed(self, io: ShellIo) -> int:
        self._state.packages[PACKAGE] = f"/data/app/{PACKAGE}/base.apk"
        io.say("Success")
        return 0

    def _no_space(self, io: ShellIo) -> int:
        io.say("Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE: Failed to override installation location]")
        return 1

    def _cmd(self, io: ShellIo, words: list[str]) -> int:
        match words:
            case ["package", "install", *options] if "-S" in options:
                return self._install_stream(io, int(options[options.index("-S") + 1]))
            case ["package", "compile", *_]:
                io.say("Success")
            case ["package", *rest]:
                return self._pm(io, rest)
            case ["power", "set-fixed-performance-mode-enabled", value]:
                self._state.fixed_performance = value == "true"
            case ["power", *_] | ["notification", *_]:
                pass
            case ["thermalservice", "override-status", level]:
                self._state.thermal_override = int(level)
            case ["thermalservice", "reset"]:
                self._state.thermal_override = None
            case ["connectivity", "airplane-mode"]:
                io.say("enabled" if self._state.settings.get(("global", "airplane_mode_on")) == "1" else "disabled")
            case ["connectivity", "airplane-mode", value]:
                self._state.settings["global", "airplane_mode_on"] = "1" if value == "enable" else "0"
            case _:
                io.complain(f"cmd: Can't find service: {' '.join(words)}")
                return 20
        return 0

    def _dumpsys(self, io: ShellIo, words: list[str]) -> int:
        match words:
            case ["battery"]:
                self._battery(io)
            case ["battery", "unplug" | "set", *_]:
                self._state.battery_override = True
            case ["battery", "reset"]:
                self._state.battery_override = False
            case ["thermalservice"]:
                self._thermal(io)
            case ["activity", "exit-info", *_]:
                self._exit_info(io)
            case ["package", package]:
                known = package in self._state.packages
                io.say(f"    versionName={self._state.version_name}" if known else f"Unable to find package: {package}")
            case _:
                io.say(f"Can't find service: {words[0] if words else ''}")
        return 0

    def _battery(self, io: ShellIo) -> None:
        who = self._state.personality
        io.say("Current Battery Service state:")
        if self._state.battery_override:
            io.say("  (UPDATES STOPPED -- use 'reset' to restart)")
        for name, value in {
            "AC powered": "false", "USB powered": str(who.plugged).lower(), "Wireless powered": "false",
            "status": 2 if who.plugged else 3, "health": 2, "present": "true", "level": who.battery_percent,
            "scale": 100, "voltage": 4105, "temperature": round(self._state.celsius() * 10), "technology": "Li-ion",
        }.items():  # fmt: skip
            io.say(f"  {name}: {value}")

    def _thermal(self, io: ShellIo) -> None:
        celsius, override = self._state.celsius(), self._state.thermal_override
        io.say(f"IsStatusOverride: {str(override is not None).lower()}")
        io.say(f"Thermal Status: {thermal_status(celsius) if override is None else override}")
        io.say("HAL Ready: true")
        io.say("Current temperatures from HAL:")
        io.say(f"\tTemperature{{mValue={celsius:.1f}, mType=3, mName=skin, mStatus={thermal_status(celsius)}}}")

    def _exit_info(self, io: ShellIo) -> None:
        io.say("ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)")
        io.say(f"  package: {PACKAGE}")
        io.say("    Historical Process Exit for uid=10234")
        for number, (at, pid, reason) in enumerate(reversed(self._state.exits)):
            stamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
            io.say(f"        ApplicationExitInfo #{number}:")
            io.say(f"          timestamp={stamp} pid={pid} realUid=10234 packageUid=10234 definingUid=10234 user=0")
            io.say(f"          process={PACKAGE} reason={reason} subreason=0 (UNKNOWN) status=9")
            io.say("          importance=100 pss=0.00 rss=0.00 description=null state=empty trace=null")

    def _logcat(self, io: ShellIo, words: list[str]) -> int:
        if "-c" in words:
            self._state.log.clear()
            return 0
        since = words[words.index("-T") + 1] if "-T" in words else "0.000"
        if not re.fullmatch(r"\d+\.\d+", since):
            io.complain(f"logcat: -T {since}: only seconds since 1970, with a point, are understood here")
            return 1
        io.say("--------- beginning of crash")
        for line in list(self._state.log):
            if line.at_s >= float(since):
                io.say(str(line))
        return 0

    def _pidof(self, io: ShellIo, words: list[str]) -> int:
        process = self._state.process
        if words != [PACKAGE] or process is None or process.poll() is not None:
            return 1
        io.say(str(process.pid))
        return 0


def _nothing(_io: ShellIo, _words: list[str]) -> int:
    return 0
