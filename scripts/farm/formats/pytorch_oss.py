"""PyTorch's OSS benchmark database, schema v3: one record per metric, `benchmark_values` is a list of raw values.

Fields as in `oss_ci_benchmark_v3` of pytorch/test-infra (`schema.sql`), the mobile mapping as ExecuTorch uploads it:
the device's name in `runners[0].name`, its system in `.type`.
"""

from collections.abc import Iterator
from datetime import datetime

from scripts.records import RunRecord


def oss_records(record: RunRecord) -> Iterator[dict[str, object]]:
    """One record per prompt length and per context, with every timed call in milliseconds."""
    for prefill in record.prefill:
        yield _record(record, "prefill_latency(ms)", prefill.prefill_ns, {"prompt_length": str(prefill.prompt_length)})
    for decode in record.decode:
        yield _record(record, "decode_latency(ms)", decode.forward_ns, {"context": str(decode.context)})
    if record.load:
        yield _record(record, "model_load_time(ms)", (record.load.load_ns,), {})


def _record(record: RunRecord, metric: str, times_ns: tuple[int, ...], where: dict[str, str]) -> dict[str, object]:
    artifact, device, runtime = record.artifact, record.device, record.observed
    assert artifact is not None  # completed runs have one
    started = datetime.fromisoformat(record.started_utc)
    return {
        "timestamp": int(started.timestamp()),
        "schema_version": "v3",
        "name": "deepnarrow",
        "repo": "deepnarrow",
        "head_branch": "",
        "head_sha": record.harness.build or "",
        "workflow_id": 0,
        "run_attempt": record.request.plan.attempt if record.request.plan else 0,
        "job_id": 0,
        "runners": [
            {
                "name": device.model,
                "type": f"{device.os} {device.os_version}",
                "cpu_info": device.soc or "",
                "cpu_count": len(device.cores),
                "total_mem_in_gb": round((device.ram_bytes or 0) / 2**30),
                "extra_info": {"kind": device.kind, "os_build": device.os_build},
            }
        ],
        "benchmark": {
            "name": "deepnarrow",
            "mode": "inference",
            "dtype": artifact.scheme,
            "extra_info": {**where, "run_id": record.run_id, "num_threads": str(record.request.protocol.num_threads)},
        },
        "model": {
            "name": f"{artifact.pair}/{artifact.shape_name}",
            "type": artifact.arm or "shape",
            "backend": artifact.target,
            "origins": [],
            "extra_info": {"content_id": artifact.content_id},
        },
        "inputs": {},
        "dependencies": {runtime.name: {"version": runtime.version}} if runtime else {},
        "metric": {
            "name": metric,
            "benchmark_values": [ns / 1e6 for ns in times_ns],
            "target_value": 0,
            "extra_info": {"valid": str(record.valid).lower()},
        },
    }
