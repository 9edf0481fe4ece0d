"""The gates again, on an artifact from disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.manifest import CheckpointSource, Manifest, check_files, read_manifest, read_reference
from export.proof.facts import check_manifest
from export.proof.parity import Proof, Prover
from export.proof.reference import Thoroughness
from export.targets.registry import get_target
from models.checkpoint import open_checkpoint
from models.errors import UserError
from models.weights import RandomWeights, WeightSource


def verify_artifact(folder: Path, checkpoint: Path | None, num_threads: int, progress: Callable[[str], None]) -> Proof:
    """Hold the artifact in `folder` to its manifest, to its weights' source and to its own reference.

    Args:
        folder: an artifact.
        checkpoint: the Hugging Face folder that artifacts of checkpoints were made from; random weights need none.
        num_threads: processors for the runs.
        progress: called with the name of each gate as it starts.

    Raises:
        UserError: no artifact, or the checkpoint is missing or another one.
        GateError: at the first gate that fails.
    """
    manifest = read_manifest(folder)
    progress("files")
    files = check_files(folder, manifest)
    target = get_target(manifest.target)
    facts = check_manifest(manifest, target, folder)
    reference = read_reference(folder)
    prover = Prover(
        target=target,
        spec=manifest.spec,
        weights=_source(manifest, checkpoint),
        folder=folder,
        model_files=manifest.model_files,
        # Only shapes of a sweep may have been proven on less text.
        thoroughness=manifest.thoroughness if manifest.arm is None else Thoroughness.FULL,
        num_threads=num_threads,
        progress=progress,
    )
    proof = prover.prove(reference)
    return replace(proof, gates=(files, facts, *proof.gates))


def _source(manifest: Manifest, checkpoint: Path | None) -> WeightSource:
    if not isinstance(manifest.weights, CheckpointSource):
        return RandomWeights(manifest.shape, manifest.weights.seed)
    if checkpoint is None:
        raise UserError(
            f"the artifact was made from checkpoint {manifest.weights.name}; pass its folder with --weights"
        )
    source = open_checkpoint(checkpoint)
    if source.fingerprint != manifest.weights.sha256:
        raise UserError(
            f"{checkpoint} is not the checkpoint the artifact was made from "
            f"(sha256 {source.fingerprint[:12]}..., manifest {manifest.weights.sha256[:12]}...)"
        )
    return source
