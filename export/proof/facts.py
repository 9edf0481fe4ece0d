"""What can be computed or read back about an artifact at any time: written into a manifest, and checked by `verify`."""

from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path

from export.manifest import Manifest, RoleBytes
from export.proof.gates import Gate, GateError, GateResult
from export.targets.base import ExportSpec, Observed, Target
from models.cost import BitsPerWeight, TokenCost, bits_per_weight, stored_bytes, token_cost


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """The fields of a manifest that follow from its files, shape and options; named as in `Manifest`."""

    observed: Observed
    bytes_by_role: RoleBytes
    bits_per_weight: BitsPerWeight
    cost_per_token: TokenCost


def gather_facts(target: Target, spec: ExportSpec, observed: Observed, model_bytes: int) -> Facts:
    """Facts about an artifact with `model_bytes` of model files, in which `observed` was found."""
    storage = target.storage(spec)
    stored = stored_bytes(spec.shape, storage)
    return Facts(
        observed=observed,
        bytes_by_role=RoleBytes(
            embedding=stored.embedding, head=stored.head, layers=stored.layers, overhead=model_bytes - stored.total
        ),
        bits_per_weight=bits_per_weight(spec.shape, storage),
        cost_per_token=token_cost(spec.shape, storage, spec.options.max_context),
    )


def toolchain(target: Target) -> dict[str, str]:
    """Versions of all packages that decide an artifact's bytes: the target's own, torch's rounding, numpy's generator.

    Raises:
        UserError: the target's SDK is missing.
    """
    return {**target.toolchain(), "torch": version("torch"), "numpy": version("numpy")}


def check_manifest(manifest: Manifest, target: Target, folder: Path) -> GateResult:
    """Hold a manifest to its files.

    Raises:
        GateError: naming the first field that is not what the files say, or a gate that the artifact never passed.
    """
    facts = gather_facts(target, manifest.spec, target.observe(manifest.spec, folder), manifest.model_bytes)
    for field in fields(Facts):
        if getattr(facts, field.name) != getattr(manifest, field.name):
            raise GateError(Gate.MANIFEST, f"{field.name} is not what the files, shape and options come to")
    passed = {result.gate for result in manifest.gates}
    expected = {Gate.OPERATORS, Gate.SIZE, Gate.WEIGHTS, Gate.LOGITS}
    if manifest.shape.family == "transformer":
        expected |= {Gate.GREEDY, Gate.SAMPLE}
    if missing := sorted(expected - passed):
        raise GateError(Gate.MANIFEST, f"it lists no result of: {', '.join(missing)}")
    return GateResult(
        gate=Gate.MANIFEST, measured={"fields": len(fields(Facts))}, thresholds={"fields": len(fields(Facts))},
        note="its facts are those of the files",
    )  # fmt: skip
