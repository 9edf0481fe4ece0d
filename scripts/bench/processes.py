"""Child processes, timed as wholes: from the start of the interpreter to its exit."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
# Linux counts in kibibytes, macOS in bytes.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """What a process and the children it waited for took.

    Attributes:
        wall_s: from start to exit.
        cpu_s: processor time of all of them together.
        peak_rss_bytes: the largest resident memory of any one of them.
    """

    wall_s: float
    cpu_s: float
    peak_rss_bytes: int


def run_measured(command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]) -> Effort:
    """Run `command` in `folder`, its output going to `log`, and measure it.

    A child's peak includes the memory of this process at its start (Linux copies the mark), so callers keep heavy
    imports out of this process.

    Raises:
        UserError: it failed; the message has the last line of its log that is not JSON.
    """
    with log.open("wb") as output:
        start = time.perf_counter()
        child = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        # Popen must not wait for the process a second time.
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise UserError(f"{log.stem} ended with {child.returncode}: {_last_line(log)}; all of its output is in {log}")
    return Effort(
        wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_rss_bytes=usage.ru_maxrss * _RSS_UNIT
    )  # fmt: skip


def run_for_json(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run one of our own modules and return the last line it prints.

    Raises:
        UserError: it failed; the message ends with the last line of its errors.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
        env={**os.environ, **environment}, check=False, text=True, encoding="utf-8",
    )  # fmt: skip
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        (*_, last) = done.stderr.splitlines() or ["it printed nothing"]
        raise UserError(f"{module} ended with {done.returncode}: {last}")
    return lines[-1]


def peak_rss_bytes() -> int:
    """Peak resident memory of this process since it was executed, without what it inherited at its start."""
    return _status_bytes("VmHWM")


def rss_bytes() -> int:
    """Resident memory of this process now."""
    return _status_bytes("VmRSS")


def _status_bytes(field: str) -> int:
    status = Path("/proc/self/status")
    if not status.is_file():
        raise UserError("decode runs need Linux: memory is read from /proc/self/status")
    (line,) = (line for line in status.read_text(encoding="ascii").splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    prose = [line for line in lines if not line.startswith("{")]
    return (prose or lines or ["it printed nothing"])[-1].removeprefix("error: ")
