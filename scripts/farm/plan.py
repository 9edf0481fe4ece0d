"""The plan: which artifact runs how often, where, and in which order. The same input gives the same plan."""

import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from export.manifest import Manifest, find_artifacts, read_manifest, stray_file
from export.targets.base import TargetName
from models.errors import UserError
from models.pair import Arm
from models.sweep import SWEEP, SWEEP_PAIR
from scripts.farm.campaign import Campaign, Order
from scripts.farm.device import DeviceIdentity
from scripts.records import DeviceKind, PlanPosition, Protocol, RunRequest
from scripts.records.comparable import protocol_fields, protocol_key

MAX_SLUG = 60
CANARY_CELL = "canary"
_APPLE_PHONES = ("ios", "ipados")
# The desktop builds of the apps, which also play phones: the Kotlin one has ONNX Runtime only, and the Swift one has
# ExecuTorch without its kernels for timing.
_ONNX_ONLY = (DeviceKind.FAKE, DeviceKind.DESKTOP)
# Short on purpose: it asks whether the device works, not how fast it is.
_CANARY = {"prompt_lengths": (16,), "prefill_repetitions": 1, "contexts": (0,), "decode_steps": 8, "sustained_s": None}


@dataclass(frozen=True, slots=True)
class ArtifactFolder:
    """An artifact to measure."""

    folder: Path
    manifest: Manifest

    @property
    def group(self) -> tuple[str, TargetName, str]:
        """What is interleaved with each other: the arms of a pair, for one runtime and scheme."""
        return (self.manifest.pair, self.manifest.target, self.manifest.scheme)


@dataclass(frozen=True, kw_only=True, slots=True)
class Slot:
    """A place in a device's queue, to be filled by one run, or by up to three attempts where the device fails.

    Attributes:
        slot_id: run ids are it and the number of the attempt.
        position: with attempt 0.
    """

    slot_id: str
    artifact: ArtifactFolder
    protocol: Protocol
    position: PlanPosition

    def request(self, campaign: Campaign, session: str, attempt: int) -> RunRequest:
        """The request of one attempt."""
        return RunRequest.model_validate(
            {
                "run_id": self.run_id(attempt),
                "session": session,
                "content_id": self.artifact.manifest.content_id,
                "protocol": self.protocol,
                "start_limits": campaign.start_limits,
                "plan": self.position.model_copy(update={"attempt": attempt}),
            }
        )

    def run_id(self, attempt: int) -> str:
        """Of one attempt."""
        return f"{self.slot_id}.a{attempt}"


def planned_artifacts(campaign: Campaign) -> list[ArtifactFolder]:
    """The campaign's artifacts.

    Raises:
        UserError: a pair or folder that it names is not there, or an artifact's context is too short.
    """
    found, unreadable = find_artifacts(campaign.artifacts_folder) if campaign.pairs else ({}, [])
    artifacts = [ArtifactFolder(folder, read_manifest(folder)) for folder in campaign.artifacts]
    for pair in campaign.pairs:
        mine = [
            ArtifactFolder(folder, each)
            for folder, each in found.items()
            if each.pair == pair and _wanted(each, campaign)
        ]
        if not mine:
            known = ", ".join(sorted({each.pair for each in found.values()})) or "none"
            raise UserError(
                f"pair {pair}: no artifact of it in {campaign.artifacts_folder} that targets and schemes allow; "
                f"pairs there: {known}; make it with: {_export_command(pair)}{_unread(unreadable)}"
            )
        _check_complete(campaign, pair, mine, found.values())
        artifacts += mine
    for artifact in artifacts:
        if stray := stray_file(artifact.folder):
            raise UserError(f"{stray}: a link that leads out of the artifact's folder; put the file itself there")
        _check_positions(artifact, campaign.protocol)
    return sorted(artifacts, key=lambda artifact: (artifact.manifest.pair, artifact.manifest.content_id))


def _check_complete(campaign: Campaign, pair: str, mine: Sequence[ArtifactFolder], found: Iterable[Manifest]) -> None:
    """Every shape of the pair in every target and scheme that is named; else a campaign measures less than it says.

    What is not named is whatever is there.
    """
    there = {(each.manifest.shape_name, each.manifest.target, each.manifest.scheme) for each in mine}
    for shape in _shape_names(pair, [each for each in found if each.pair == pair]):
        combinations = {(target, scheme) for name, target, scheme in there if name == shape}
        for target, scheme in product(campaign.targets or (None,), campaign.schemes or (None,)):
            if not any(target in (None, t) and scheme in (None, s) for t, s in combinations):
                asked = " ".join(each for each in (target, scheme) if each) or "any target"
                options = "".join((f" --target {target}" * bool(target), f" --scheme {scheme}" * bool(scheme)))
                raise UserError(
                    f"pair {pair}: {shape} has no artifact for {asked} in {campaign.artifacts_folder}; make it with: "
                    f"{_export_command(pair)}{options}"
                )


def _shape_names(pair: str, manifests: Sequence[Manifest]) -> list[str]:
    """All that a pair or the sweep consists of; an arm that was never exported goes by the arm's name."""
    if pair == SWEEP_PAIR:
        return list(SWEEP)
    arms = {each.arm for each in manifests}
    missing = [str(arm) for arm in Arm if arms & set(Arm) and arm not in arms]
    return sorted({each.shape_name for each in manifests}) + missing


def _export_command(pair: str) -> str:
    return "python -m export sweep" if pair == SWEEP_PAIR else f"python -m export all --pair {pair}"


def _check_positions(artifact: ArtifactFolder, protocol: Protocol) -> None:
    longest = artifact.manifest.options.max_context
    if protocol.positions > longest:
        raise UserError(
            f"protocol: prompt_lengths and contexts with decode_steps need {protocol.positions} positions; "
            f"{artifact.folder} has max_context {longest}"
        )


def plan_device(campaign: Campaign, artifacts: Sequence[ArtifactFolder], identity: DeviceIdentity) -> list[Slot]:
    """A device's whole queue: the canary, then the groups in seeded order, their arms interleaved A B B A.

    Artifacts that cannot run on this kind of device are left out.
    """
    runnable = [artifact for artifact in artifacts if runs_on(artifact.manifest, identity)]
    if not runnable:
        return []
    source = random.Random(f"{campaign.seed}/{identity.device_id}")
    groups: dict[tuple[str, TargetName, str], list[ArtifactFolder]] = {}
    for artifact in runnable:
        groups.setdefault(artifact.group, []).append(artifact)
    order = list(groups.values())
    source.shuffle(order)
    rows = [row for group in order for row in interleave(group, campaign.repetitions, source)]
    if campaign.order is Order.ROUNDS:
        rows.sort(key=lambda row: row[1])  # stable: within a repetition the order stays
    slots = [_canary(campaign, runnable, identity)]
    for artifact, repetition, block in rows:
        slots.append(_slot(campaign, identity, artifact, repetition, block, len(slots)))
    return slots


def interleave(
    group: Sequence[ArtifactFolder], repetitions: int, source: random.Random
) -> Iterator[tuple[ArtifactFolder, int, int]]:
    """(artifact, repetition, block) in the order of running.

    Two arms go A B B A A B B A ..., which cancels a linear drift in every four runs; which arm is A is drawn. More, or
    shapes without an arm, go in rounds, each in an order of its own.
    """
    arms = {artifact.manifest.arm for artifact in group}
    paired = len(group) == 2 and arms == {Arm.DEEP, Arm.WIDE}
    members = list(group)
    source.shuffle(members)
    for repetition in range(repetitions):
        if not paired:
            source.shuffle(members)
        reverse = paired and repetition % 2 == 1
        for artifact in reversed(members) if reverse else members:
            yield artifact, repetition, repetition // 2


def runs_on(manifest: Manifest, identity: DeviceIdentity) -> bool:
    """Whether the harness of this kind of device has the artifact's runtime."""
    return manifest.shape.family == "transformer" and manifest.target in targets_on(identity)


def targets_on(identity: DeviceIdentity) -> tuple[TargetName, ...]:
    """The runtimes that the harness of this kind of device has."""
    if identity.kind in _ONNX_ONLY:
        return (TargetName.ONNX,)
    both = (TargetName.EXECUTORCH, TargetName.ONNX)
    return (TargetName.COREML, *both) if identity.facts.os in _APPLE_PHONES else both


def remaining(slots: Iterable[Slot], finished: set[str]) -> list[Slot]:
    """The plan minus what the store holds."""
    return [slot for slot in slots if slot.slot_id not in finished]


def _slot(
    campaign: Campaign, identity: DeviceIdentity, artifact: ArtifactFolder, repetition: int, block: int, order: int
) -> Slot:
    manifest, kind = artifact.manifest, identity.kind
    options = manifest.options
    protocol = protocol_fields(protocol_key(campaign.protocol, options.max_context, options.prefill_chunk))
    digest = _digest(json.dumps(protocol, sort_keys=True))
    name = f"{manifest.pair}/{manifest.shape_name}/{manifest.target}-{manifest.scheme}"
    cell = f"{name}/{campaign.protocol.num_threads}-threads/{digest[:6]}/{kind}"
    position = PlanPosition(
        campaign=campaign.name, cell=cell, block=f"{manifest.pair}/{manifest.target}-{manifest.scheme}#{block}",
        repetition=repetition, order=order, device_id=identity.device_id,
    )  # fmt: skip
    slot_id = f"{_slug(name)}.{_key(campaign, identity, manifest, cell)}.r{repetition}"
    return Slot(slot_id=slot_id, artifact=artifact, protocol=campaign.protocol, position=position)


def _canary(campaign: Campaign, artifacts: Sequence[ArtifactFolder], identity: DeviceIdentity) -> Slot:
    artifact = min(artifacts, key=lambda each: (each.manifest.model_bytes, each.manifest.content_id))
    protocol = campaign.protocol.model_copy(update=_CANARY)
    position = PlanPosition(
        campaign=campaign.name, cell=CANARY_CELL, block=CANARY_CELL, repetition=0, order=0,
        device_id=identity.device_id, canary=True,
    )  # fmt: skip
    slot_id = f"{CANARY_CELL}.{_key(campaign, identity, artifact.manifest, CANARY_CELL)}.r0"
    return Slot(slot_id=slot_id, artifact=artifact, protocol=protocol, position=position)


def _key(campaign: Campaign, identity: DeviceIdentity, manifest: Manifest, cell: str) -> str:
    """Everything that makes a repeat a repeat: another OS build or artifact begins new cells."""
    parts = (campaign.name, identity.device_id, identity.facts.os_build, manifest.content_id, cell)
    return _digest("\0".join(parts))[:10]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:MAX_SLUG]


def _wanted(manifest: Manifest, campaign: Campaign) -> bool:
    return (not campaign.targets or manifest.target in campaign.targets) and (
        not campaign.schemes or manifest.scheme in campaign.schemes
    )


def _unread(unreadable: Sequence[str]) -> str:
    return f" ({len(unreadable)} folders there could not be read: {unreadable[0]})" if unreadable else ""
