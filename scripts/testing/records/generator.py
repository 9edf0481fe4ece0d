"""Records of runs that never took place: times come from the token model with known terms and seeded noise.

They serve the tests of the analysis and of the report, which must find the known terms again. Every record says so:
its device's manufacturer is `generated` and its kind is `fake` unless a test asks for another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from export.manifest import RoleBytes
from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec, TargetName
from export.targets.registry import get_target
from models.catalog import get_pair
from models.cost import kv_bytes_per_position, stored_bytes, weight_bytes_read
from models.pair import Arm
from models.shape import TransformerShape
from models.sweep import SWEEP, SWEEP_PAIR
from scripts.records import (
    RECORD_SCHEMA,
    REQUEST_SCHEMA,
    ArtifactFacts,
    Bandwidth,
    Completed,
    Concern,
    ConcernCode,
    Core,
    DecodeSamples,
    DeviceFacts,
    Environment,
    Failed,
    FailureKind,
    HarnessInfo,
    Load,
    LoadMode,
    MemoryPoint,
    ObservedRuntime,
    PlanPosition,
    PrefillSamples,
    ProbeMethod,
    ProbePasses,
    Protocol,
    RunRecord,
    RunRequest,
    SelfCheck,
    Severity,
    Stage,
    SustainedSamples,
    write_done,
    write_record,
)
from scripts.testing.records.device import GeneratedDevice

__all__ = [
    "PROTOCOL", "Campaign", "GeneratedDevice", "Network", "facts_of", "generate_records", "pair_networks",
    "sweep_networks", "write_results",
]  # fmt: skip

PROTOCOL = Protocol(prompt_lengths=(64,), contexts=(0, 512), decode_steps=16)


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A shape in the place that a manifest would give it."""

    pair: str
    arm: Arm | None
    name: str
    shape: TransformerShape


@dataclass(frozen=True, kw_only=True, slots=True)
class Campaign:
    """What to generate.

    Attributes:
        slower: by shape name, a factor on its times: a difference that size does not explain.
        invalid_runs: so many of each device's first runs carry an invalidating concern.
        failed_runs: so many of the runs after them failed their self-check.
    """

    name: str = "generated"
    repetitions: int = 5
    protocol: Protocol = PROTOCOL
    targets: tuple[TargetName, ...] = (TargetName.EXECUTORCH,)
    schemes: tuple[Scheme, ...] = (Scheme.INT4,)
    harness_build: str = "generated"
    started_day: int = 1
    slower: Mapping[str, float] = field(default_factory=dict[str, float])
    invalid_runs: int = 0
    failed_runs: int = 0


def pair_networks(*pairs: str) -> list[Network]:
    """Both arms of catalogued pairs of decoders."""
    networks: list[Network] = []
    for name in pairs:
        for arm in Arm:
            shape = get_pair(name).arm(arm)
            assert isinstance(shape, TransformerShape), f"{name} is no pair of decoders"
            networks.append(
                Network(pair=name, arm=arm, name=f"{arm}-{shape.num_layers}x{shape.hidden_size}", shape=shape)
            )
    return networks


def sweep_networks() -> list[Network]:
    """The shipped sweep."""
    return [Network(pair=SWEEP_PAIR, arm=None, name=name, shape=shape) for name, shape in SWEEP.items()]


def generate_records(
    devices: Sequence[GeneratedDevice], networks: Sequence[Network], campaign: Campaign | None = None, seed: int = 0
) -> list[RunRecord]:
    """Records in the order in which a farm would run them: arms A B B A, other shapes in rounds."""
    plan = campaign or Campaign()
    random = np.random.default_rng(seed)
    return [record for device in devices for record in _queue(device, networks, plan, random)]


def write_results(records: Iterable[RunRecord], root: Path) -> None:
    """Write records as the farm's store keeps them: root/<campaign>/<run_id>/."""
    for record in records:
        assert record.request.plan is not None
        folder = root / record.request.plan.campaign / record.run_id
        write_record(record, folder)
        write_done(record.run_id, folder)


def facts_of(network: Network, target: TargetName, scheme: Scheme) -> ArtifactFacts:
    """What a manifest would say of the network, from `models.cost`."""
    storage = get_target(target).storage(ExportSpec(shape=network.shape, scheme=scheme))
    stored, options = stored_bytes(network.shape, storage), ExportOptions()
    job = f"{network.pair}-{network.name}-{target}-{scheme}"
    return ArtifactFacts(
        job_id=job, content_id=job, manifest_sha256="0" * 64, pair=network.pair, arm=network.arm,
        shape_name=network.name,
        shape=network.shape, target=target, scheme=scheme, max_context=options.max_context,
        prefill_chunk=options.prefill_chunk, model_bytes=stored.total + 100_000,
        bytes_by_role=RoleBytes(
            embedding=stored.embedding, head=stored.head, layers=stored.layers, overhead=100_000
        ),
        weight_bytes_read=weight_bytes_read(network.shape, storage),
        kv_bytes_per_position=kv_bytes_per_position(network.shape, storage),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Run:
    device: GeneratedDevice
    campaign: Campaign
    artifact: ArtifactFacts
    repetition: int
    order: int


def _queue(
    device: GeneratedDevice, networks: Sequence[Network], campaign: Campaign, random: np.random.Generator
) -> list[RunRecord]:
    records: list[RunRecord] = []
    for target in campaign.targets:
        for scheme in campaign.schemes:
            facts = [facts_of(network, target, scheme) for network in networks]
            for repetition in range(campaign.repetitions):
                for artifact in facts if repetition % 2 == 0 else facts[::-1]:
                    run = _Run(device, campaign, artifact, repetition, len(records))
                    records.append(_record(run, random))
    return records


def _record(run: _Run, random: np.random.Generator) -> RunRecord:
    device, campaign = run.device, run.campaign
    speed = float(np.exp(random.normal(0, device.run_noise))) * (1 + device.drift_per_run) ** run.order
    speed *= campaign.slower.get(run.artifact.shape_name, 1.0)
    completed = RunRecord(
        schema=RECORD_SCHEMA, request=_request(run), outcome=Completed(),
        harness=HarnessInfo(name="generated", version="0", build=campaign.harness_build, debug=False),
        device=_device(device), artifact=run.artifact, started_utc=_time(run), duration_ns=10_000_000_000,
        start_wait_ns=0, environment_before=_environment(run, 30.0), environment_after=_environment(run, 33.0),
        bandwidth=_bandwidth(run, random), load=Load(load_ns=20_000_000, first_forward_ns=4_000_000),
        observed=ObservedRuntime(
            name=str(run.artifact.target), version="generated", num_threads=campaign.protocol.num_threads,
            load_mode=LoadMode.MMAP, backends=(),
        ),
        self_check=SelfCheck(
            steps=64, decisive_steps=60, decisive_matches=60, ambiguous_steps=4, ambiguous_matches=4,
            first_mismatch=None,
        ),
        prefill=tuple(_prefill(run, length, speed, random) for length in campaign.protocol.prompt_lengths),
        decode=tuple(_decode(run, context, speed, random) for context in campaign.protocol.contexts),
        sustained=_sustained(run, speed, random), memory=_memory(run.artifact), concerns=(), evidence=None,
    )  # fmt: skip
    return _spoiled(completed, run)


def _spoiled(record: RunRecord, run: _Run) -> RunRecord:
    invalid, failed = run.campaign.invalid_runs, run.campaign.failed_runs
    if run.order < invalid:
        concern = Concern(code=ConcernCode.THERMAL_STATUS, severity=Severity.INVALID, detail="thermal status 2")
        return record.model_copy(update={"concerns": (concern,)})
    if run.order < invalid + failed:
        outcome = Failed(stage=Stage.SELF_CHECK, failure=FailureKind.PARITY, message="text 0, step 5: generated")
        return record.model_copy(update={"outcome": outcome, "prefill": (), "decode": (), "sustained": None})
    return record


def _request(run: _Run) -> RunRequest:
    artifact, campaign = run.artifact, run.campaign
    runtime = f"{artifact.target}-{artifact.scheme}"
    plan = PlanPosition(
        campaign=campaign.name, cell=f"{artifact.pair}/{artifact.shape_name}/{runtime}",
        block=f"{artifact.pair}/{runtime}#{run.repetition // 2}", repetition=run.repetition, order=run.order,
        device_id=run.device.device_id,
    )  # fmt: skip
    run_id = f"{run.device.device_id}.{artifact.pair}.{artifact.shape_name}.{runtime}.r{run.repetition}.a0"
    return RunRequest(
        schema=REQUEST_SCHEMA,
        run_id=run_id,
        session=campaign.name,
        content_id=artifact.content_id,
        protocol=campaign.protocol,
        plan=plan,
    )


def _device(device: GeneratedDevice) -> DeviceFacts:
    cores = tuple(Core(id=index, max_khz=2_000_000) for index in range(8))
    return DeviceFacts(
        kind=device.kind, os="android", os_version="16", os_build=device.os_build, manufacturer="generated",
        model=device.model, soc="generated", abi="arm64-v8a", cores=cores, ram_bytes=8 << 30,
    )  # fmt: skip


def _time(run: _Run) -> str:
    hour, minute = divmod(run.order, 60)
    return f"2026-11-{run.campaign.started_day:02d}T{hour % 24:02d}:{minute:02d}:00Z"


def _environment(run: _Run, celsius: float) -> Environment:
    return Environment(
        time_utc=_time(run), monotonic_ns=run.order * 60_000_000_000, boot_ns=None, thermal_status=0,
        thermal_headroom=0.3, battery_percent=80, battery_celsius=celsius, battery_current_ua=-400_000, plugged=False,
        power_save=False, foreground=True, core_khz=(2_000_000,) * 8, available_ram_bytes=4 << 30, load_average=0.5,
    )  # fmt: skip


def _bandwidth(run: _Run, random: np.random.Generator) -> Bandwidth:
    probe = run.campaign.protocol.probe
    exact = probe.buffer_bytes / run.device.probe_bytes_per_s * 1e9
    passes = _whole(exact * np.exp(random.normal(0, run.device.step_noise, probe.passes)))
    row = ProbePasses(
        method=ProbeMethod.ARRAY_SUM, num_threads=run.campaign.protocol.num_threads, bytes=probe.buffer_bytes,
        pass_ns=passes,
    )  # fmt: skip
    ceiling = probe.buffer_bytes * 1e9 / float(np.median(passes))
    return Bandwidth(passes=(row,), best=ProbeMethod.ARRAY_SUM, ceiling_bytes_per_s=ceiling)


def _prefill(run: _Run, length: int, speed: float, random: np.random.Generator) -> PrefillSamples:
    one = float(run.device.token_ns(run.artifact, np.array([1.0]))[0]) * speed
    repetitions = run.campaign.protocol.prefill_repetitions
    times = one * length / 8 * np.exp(random.normal(0, run.device.step_noise, repetitions))
    return PrefillSamples(prompt_length=length, prefill_ns=_whole(times))


def _decode(run: _Run, context: int, speed: float, random: np.random.Generator) -> DecodeSamples:
    steps = run.campaign.protocol.decode_steps
    exact = run.device.token_ns(run.artifact, context + 1.0 + np.arange(steps)) * speed
    forward = exact * np.exp(random.normal(0, run.device.step_noise, steps))
    return DecodeSamples(context=context, forward_ns=_whole(forward), step_ns=_whole(forward + 20_000))


def _sustained(run: _Run, speed: float, random: np.random.Generator) -> SustainedSamples | None:
    seconds, context = run.campaign.protocol.sustained_s, run.campaign.protocol.contexts[-1]
    if seconds is None:
        return None
    one = float(run.device.token_ns(run.artifact, np.array([context + 1.0]))[0]) * speed
    steps = min(200, max(3, int(seconds * 1e9 / one)))
    slow = np.linspace(1, 1 + run.device.throttle, steps)
    forward = _whole(one * slow * np.exp(random.normal(0, run.device.step_noise, steps)))
    start = _whole(np.linspace(0, seconds * 1e9, steps, endpoint=False))
    thermal = tuple((int(at), 0, 30.0 + 10 * at / (seconds * 1e9)) for at in range(0, seconds * 10**9, 10**10))
    return SustainedSamples(context=context, start_ns=start, forward_ns=forward, thermal=thermal)


def _memory(artifact: ArtifactFacts) -> tuple[MemoryPoint, ...]:
    size = artifact.model_bytes
    return tuple(
        MemoryPoint(
            after=stage, rss_bytes=size + (50 << 20), anonymous_bytes=50 << 20, file_bytes=size, swap_bytes=0,
            high_water_bytes=size + (60 << 20),
        )
        for stage in (Stage.LOAD, Stage.FINISH)
    )  # fmt: skip


def _whole(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
