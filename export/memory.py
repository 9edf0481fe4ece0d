"""Resident memory of this process. Where the system cannot tell, None: not measured is not zero."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def reset_peak_memory() -> None:
    """Start a new peak, so that a process with several jobs tells them apart (Linux)."""
    if _CLEAR.exists():
        _CLEAR.write_text("5")  # see proc(5): resets VmHWM


def peak_memory_bytes() -> int:
    """Largest resident memory since `reset_peak_memory`; since the process began where that does nothing."""
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resident_memory_bytes() -> int | None:
    """Resident memory now (Linux)."""
    return _status_bytes("VmRSS") if _STATUS.exists() else None


def _status_bytes(field: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:"))
    return int(line.split()[1]) * 1024
