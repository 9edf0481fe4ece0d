"""`RunRecord`: everything that happened in a run. Raw; `scripts.analysis.metrics` aggregates."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from export.manifest import RoleBytes
from export.quantization import Scheme
from export.targets.base import TargetName
from models.pair import Arm
from models.shape import MlpShape, TransformerShape
from scripts.records.request import RunId, RunRequest, WireModel
from scripts.records.vocabulary import ConcernCode, DeviceKind, FailureKind, LoadMode, ProbeMethod, Severity, Stage

RECORD_SCHEMA = "deepnarrow/run-record/1"
DONE_SCHEMA = "deepnarrow/done/1"
# In records that the farm writes because the harness left none.
FARM_HARNESS = "deepnarrow-farm"


class HarnessInfo(WireModel):
    """The program that ran.

    Attributes:
        name: `deepnarrow-android`, `deepnarrow-jvm`, `deepnarrow-host`, `deepnarrow-ios` or `deepnarrow-swift`.
        build: git commit or hash of the package; None if unknown.
    """

    name: str
    version: str
    build: str | None
    debug: bool


class Core(WireModel):
    """A processor core."""

    id: int
    max_khz: int | None


class DeviceFacts(WireModel):
    """The machine.

    Attributes:
        os_build: Android's build fingerprint, Apple's build number, or the kernel release.
    """

    kind: DeviceKind
    os: str
    os_version: str
    os_build: str
    manufacturer: str | None
    model: str
    soc: str | None
    abi: str
    cores: tuple[Core, ...]
    ram_bytes: int | None


class ArtifactFacts(WireModel):
    """What the manifest says of the artifact, so that a record can be understood without it.

    Attributes:
        job_id: what was asked of the exporter; tells nothing about what was measured.
        content_id: the network that was measured, by the content of its model files.
        weight_bytes_read: weights that a decoded token reads.
        kv_bytes_per_position: cache bytes that a token reads for each position it attends.
    """

    job_id: str
    content_id: str
    manifest_sha256: str
    pair: str
    arm: Arm | None
    shape_name: str
    shape: Annotated[TransformerShape | MlpShape, Field(discriminator="family")]
    target: TargetName
    scheme: Scheme
    max_context: int
    prefill_chunk: int
    model_bytes: int
    bytes_by_role: RoleBytes
    weight_bytes_read: int
    kv_bytes_per_position: int


class Environment(WireModel):
    """The device at one moment.

    Attributes:
        time_utc: ISO 8601, of the wall clock, which may be wrong.
        monotonic_ns: the clock of all timings; it may stop while the device sleeps.
        boot_ns: time since boot, sleep included.
        thermal_status: Android's 0 (none) to 6 (shutdown); Apple's nominal, fair, serious, critical as 0, 2, 3, 4.
        thermal_headroom: Android's forecast; 1.0 is severe.
        battery_current_ua: microamperes as the device reports them; the sign differs between vendors.
        core_khz: current clocks, in the order of `DeviceFacts.cores`.
        load_average: runnable processes over the last minute.
    """

    time_utc: str
    monotonic_ns: int
    boot_ns: int | None
    thermal_status: int | None
    thermal_headroom: float | None
    battery_percent: int | None
    battery_celsius: float | None
    battery_current_ua: int | None
    plugged: bool | None
    power_save: bool | None
    foreground: bool | None
    core_khz: tuple[int | None, ...]
    available_ram_bytes: int | None
    load_average: float | None


class ProbePasses(WireModel):
    """Raw passes of one method: each read `bytes`."""

    method: ProbeMethod
    num_threads: int
    bytes: int
    pass_ns: tuple[int, ...]


class Bandwidth(WireModel):
    """The probe: the denominator of MBU.

    Attributes:
        best: the method with the highest median.
        ceiling_bytes_per_s: its bytes / its median pass.
    """

    passes: tuple[ProbePasses, ...]
    best: ProbeMethod
    ceiling_bytes_per_s: float


class Load(WireModel):
    """Loading the model.

    Attributes:
        load_ns: from opening the files to a model that can be called.
        first_forward_ns: the first call, one token at position 0.
    """

    load_ns: int
    first_forward_ns: int


class ObservedRuntime(WireModel):
    """What the runtime says it did, beside what was asked. None where it does not say."""

    name: str
    version: str
    num_threads: int | None
    load_mode: LoadMode | None
    backends: tuple[str, ...]


class Mismatch(WireModel):
    """The first decisive step whose token is not the reference's."""

    text: int
    step: int
    expected: int
    actual: int


class SelfCheck(WireModel):
    """The artifact against its `reference.json`."""

    steps: int
    decisive_steps: int
    decisive_matches: int
    ambiguous_steps: int
    ambiguous_matches: int
    first_mismatch: Mismatch | None


class PrefillSamples(WireModel):
    """Prompts of one length: nanoseconds from the first call to the first token's id, one for each repetition."""

    prompt_length: int
    prefill_ns: tuple[int, ...]


class DecodeSamples(WireModel):
    """Single-token steps from `context` on; step i attends context + i + 1 positions.

    Attributes:
        forward_ns: the runtime's call alone.
        step_ns: writing inputs, the call and the argmax.
    """

    context: int
    forward_ns: tuple[int, ...]
    step_ns: tuple[int, ...]

    @model_validator(mode="after")
    def _measured(self) -> "DecodeSamples":
        if len(self.forward_ns) != len(self.step_ns):
            raise ValueError("forward_ns and step_ns must have one entry per step")
        if any(value <= 0 for value in self.forward_ns):
            raise ValueError("forward_ns: no call takes 0 ns or less")
        return self


class SustainedSamples(WireModel):
    """The sustained phase: steps at one context, over and over.

    Attributes:
        start_ns: start of each step after the start of the phase.
        thermal: (nanoseconds after the start, thermal status, battery in Celsius), about once in ten seconds.
    """

    context: int
    start_ns: tuple[int, ...]
    forward_ns: tuple[int, ...]
    thermal: tuple[tuple[int, int | None, float | None], ...]


class MemoryPoint(WireModel):
    """Memory of the process once a stage was over.

    Attributes:
        anonymous_bytes: heap, stacks and copies of weights.
        file_bytes: mapped files, which the system may drop and read again.
        high_water_bytes: the most resident memory so far, by the operating system's own count.
    """

    after: Stage
    rss_bytes: int | None
    anonymous_bytes: int | None
    file_bytes: int | None
    swap_bytes: int | None
    high_water_bytes: int | None


class Concern(WireModel):
    """Something wrong with a run that ran."""

    code: ConcernCode
    severity: Severity
    detail: str


class Running(WireModel):
    """Not over. In a record found later: the process was killed in this stage."""

    kind: Literal["running"] = "running"
    stage: Stage


class Completed(WireModel):
    """All stages are over."""

    kind: Literal["completed"] = "completed"


class Failed(WireModel):
    """Ended in `stage`."""

    kind: Literal["failed"] = "failed"
    stage: Stage
    failure: FailureKind
    message: str


class Skipped(WireModel):
    """A start limit did not hold in time; `message` names it and the value."""

    kind: Literal["skipped"] = "skipped"
    message: str


Outcome = Annotated[Running | Completed | Failed | Skipped, Field(discriminator="kind")]


class Evidence(WireModel):
    """What the farm found after a crash; None where the device told nothing."""

    exit_info: str | None
    crash_log: str | None
    output: str | None


class RunRecord(WireModel):
    """Schema `deepnarrow/run-record/1`. Parts that the run did not reach are None or empty.

    Attributes:
        started_utc: ISO 8601, of the wall clock.
        duration_ns: by the monotonic clock; None while it runs.
        start_wait_ns: time spent waiting for the start limits.
    """

    schema_: Literal["deepnarrow/run-record/1"] = Field(RECORD_SCHEMA, alias="schema")
    request: RunRequest
    outcome: Outcome
    harness: HarnessInfo
    device: DeviceFacts
    artifact: ArtifactFacts | None
    started_utc: str
    duration_ns: int | None
    start_wait_ns: int | None
    environment_before: Environment | None
    environment_after: Environment | None
    bandwidth: Bandwidth | None
    load: Load | None
    observed: ObservedRuntime | None
    self_check: SelfCheck | None
    prefill: tuple[PrefillSamples, ...]
    decode: tuple[DecodeSamples, ...]
    sustained: SustainedSamples | None
    memory: tuple[MemoryPoint, ...]
    concerns: tuple[Concern, ...]
    evidence: Evidence | None

    @property
    def run_id(self) -> str:
        """The request's."""
        return self.request.run_id

    @property
    def valid(self) -> bool:
        """Completed, and nothing makes its numbers unusable."""
        return isinstance(self.outcome, Completed) and all(c.severity is Severity.WARNING for c in self.concerns)


class Done(WireModel):
    """`done.json`, written last: the record is complete and has this hash."""

    schema_: Literal["deepnarrow/done/1"] = Field(DONE_SCHEMA, alias="schema")
    run_id: RunId
    record_sha256: str
