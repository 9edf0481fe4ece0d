"""Which runs repeat each other: the one definition of comparability, with reasons in docs/comparability.md.

Two records repeat each other if their comparison keys are equal. Two networks may be compared if their keys differ in
the network alone, which means that their setups are equal. `comparison_key` has a twin in Kotlin and one in Swift; all
are held to `tests/golden/comparison_keys.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from export.quantization import Scheme
from export.targets.base import TargetName
from scripts.records.record import ArtifactFacts, HarnessInfo, RunRecord
from scripts.records.request import Protocol
from scripts.records.vocabulary import Backend, DeviceKind, LoadMode

KeyValue = str | int | bool | None | list[str] | list[int]


@dataclass(frozen=True, slots=True, order=True)
class DeviceKey:
    """One physical device.

    Attributes:
        id: the farm's, else the device's model: an app's record knows no serial number.
    """

    id: str
    kind: DeviceKind
    model: str


@dataclass(frozen=True, slots=True, order=True)
class HarnessKey:
    """One build of one harness."""

    name: str
    version: str
    build: str | None
    debug: bool

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.build or 'unknown'}{' debug' * self.debug}"


@dataclass(frozen=True, slots=True, order=True)
class ProtocolKey:
    """The part of a protocol that changes the value of a cell, with what the artifact fixes of it."""

    num_threads: int
    backend: Backend
    load_mode: LoadMode
    prompt_lengths: tuple[int, ...]
    prefill_repetitions: int
    contexts: tuple[int, ...]
    decode_steps: int
    warm_up_steps: int
    sustained_s: int | None
    token_seed: int
    probe_buffer_bytes: int
    probe_passes: int
    max_context: int
    prefill_chunk: int


@dataclass(frozen=True, slots=True)
class Pool:
    """What keeps runs of equal conditions apart: a campaign has its name, runs outside of one have their session."""

    campaign: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """All that two runs must share to be compared, the network apart.

    Attributes:
        runtime: name and version as it reported them; None where the run ended before it did.
        backends: what computed, as the runtime reported it; empty where it did not.
        plugged: on a charger; None where the device does not say.
    """

    device: DeviceKey
    os_build: str
    harness: HarnessKey
    runtime: str | None
    backends: tuple[str, ...]
    plugged: bool | None
    target: TargetName
    scheme: Scheme
    protocol: ProtocolKey
    pool: Pool

    @property
    def conditions(self) -> "Setup":
        """The setup of any campaign or session: runs that share it were measured alike, at different times perhaps."""
        return replace(self, pool=Pool())

    @property
    def label(self) -> str:
        """`phone-1 (Pixel 8), executorch int4, 4 threads`."""
        threads = self.protocol.num_threads
        runtime = f"{self.target} {self.scheme}, {threads} thread{'s' * (threads > 1)}"
        return f"{self.device.id} ({self.device.model}), {runtime}"


@dataclass(frozen=True, slots=True)
class ComparisonKey:
    """A network, by the content of its model files, in a setup."""

    content_id: str
    setup: Setup

    def as_json(self) -> dict[str, KeyValue]:
        """Flat, with the names that every language uses."""
        setup, protocol = self.setup, self.setup.protocol
        return {
            "content_id": self.content_id,
            "campaign": setup.pool.campaign,
            "session": setup.pool.session,
            "device_id": setup.device.id,
            "device_kind": setup.device.kind,
            "device_model": setup.device.model,
            "os_build": setup.os_build,
            "harness_name": setup.harness.name,
            "harness_version": setup.harness.version,
            "harness_build": setup.harness.build,
            "harness_debug": setup.harness.debug,
            "runtime": setup.runtime,
            "backends": list(setup.backends),
            "charging": setup.plugged,
            "target": setup.target,
            "scheme": setup.scheme,
            **protocol_fields(protocol),
        }

    def __str__(self) -> str:
        return json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))


def protocol_fields(protocol: ProtocolKey) -> Mapping[str, KeyValue]:
    """The protocol's part of a key, as JSON: the farm plans by it before there is a record."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(protocol).items()}


def protocol_key(protocol: Protocol, max_context: int, prefill_chunk: int) -> ProtocolKey:
    """Of what was asked and the artifact that it was asked of."""
    return ProtocolKey(
        num_threads=protocol.num_threads, backend=protocol.backend, load_mode=protocol.load_mode,
        prompt_lengths=protocol.prompt_lengths, prefill_repetitions=protocol.prefill_repetitions,
        contexts=protocol.contexts, decode_steps=protocol.decode_steps, warm_up_steps=protocol.warm_up_steps,
        sustained_s=protocol.sustained_s, token_seed=protocol.token_seed,
        probe_buffer_bytes=protocol.probe.buffer_bytes, probe_passes=protocol.probe.passes,
        max_context=max_context, prefill_chunk=prefill_chunk,
    )  # fmt: skip


def device_key(record: RunRecord) -> DeviceKey:
    """The physical device."""
    plan = record.request.plan
    return DeviceKey(plan.device_id if plan else record.device.model, record.device.kind, record.device.model)


def setup_of(record: RunRecord, artifact: ArtifactFacts) -> Setup:
    """The run's setup; `artifact` is the record's own, which is there."""
    request, before, observed = record.request, record.environment_before, record.observed
    return Setup(
        device=device_key(record),
        os_build=record.device.os_build,
        harness=_harness_key(record.harness),
        runtime=f"{observed.name} {observed.version}" if observed else None,
        backends=observed.backends if observed else (),
        plugged=before.plugged if before else None,
        target=artifact.target,
        scheme=artifact.scheme,
        protocol=protocol_key(request.protocol, artifact.max_context, artifact.prefill_chunk),
        pool=Pool(campaign=request.plan.campaign) if request.plan else Pool(session=request.session),
    )


def comparison_key(record: RunRecord) -> ComparisonKey | None:
    """The record's key; None where the run ended before it had an artifact."""
    if record.artifact is None:
        return None
    return ComparisonKey(record.artifact.content_id, setup_of(record, record.artifact))


def _harness_key(harness: HarnessInfo) -> HarnessKey:
    return HarnessKey(harness.name, harness.version, harness.build, harness.debug)
