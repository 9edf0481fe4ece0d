"""What the farm needs of a program that reaches iPhones, and what the two implementations share."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from export.files import first_fault
from scripts.farm.answers import Speaker, find_answer
from scripts.farm.device import DeviceError, DeviceState, Problem
from scripts.farm.transfer import transfer_timeout_s

BUNDLE_ID = "dev.deepnarrow.harness"
FAKE_KEY = "DeepNarrowFake"
EXECUTABLE = "/DeepNarrowHarness.app/DeepNarrowHarness"
SHORT_S, INSTALL_S = 60.0, 300.0
T = TypeVar("T")
MAX_TEXT_CHARS = 500
_ERROR_LEVELS = ("error", "fatal", "panic")
_DEFAULT_HINT = "plug the iPhone in again and unlock it"


@dataclass(frozen=True, slots=True)
class Iphone:
    """An iPhone or iPad as its program describes it.

    Attributes:
        is_fake: a double says so of itself, with the key `DeepNarrowFake` among its facts.
    """

    udid: str
    model: str
    os_version: str
    os_build: str
    is_fake: bool = False


class IosProgram(Protocol):
    """Reaches iPhones. Paths on the phone start in the app's container, such as `Documents/runs`.

    Every method raises `DeviceError` where the program fails.
    """

    @property
    def launcher_waits(self) -> bool:
        """Whether what `launch_command` starts ends when the app does; else the app goes on without it."""
        ...

    async def phones(self) -> tuple[list[Iphone], list[Problem]]:
        """All that can be used, each once, and why others cannot."""
        ...

    async def install(self, udid: str, app: Path) -> None:
        """Install or replace the app; its data stays."""
        ...

    async def installed_version(self, udid: str) -> str | None:
        """Version and build number of the app; None where it is not installed."""
        ...

    async def push_folder(self, udid: str, folder: Path, target: str) -> None:
        """Send a folder's files."""
        ...

    async def empty_folder(self, udid: str, folder: str) -> None:
        """Remove what is in a folder, or all of it; no error where there is none."""
        ...

    async def push_file(self, udid: str, file: Path, target: str) -> None:
        """Send a file."""
        ...

    async def pull_file(self, udid: str, source: str, file: Path) -> bool:
        """Fetch a file; False where there is none."""
        ...

    def launch_command(self, udid: str, environment: Mapping[str, str]) -> Sequence[str]:
        """What starts the app in a fresh process."""
        ...

    async def terminate(self, udid: str) -> None:
        """End the app; no error where it does not run.

        Raises:
            DeviceError: also where it may still run.
        """
        ...

    async def state(self, udid: str) -> DeviceState:
        """What the program tells of the battery."""
        ...


@dataclass(frozen=True, slots=True)
class ProgramOutput:
    """What a program has said."""

    code: int
    out: str
    err: str


async def start(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start a program in a process group of its own."""
    try:
        return await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True, limit=1 << 20,
        )  # fmt: skip
    except OSError as error:
        raise DeviceError(f"{command[0]} cannot be started: {error}", hint="install it; see docs/farm.md") from error


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a program and what it has started, if it still runs."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def run(command: Sequence[str], timeout_s: float = SHORT_S) -> ProgramOutput:
    """Run a program to its end; it is killed at the timeout and on cancellation."""
    process = await start(command)
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await process.communicate()
    except TimeoutError:
        raise program_error(command, f"not done after {timeout_s:.0f} s") from None
    finally:
        await end(process)
    return ProgramOutput(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


async def must(command: Sequence[str], timeout_s: float = SHORT_S) -> str:
    """The output of a program that has to succeed."""
    done = await run(command, timeout_s)
    if done.code:
        raise program_error(command, f"{done.err}\n{done.out}")
    return done.out


def program_error(command: Sequence[str], text: str) -> DeviceError:
    """What a program said as an error, with what `scripts.farm.answers` knows of it."""
    cause = cause_of(text)
    answer = find_answer(Speaker.APPLE, cause)
    words = " ".join([Path(command[0]).name, *[word for word in command[1:4] if not word.startswith("-")]])
    message = f"{words}: {cause[:MAX_TEXT_CHARS]}"
    if answer is None:
        return DeviceError(message, hint=_DEFAULT_HINT)
    return DeviceError(message, answer.failure, answer.advice, needs_person=answer.needs_person)


def cause_of(text: str) -> str:
    """Why a program failed, in one line: the last error of a log in JSON lines, a panic's first line, else all of it.

    Warnings are no causes: go-ios warns of a missing tunnel whatever it is asked.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    logged = [entry for line in lines if (entry := _log_entry(line)) is not None]
    errors = [entry for entry in logged if str(entry.get("level", "")).lower() in _ERROR_LEVELS]
    if errors:
        told = [str(errors[-1][key]) for key in ("msg", "err", "error") if errors[-1].get(key)]
        return " ".join(": ".join(told).split())
    if panic := next((line for line in lines if line.startswith("panic:")), None):
        return panic
    plain = [line for line in lines if _log_entry(line) is None]
    return " ".join(" ".join(plain).split()) or "it gave no reason"


def _log_entry(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        entry: object = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "level" in entry else None


def parse_json(kind: type[T], text: str, what: str) -> T:
    """What a program wrote, as far as the farm needs it.

    Raises:
        DeviceError: it is no JSON, or not of this kind.
    """
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        message = f"{what} gave an answer that is not understood: {first_fault(error)}"
        raise DeviceError(message, hint="update the program, or this package") from error


def push_timeout_s(paths: Sequence[Path]) -> float:
    """For a transfer of these files."""
    return transfer_timeout_s(sum(path.stat().st_size for path in paths))
