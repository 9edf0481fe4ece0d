"""The golden requests and records, which Python, Kotlin and Swift must read and write back unchanged.

`python tests/golden/build.py` writes them. `manifest.json` and `reference.json` are those of
`python -m export all --pair tiny --target onnx`, the deep arm.
"""

import json
from pathlib import Path

from pydantic import BaseModel

from export.files import write_json
from export.manifest import read_manifest, sha256
from scripts.records import (
    DONE_SCHEMA,
    RECORD_SCHEMA,
    REQUEST_SCHEMA,
    Backend,
    Bandwidth,
    Completed,
    Concern,
    ConcernCode,
    Core,
    DecodeSamples,
    DeviceFacts,
    DeviceKind,
    Done,
    Environment,
    Evidence,
    Failed,
    FailureKind,
    HarnessInfo,
    Load,
    LoadMode,
    MemoryPoint,
    Mismatch,
    ObservedRuntime,
    PlanPosition,
    PrefillSamples,
    ProbeMethod,
    ProbePasses,
    ProbeProtocol,
    Protocol,
    Running,
    RunRecord,
    RunRequest,
    SelfCheck,
    Severity,
    Skipped,
    Stage,
    StartLimits,
    SustainedSamples,
    artifact_facts,
)  # fmt: skip
from scripts.records.comparable import comparison_key

FOLDER = Path(__file__).parent

MINIMAL_REQUEST = RunRequest(schema=REQUEST_SCHEMA, run_id="run-0")
REQUEST = RunRequest(
    schema=REQUEST_SCHEMA,
    run_id="nightly-7.0042",
    session="20261125T193955Z-0a1b2c",
    content_id=read_manifest(FOLDER).content_id,
    protocol=Protocol(
        num_threads=2, backend=Backend.CPU, load_mode=LoadMode.MMAP, prompt_lengths=(16, 64), prefill_repetitions=2,
        contexts=(0, 32), decode_steps=3, warm_up_steps=2, sustained_s=1, token_seed=11,
        probe=ProbeProtocol(buffer_bytes=1 << 20, passes=3),
    ),
    start_limits=StartLimits(max_battery_celsius=36.5, max_thermal_status=None, min_battery_percent=25, wait_s=60),
    plan=PlanPosition(
        campaign="nightly-7", cell="tiny/deep-8x64/onnx-int4/2-threads", block="tiny/onnx-int4", repetition=3, order=42,
        device_id="R5CT30", attempt=1, canary=False,
    ),
)  # fmt: skip
HARNESS = HarnessInfo(name="deepnarrow-android", version="0.1.0", build="0123abc", debug=False)
DEVICE = DeviceFacts(
    kind=DeviceKind.PHONE, os="android", os_version="15", os_build="maker/product/device:15/AP3A/1:user/release-keys",
    manufacturer="Maker", model="Phone 1", soc="SoC 8", abi="arm64-v8a",
    cores=(Core(id=0, max_khz=2_000_000), Core(id=1, max_khz=None)), ram_bytes=8 << 30,
)  # fmt: skip
BEFORE = Environment(
    time_utc="2026-11-25T19:40:00Z", monotonic_ns=1_000_000_000, boot_ns=1_500_000_000, thermal_status=0,
    thermal_headroom=0.25, battery_percent=80, battery_celsius=31.5, battery_current_ua=-250_000, plugged=False,
    power_save=False, foreground=True, core_khz=(1_800_000, None), available_ram_bytes=4 << 30, load_average=0.5,
)  # fmt: skip
UNKNOWN = Environment(
    time_utc="2026-11-25T19:41:00Z", monotonic_ns=61_000_000_000, boot_ns=None, thermal_status=None,
    thermal_headroom=None, battery_percent=None, battery_celsius=None, battery_current_ua=None, plugged=None,
    power_save=None, foreground=None, core_khz=(), available_ram_bytes=None, load_average=None,
)  # fmt: skip
COMPLETED = RunRecord(
    schema=RECORD_SCHEMA, request=REQUEST, outcome=Completed(), harness=HARNESS, device=DEVICE,
    artifact=artifact_facts(read_manifest(FOLDER), sha256(FOLDER / "manifest.json")),
    started_utc="2026-11-25T19:40:00Z", duration_ns=60_000_000_000, start_wait_ns=0,
    environment_before=BEFORE, environment_after=UNKNOWN,
    bandwidth=Bandwidth(
        passes=(
            ProbePasses(method=ProbeMethod.ARRAY_SUM, num_threads=2, bytes=1 << 20, pass_ns=(70_000, 65_536, 60_000)),
            ProbePasses(method=ProbeMethod.RUNTIME_GRAPH, num_threads=2, bytes=1 << 20, pass_ns=(9, 8, 8)),
        ),
        best=ProbeMethod.ARRAY_SUM, ceiling_bytes_per_s=1.6e10,
    ),
    load=Load(load_ns=12_000_000, first_forward_ns=3_000_000),
    observed=ObservedRuntime(
        name="onnxruntime", version="1.29.0", num_threads=2, load_mode=LoadMode.MMAP, backends=("CPUExecutionProvider",)
    ),
    self_check=SelfCheck(
        steps=64, decisive_steps=60, decisive_matches=60, ambiguous_steps=4, ambiguous_matches=3, first_mismatch=None
    ),
    prefill=(
        PrefillSamples(prompt_length=16, prefill_ns=(900_000, 880_000)),
        PrefillSamples(prompt_length=64, prefill_ns=(3_000_000, 2_900_000)),
    ),
    decode=(
        DecodeSamples(context=0, forward_ns=(90_000, 85_000, 86_000), step_ns=(95_000, 90_500, 91_000)),
        DecodeSamples(context=32, forward_ns=(99_000, 95_000, 96_000), step_ns=(105_000, 100_000, 101_000)),
    ),
    sustained=SustainedSamples(
        context=32, start_ns=(0, 100_000), forward_ns=(95_000, 96_000), thermal=((0, 0, 31.5), (100_000, None, None))
    ),
    memory=(
        MemoryPoint(
            after=Stage.LOAD, rss_bytes=100 << 20, anonymous_bytes=60 << 20, file_bytes=40 << 20, swap_bytes=0,
            high_water_bytes=101 << 20,
        ),
        MemoryPoint(
            after=Stage.FINISH, rss_bytes=None, anonymous_bytes=None, file_bytes=None, swap_bytes=None,
            high_water_bytes=None,
        ),
    ),
    concerns=(Concern(code=ConcernCode.LOW_BATTERY, severity=Severity.WARNING, detail="battery at 20 %"),),
    evidence=None,
)  # fmt: skip


def _ended(outcome: Running | Failed | Skipped, **parts: object) -> RunRecord:
    """A record that ended early: everything the run did not reach is None or empty."""
    nothing = dict.fromkeys(
        (
            "duration_ns",
            "start_wait_ns",
            "environment_after",
            "bandwidth",
            "load",
            "observed",
            "self_check",
            "sustained",
        )
    )
    empty = dict.fromkeys(("prefill", "decode", "memory", "concerns"), ())
    return COMPLETED.model_copy(update={**nothing, **empty, "outcome": outcome, **parts})


PARITY = _ended(
    Failed(stage=Stage.SELF_CHECK, failure=FailureKind.PARITY, message="text 0, step 5: expected 17, got 18"),
    duration_ns=2_000_000_000, start_wait_ns=0,
    self_check=SelfCheck(
        steps=6, decisive_steps=6, decisive_matches=5, ambiguous_steps=0, ambiguous_matches=0,
        first_mismatch=Mismatch(text=0, step=5, expected=17, actual=18),
    ),
    evidence=Evidence(exit_info="reason=3 (LOW_MEMORY)", crash_log=None, output=None),
)  # fmt: skip
SHELL = _ended(Running(stage=Stage.ENVIRONMENT), artifact=None, environment_before=None)
HOT = _ended(Skipped(message="battery at 41.0 C, limit 36.5 C, after 60 s"), start_wait_ns=60_000_000_000)
DONE = Done(schema=DONE_SCHEMA, run_id=REQUEST.run_id, record_sha256="0" * 64)

GOLDENS: dict[str, BaseModel] = {
    "request_minimal.json": MINIMAL_REQUEST,
    "request.json": REQUEST,
    "record_completed.json": COMPLETED,
    "record_failed.json": PARITY,
    "record_running.json": SHELL,
    "record_skipped.json": HOT,
    "done.json": DONE,
}

# Merge patches on record_completed.json, as RFC 7386 has them except that null is a value: what begins another cell and
# what does not.
PATCHES: dict[str, dict[str, object]] = {
    "the record itself": {},
    "another network": {"artifact": {"content_id": "f" * 32}},
    "the same network, written by another exporter": {"artifact": {"job_id": "e" * 32, "manifest_sha256": "d" * 64}},
    "another name of the same network": {"artifact": {"pair": "mine", "shape_name": "deep"}},
    "another campaign": {"request": {"plan": {"campaign": "nightly-8"}}},
    "another session of the campaign": {"request": {"session": "20261126T193955Z-000000"}},
    "another repetition, attempt and place in the queue": {
        "request": {"run_id": "nightly-7.0043", "plan": {"repetition": 4, "order": 43, "attempt": 0, "block": "b#2"}}
    },
    "an app's run, of no campaign": {"request": {"plan": None}},
    "an app's run of another session": {"request": {"plan": None, "session": "20261126T193955Z-000000"}},
    "by hand: no campaign and no session": {"request": {"plan": None, "session": None}},
    "another phone of the same model": {"request": {"plan": {"device_id": "R5CT31"}}},
    "another model": {"device": {"model": "Phone 2"}},
    "not a phone": {"device": {"kind": "emulator"}},
    "after an update of the system": {"device": {"os_build": "maker/product/device:15/AP3B/2:user/release-keys"}},
    "another build of the harness": {"harness": {"build": "89abcde"}},
    "a debug build": {"harness": {"debug": True}},
    "another version of the harness": {"harness": {"version": "0.2.0"}},
    "a harness that does not know its build": {"harness": {"build": None}},
    "another version of the runtime": {"observed": {"version": "1.30.0"}},
    "another backend at work": {"observed": {"backends": ["NnapiExecutionProvider", "CPUExecutionProvider"]}},
    "ended before the runtime reported": {"observed": None},
    "on a charger": {"environment_before": {"plugged": True}},
    "the device does not say whether it charges": {"environment_before": None},
    "more threads": {"request": {"protocol": {"num_threads": 4}}},
    "another backend asked for": {"request": {"protocol": {"backend": "default"}}},
    "another load mode": {"request": {"protocol": {"load_mode": "file"}}},
    "other prompts": {"request": {"protocol": {"prompt_lengths": [64]}}},
    "more prompts of each length": {"request": {"protocol": {"prefill_repetitions": 3}}},
    "other contexts": {"request": {"protocol": {"contexts": [0]}}},
    "more steps": {"request": {"protocol": {"decode_steps": 4}}},
    "less warm-up": {"request": {"protocol": {"warm_up_steps": 0}}},
    "no sustained phase": {"request": {"protocol": {"sustained_s": None}}},
    "other text": {"request": {"protocol": {"token_seed": 12}}},
    "a larger probe": {"request": {"protocol": {"probe": {"buffer_bytes": 2 << 20}}}},
    "a longer probe": {"request": {"protocol": {"probe": {"passes": 9}}}},
    "a larger cache": {"artifact": {"max_context": 2048}},
    "larger chunks": {"artifact": {"prefill_chunk": 64}},
    "other limits at the start": {"request": {"start_limits": {"max_battery_celsius": 45.0}}},
    "another time, temperature and result": {
        "started_utc": "2027-01-01T00:00:00Z", "environment_before": {"battery_celsius": 20.0}, "concerns": [],
        "outcome": {"kind": "failed", "stage": "decode", "failure": "runtime", "message": "x"},
    },
    "ended before there was an artifact": {"artifact": None},
}  # fmt: skip


def merged(target: object, patch: object) -> object:
    """The patch applied: objects are merged member by member, anything else is replaced."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        result[name] = None if value is None else merged(result.get(name), value)
    return result


def comparison_keys() -> list[dict[str, object]]:
    """Each patch with the key of the record that it makes."""
    record = json.loads(COMPLETED.model_dump_json(by_alias=True))
    cases: list[dict[str, object]] = []
    for name, patch in PATCHES.items():
        key = comparison_key(RunRecord.model_validate_json(json.dumps(merged(record, patch))))
        cases.append({"name": name, "patch": patch, "key": key.as_json() if key else None})
    return cases


if __name__ == "__main__":
    for name, model in GOLDENS.items():
        write_json(model, FOLDER / name)
    (FOLDER / "comparison_keys.json").write_text(json.dumps(comparison_keys(), indent=1) + "\n", encoding="utf-8")
