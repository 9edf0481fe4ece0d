"""What a figure was measured on."""

import os
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("executorch", "torch", "torchao", "onnx", "onnxruntime", "onnxruntime-genai", "coremltools", "numpy")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Machine, software and moment of a measurement.

    Attributes:
        load_average: runnable processes over the last minute when the measurement began; much above 0 means that
            other work shared the processors.
    """

    date: str
    system: str
    processor: str
    cores: int
    memory_bytes: int
    load_average: float
    python: str
    packages: dict[str, str]

    def summary(self) -> str:
        """One line to print above a table."""
        return (
            f"{self.date}, {self.processor}, {self.cores} cores, {self.memory_bytes / 2**30:.0f} GiB, {self.system}, "
            f"load average {self.load_average:.2f} at the start"
        )


def this_machine() -> Machine:
    """Facts about the machine this runs on, now."""
    return Machine(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=_processor(),
        cores=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        load_average=os.getloadavg()[0],
        python=platform.python_version(),
        packages={name: found for name in PACKAGES if (found := _installed(name))},
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
