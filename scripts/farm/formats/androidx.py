"""`benchmarkData.json` of androidx.benchmark: a context of the device and one benchmark per run and context."""

import statistics
from collections.abc import Iterator, Sequence

from models.errors import UserError
from scripts.records import DeviceFacts, RunRecord

CLASS_NAME = "deepnarrow"


def androidx_document(records: Sequence[RunRecord]) -> dict[str, object]:
    """The whole file.

    Raises:
        UserError: the runs are of several devices; the format has one context.
    """
    devices = {(record.device.model, record.device.os_build) for record in records}
    if len(devices) != 1:
        names = ", ".join(sorted(model for model, _ in devices)) or "none"
        raise UserError(f"androidx files describe one device; these runs are of: {names}")
    return {
        "context": _context(records[0].device),
        "benchmarks": [benchmark for record in records for benchmark in _benchmarks(record)],
    }


def _context(device: DeviceFacts) -> dict[str, object]:
    clocks = [core.max_khz for core in device.cores if core.max_khz is not None]
    return {
        "build": {
            "brand": device.manufacturer or "",
            "device": device.model,
            "fingerprint": device.os_build,
            "id": device.os_build,
            "model": device.model,
            "type": device.kind,
            "version": {"codename": "REL", "sdk": 0},
        },
        "cpuCoreCount": len(device.cores),
        "cpuLocked": False,
        "cpuMaxFreqHz": max(clocks) * 1000 if clocks else -1,
        "memTotalBytes": device.ram_bytes or 0,
        "sustainedPerformanceModeEnabled": False,
    }


def _benchmarks(record: RunRecord) -> Iterator[dict[str, object]]:
    artifact = record.artifact
    assert artifact is not None  # completed runs have one
    for decode in record.decode:
        yield {
            "name": f"decode[{artifact.shape_name},{artifact.target}-{artifact.scheme},context={decode.context}]",
            "params": {"run": record.run_id, "context": str(decode.context)},
            "className": CLASS_NAME,
            "totalRunTimeNs": sum(decode.step_ns),
            "metrics": {"timeNs": _metric(decode.forward_ns)},
            "sampledMetrics": {},
            "warmupIterations": record.request.protocol.warm_up_steps,
            "repeatIterations": 1,
            "thermalThrottleSleepSeconds": (record.start_wait_ns or 0) // 1_000_000_000,
        }


def _metric(runs: Sequence[int]) -> dict[str, object]:
    return {
        "minimum": float(min(runs)), "maximum": float(max(runs)), "median": float(statistics.median(runs)),
        "runs": [float(ns) for ns in runs],
    }  # fmt: skip
