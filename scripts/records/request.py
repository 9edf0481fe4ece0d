"""`RunRequest`: what a run is asked to do."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from scripts.records.vocabulary import Backend, LoadMode

REQUEST_SCHEMA = "deepnarrow/run-request/1"
RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$")]


class WireModel(BaseModel):
    """Base of all requests and records: unknown keys are refused, nothing changes once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ProbeProtocol(WireModel):
    """The memory-bandwidth probe: every thread reads its part of one buffer; the median pass counts."""

    buffer_bytes: Annotated[int, Field(ge=1 << 20)] = 256 << 20
    passes: Annotated[int, Field(ge=3)] = 9


class Protocol(WireModel):
    """What is measured.

    Attributes:
        num_threads: threads of the runtime and of the bandwidth probe.
        prompt_lengths: prompts to time, in tokens.
        prefill_repetitions: timed prompts of each length.
        contexts: positions in the cache before the first timed step.
        decode_steps: timed steps at each context; greedy, the end-of-text token does not stop them.
        warm_up_steps: untimed steps before each context, all at the context's first position.
        sustained_s: seconds of the sustained phase, steps at the last context; None for none.
        token_seed: seed of `synthetic_token`, from which all prompts come.
    """

    num_threads: Annotated[int, Field(ge=1)] = 4
    backend: Backend = Backend.DEFAULT
    load_mode: LoadMode = LoadMode.DEFAULT
    prompt_lengths: tuple[Annotated[int, Field(ge=1)], ...] = (64, 512)
    prefill_repetitions: Annotated[int, Field(ge=1)] = 3
    contexts: tuple[Annotated[int, Field(ge=0)], ...] = (0, 512)
    decode_steps: Annotated[int, Field(ge=2)] = 128
    warm_up_steps: Annotated[int, Field(ge=0)] = 8
    sustained_s: Annotated[int, Field(ge=1)] | None = None
    token_seed: Annotated[int, Field(ge=0, lt=2**63)] = 7
    probe: ProbeProtocol = ProbeProtocol()

    @field_validator("contexts", "prompt_lengths")
    @classmethod
    def _ascending(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if not values or list(values) != sorted(set(values)):
            raise ValueError("must be one or more numbers in ascending order, each once")
        return values

    @property
    def positions(self) -> int:
        """Positions a cache must hold."""
        return max(*self.prompt_lengths, self.contexts[-1] + self.decode_steps)


class StartLimits(WireModel):
    """Limits that must hold before anything is timed; None switches one off. Devices without a sensor pass.

    Attributes:
        wait_s: how long to wait for them before the run is recorded as skipped.
    """

    max_battery_celsius: float | None = 37.0
    max_thermal_status: int | None = 0
    min_battery_percent: int | None = None
    wait_s: Annotated[int, Field(ge=0)] = 300


class PlanPosition(WireModel):
    """Where a run stands in a campaign.

    Attributes:
        cell: artifact, protocol and device kind of the run's repeats, as the farm names it.
        block: interleaved group of the run; the arms of a pair share it.
        repetition: 0-based, within the cell.
        order: 0-based, in the device's queue.
        device_id: the farm's name for the device: a serial number, UDID or host name.
        attempt: 0-based; above 0 after a failure of the infrastructure.
        canary: a run that tells whether the device is well; never compared.
    """

    campaign: RunId
    cell: str
    block: str
    repetition: int
    order: int
    device_id: str
    attempt: int = 0
    canary: bool = False


class RunRequest(WireModel):
    """Schema `deepnarrow/run-request/1`.

    Attributes:
        session: one `farm run`, or one press of the app's button, that the run belongs to; None for a run by hand.
        content_id: of the artifact that the run must find in its folder; None takes any.
    """

    schema_: Literal["deepnarrow/run-request/1"] = Field(REQUEST_SCHEMA, alias="schema")
    run_id: RunId
    session: RunId | None = None
    content_id: str | None = None
    protocol: Protocol = Protocol()
    start_limits: StartLimits = StartLimits()
    plan: PlanPosition | None = None


def new_session() -> str:
    """A name that no other session has, in the order of time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def synthetic_token(seed: int, index: int, vocab_size: int) -> int:
    """Token `index` of the synthetic text: SplitMix64 (Steele et al. 2014) of the counter, modulo the vocabulary.

    A counter, not a stream, so that every language gets the same ids from a few integer operations.
    """
    mask = 2**64 - 1
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return ((z ^ (z >> 31)) >> 1) % vocab_size
