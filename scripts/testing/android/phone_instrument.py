"""`am` of a fake phone: an instrumentation is the desktop build of the harness, its lines are turned into Android's."""

import base64
import binascii
import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.records import RECORD_FILE
from scripts.records.vocabulary import Refusal
from scripts.testing.android.adb_wire import StreamClosedError
from scripts.testing.android.faults import Fault
from scripts.testing.android.personality import thermal_status
from scripts.testing.android.phone_shell import Command, ShellIo
from scripts.testing.android.phone_state import MODEL_DIR, PACKAGE, Death, Exit, PhoneState

COMPONENT = f"{PACKAGE}/.HarnessInstrumentation"
RESULT_OK, RESULT_CANCELED = -1, 0
BAD_INPUT = 2  # the harness's exit code
_FLAGS_WITH_VALUE = ("--user", "--abi", "-p")
# A heap for JSON and buffers; the model lies outside it.
JAVA = ("java", "-Xmx512m", "-XX:+UseSerialGC", "-jar")


@dataclass(frozen=True, slots=True)
class Harness:
    """The program that plays the app.

    Attributes:
        command: what to start, before `run --artifact ...`.
    """

    command: tuple[str, ...]


def java_harness(jar: Path) -> Harness:
    """The desktop build of the Android harness."""
    return Harness((*JAVA, str(jar.resolve())))


class ActivityCommands:
    """`am instrument`, `am force-stop` and `am start`.

    Args:
        restart: restarts the phone.
    """

    def __init__(self, state: PhoneState, harness: Harness, restart: Callable[[], None]) -> None:
        self._state, self._harness, self._restart = state, harness, restart

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {"am": self._am}

    def force_stop(self, death: Death) -> int | None:
        """End the active run, as the system does; returns the id of its process, None where none is active."""
        process = self._state.process
        if process is None or process.poll() is not None:
            return None
        process.send_signal(signal.SIGKILL)
        process.wait()
        self._state.exits.append(Exit(self._state.wall_clock_s(), process.pid, death))
        return process.pid

    def _am(self, io: ShellIo, words: list[str]) -> int:
        if not self._state.has_services:
            io.complain("cmd: Can't find service: activity")
            return 20
        match words:
            case ["force-stop", package]:
                if package == PACKAGE:
                    self.force_stop(Death.FORCE_STOP)
                return 0
            case ["instrument", *options]:
                return self._instrument(io, *_parse(options))
            case _:
                io.complain(f"am: {' '.join(words)}: not understood here")
                return 255

    def _instrument(self, io: ShellIo, component: str, extras: Mapping[str, str]) -> int:
        if component != COMPONENT or PACKAGE not in self._state.packages:
            _status(io, {"Error": f"Unable to find instrumentation info for: ComponentInfo{{{component}}}"}, -1)
            io.complain(f"android.util.AndroidException: INSTRUMENTATION_FAILED: {component}")
            return 1
        # Whatever is asked: Android stops the whole package first, and so a run that is active.
        self.force_stop(Death.START)
        with self._state.run_lock:
            if extras.get("op") == "prepare":
                return self._prepare(io)
            if self._state.faults.value(Fault.NO_SCREEN) is not None:
                return self._wait_for_ever(io)
            return self._run(io, extras)

    def _wait_for_ever(self, io: ShellIo) -> int:
        """The screen does not open: a process of the harness that waits, until something stops it."""
        with subprocess.Popen(["sleep", "infinity"], stdin=subprocess.DEVNULL) as process:
            self._state.process = process
            process.wait()
        self._state.process = None
        return _result(io, {"shortMsg": "Process crashed."}, RESULT_CANCELED)

    def _prepare(self, io: ShellIo) -> int:
        if self._state.faults.value(Fault.NO_MEDIA_DIR) is not None:
            return _refusal(io, Refusal.SHARED_STORAGE, "no media directory: shared storage is not there")
        for folder in ("requests", "runs", "artifacts"):
            self._state.locate(f"{self._state.media_dir}/{folder}").mkdir(parents=True, exist_ok=True)
        return _result(io, {"media_dir": self._state.media_dir}, RESULT_OK)

    def _run(self, io: ShellIo, extras: Mapping[str, str]) -> int:
        artifact = extras.get("artifact", "")
        if not artifact.startswith((f"{MODEL_DIR}/", f"{self._state.media_dir}/")):
            return _refusal(
                io, Refusal.REQUEST, f"artifact {artifact!r} must lie in {MODEL_DIR} or {self._state.media_dir}"
            )
        if not self._state.can_app_read(artifact):
            return _refusal(io, Refusal.UNREADABLE_ARTIFACT, f"{artifact}: the app cannot read it")
        work = self._state.locate("/data/user/0") / PACKAGE
        work.mkdir(parents=True, exist_ok=True)
        request = self._request_file(extras.get("request", ""), work)
        if request is None:
            return _refusal(io, Refusal.REQUEST, "request is neither a file nor base64")
        device = work / "device.json"
        device.write_text(json.dumps(self._device_json()))
        return self._run_harness(io, self._state.locate(artifact), request, device, work)

    def _run_harness(self, io: ShellIo, artifact: Path, request: Path, device: Path, work: Path) -> int:
        out = self._state.locate(f"{self._state.media_dir}/runs")
        command = [*self._harness.command, "run", "--artifact", str(artifact), "--request", str(request)]
        command += ["--out", str(out), "--device-json", str(device)]
        errors = work / "errors.txt"
        self._state.set_busy(True)
        try:
            with errors.open("wb") as sink:
                self._state.process = process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sink
                )
            assert process.stdout
            last = self._relay(io, process.stdout)
            code = process.wait()
            process.stdout.close()
        finally:
            self._state.set_busy(False)
            self._state.process = None
        return self._tell_end(io, code, last, errors)

    def _relay(self, io: ShellIo, lines: Iterable[bytes]) -> dict[str, object]:
        """Pass progress on until the harness ends; returns its last line."""
        last: dict[str, object] = {}
        for line in lines:
            last = json.loads(line)
            if "stage" not in last:
                continue
            # Where the host is gone: Android's instrumentations go on without one.
            with contextlib.suppress(StreamClosedError):
                _status(io, {key: last[key] for key in ("done", "stage", "total")}, 1)
            self._strike(str(last["stage"]))
        return last

    def _strike(self, stage: str) -> None:
        faults, process = self._state.faults, self._state.process
        if faults.value(Fault.KILL_RUN) == stage and faults.strike(Fault.KILL_RUN):
            # Lines that the harness wrote before its end come after it.
            death = Death(faults.value(Fault.DEATH) or Death.LOW_MEMORY)
            if pid := self.force_stop(death):
                self._log_death(pid, death)
        elif (away_s := faults.value(Fault.SYSTEM_CRASH)) and faults.strike(Fault.SYSTEM_CRASH):
            self._state.crash_system(float(away_s))
            self.force_stop(Death.UNKNOWN)
        elif faults.value(Fault.HANG_RUN) == stage and faults.strike(Fault.HANG_RUN) and process:
            process.send_signal(signal.SIGSTOP)
        elif faults.value(Fault.REBOOT) == stage and faults.strike(Fault.REBOOT):
            self.force_stop(Death.UNKNOWN)
            self._restart()

    def _log_death(self, pid: int, death: Death) -> None:
        if death is Death.LOW_MEMORY:
            self._state.log_crash(pid, "lowmemorykiller", f"Kill '{PACKAGE}' ({pid}) to free memory")
        elif death is Death.SCUDO:
            self._state.log_crash(
                pid, "libc", f"Fatal signal 6 (SIGABRT) in tid {pid} (run), pid {pid} ({PACKAGE[-15:]})"
            )
            self._state.log_crash(pid + 1, "DEBUG", f"pid: {pid}, tid: {pid}, name: run  >>> {PACKAGE} <<<")
            words = "Abort message: 'Scudo ERROR: internal map failure (error desc=Out of memory) requesting 536872KB'"
            self._state.log_crash(pid + 1, "DEBUG", words)

    def _tell_end(self, io: ShellIo, code: int, last: Mapping[str, object], errors: Path) -> int:
        if not self._state.has_services:
            io.say("INSTRUMENTATION_ABORTED: System has crashed.")
            return 0
        if code != BAD_INPUT and "record" not in last:
            return _result(io, {"shortMsg": "Process crashed."}, RESULT_CANCELED)
        if code == BAD_INPUT:
            text = errors.read_text(errors="replace").strip().splitlines()
            return _refusal(io, Refusal.REQUEST, (text or ["the harness said nothing"])[-1])
        record = Path(str(last["record"]))
        if self._state.faults.strike(Fault.WRONG_HASH):
            with (record.parent / RECORD_FILE).open("ab") as file:
                file.write(b"\n")
        told = {key: str(last[key]) for key in ("run_id", "outcome", "message") if last.get(key) is not None}
        return _result(io, {**told, "record": self._state.device_path(record)}, RESULT_OK)

    def _request_file(self, text: str, work: Path) -> Path | None:
        if text.startswith("/"):
            found = self._state.locate(text)
            return found if found.is_file() else None
        try:
            content = base64.b64decode(text, validate=True)
        except binascii.Error:
            return None
        path = work / "request.json"
        path.write_bytes(content)
        return path

    def _device_json(self) -> dict[str, object]:
        who, celsius = self._state.personality, self._state.celsius()
        environment: dict[str, object] = {
            "thermal_status": thermal_status(celsius), "battery_percent": who.battery_percent,
            "battery_celsius": round(celsius, 1), "plugged": who.plugged, "power_save": False, "foreground": True,
        }  # fmt: skip
        if self._state.faults.value(Fault.CLOCK_JUMP):
            now = time.gmtime(self._state.wall_clock_s())
            environment["time_utc"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", now)
        return {"device": who.device.model_dump(mode="json"), "environment": environment}


def _parse(words: list[str]) -> tuple[str, dict[str, str]]:
    """(component, extras) of `am instrument`."""
    extras: dict[str, str] = {}
    component, rest = "", list(words)
    while rest:
        word = rest.pop(0)
        if word == "-e" and len(rest) >= 2:
            key, value = rest.pop(0), rest.pop(0)
            extras[key] = value
        elif word in _FLAGS_WITH_VALUE and rest:
            rest.pop(0)
        elif not word.startswith("-"):
            component = word
    return component, extras


def _status(io: ShellIo, values: Mapping[str, object], code: int) -> None:
    for key, value in values.items():
        io.say(f"INSTRUMENTATION_STATUS: {key}={value}")
    io.say(f"INSTRUMENTATION_STATUS_CODE: {code}")


def _refusal(io: ShellIo, code: Refusal, message: str) -> int:
    return _result(io, {"refusal": code, "message": message}, RESULT_CANCELED)


def _result(io: ShellIo, values: Mapping[str, str], code: int) -> int:
    for key, value in values.items():
        io.say(f"INSTRUMENTATION_RESULT: {key}={value}")
    io.say(f"INSTRUMENTATION_CODE: {code}")
    return 0
