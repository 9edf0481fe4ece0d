"""The system services of a fake phone: properties, settings, packages, battery, heat, logs."""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from scripts.testing.android.faults import Fault
from scripts.testing.android.personality import thermal_status
from scripts.testing.android.phone_shell import Command, ShellIo
from scripts.testing.android.phone_state import PACKAGE, Death, Exit, PhoneState

STAY_ON = "stay_on_while_plugged_in"
_SERVICES = {"pm": "package", "svc": "power", "wm": "window"}
NO_GRANT = (
    "java.lang.SecurityException: You need the android.permission.INSTALL_GRANT_RUNTIME_PERMISSIONS permission to use "
    "the PackageManager.INSTALL_GRANT_RUNTIME_PERMISSIONS flag"
)
NO_SETTINGS = (
    "java.lang.SecurityException: Permission denial: writing to settings "
    "requires:android.permission.WRITE_SECURE_SETTINGS"
)
NO_KEYS = (
    "java.lang.SecurityException: Injecting input events requires the caller to have the INJECT_EVENTS permission."
)


class ServiceCommands:
    """`getprop`, `settings`, `pm`, `cmd`, `dumpsys`, `svc`, `logcat` and what only has to exist."""

    def __init__(self, state: PhoneState) -> None:
        self._state = state
        self._locate: Callable[[str], Path] = state.locate

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        served: dict[str, Command] = {
            "settings": self._settings, "pm": self._pm, "cmd": self._cmd, "dumpsys": self._dumpsys, "svc": self._svc,
            "input": self._input, "wm": _nothing,
        }  # fmt: skip
        return {name: self._served(name, command) for name, command in served.items()} | {
            "getprop": self._getprop, "logcat": self._logcat, "pidof": self._pidof, "log": _nothing, "sync": _nothing,
            "export": _nothing,
        }  # fmt: skip

    def _served(self, name: str, command: Command) -> Command:
        """A command that asks one of Android's services, which may be away."""

        def ask(io: ShellIo, words: list[str]) -> int:
            if self._state.has_services:
                return command(io, words)
            io.complain(
                f"cmd: Can't find service: {words[0] if name == 'cmd' and words else _SERVICES.get(name, name)}"
            )
            return 20

        return ask

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
            case ["put" | "delete" as what, *_] if self._state.faults.value(Fault.SETTINGS_REFUSED) is not None:
                return _exception(io, what, NO_SETTINGS)
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
            case ["path", "android"]:
                io.say("package:/system/framework/framework-res.apk")
            case ["path", package] if package in self._state.packages:
                io.say(f"package:{self._state.packages[package]}")
            case ["path", _]:
                return 1
            case ["list", "packages", *rest]:
                for package in self._state.packages:
                    if all(word.startswith("-") or word in package for word in rest):
                        io.say(f"package:{package}")
            case ["install", *options]:
                return self._guard(io, options) or self._install_file(io, self._locate(options[-1]))
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

    def _guard(self, io: ShellIo, options: list[str]) -> int:
        """What a maker or a person has against an installation: the exit code, 0 for nothing."""
        faults = self._state.faults
        if faults.value(Fault.GRANT_REFUSED) is not None and "-g" in options:
            return _exception(io, "install", NO_GRANT)
        if (reason := faults.value(Fault.INSTALL_REFUSED)) and faults.strike(Fault.INSTALL_REFUSED):
            io.say(f"Failure [{reason}]")
            return 1
        while faults.value(Fault.INSTALL_WAITS) is not None:
            time.sleep(0.05)
        return 0

    def _install_stream(self, io: ShellIo, options: list[str]) -> int:
        size = int(options[options.index("-S") + 1])
        if code := self._guard(io, options):
            while size:
                size -= len(io.read_some(size))
            return code
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
                return self._install_stream(io, options)
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
        faults = self._state.faults
        if faults.value(Fault.NO_EXIT_INFO) is not None:
            io.say("Bad activity command, or no activities match: exit-info\nUse -h for help.")
            return
        io.say("ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)")
        io.say(f"  package: {PACKAGE}")
        if faults.value(Fault.TWO_USERS) is not None:
            io.say("    Historical Process Exit for uid=1010234")
            for line in Exit(self._state.wall_clock_s() - 86_400, 99, Death.SIGNAL).lines(0, user=10):
                io.say(line)
        io.say("    Historical Process Exit for uid=10234")
        for number, ended in enumerate(reversed(self._state.exits)):
            for line in ended.lines(number):
                io.say(line)

    def _input(self, io: ShellIo, words: list[str]) -> int:
        if self._state.faults.value(Fault.SETTINGS_REFUSED) is not None:
            return _exception(io, "input", NO_KEYS)
        return 0

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


def _exception(io: ShellIo, what: str, exception: str) -> int:
    """As Android's services print one to a shell."""
    io.complain(f"\nException occurred while executing '{what}':\n{exception}\n\tat com.android.server.Service.ask(1)")
    return 255


def _nothing(_io: ShellIo, _words: list[str]) -> int:
    return 0
