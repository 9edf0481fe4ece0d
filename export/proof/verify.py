"""The gates again, on an artifact from disk."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from export.checkpoints import parse_weights
from export.manifest import CheckpointSource, Manifest, check_files, read_manifest, read_reference
from export.proof.facts import check_manifest
from export.proof.parity import Proof, Prover
from export.proof.reference import Thoroughness
from export.targets.registry import get_target
from models.checkpoint import CheckpointWeights, open_checkpoint
from models.errors import UserError
from models.weights import RandomWeights, WeightSource


def open_sources(weights: Sequence[str]) -> list[CheckpointWeights]:
    """The checkpoints that `--weights` names, as for an export; the arms they may be given for do not matter.

    Raises:
        UserError: one cannot be opened.
    """
    return [open_checkpoint(folder) for text in weights for folder in parse_weights([text]).values()]


def verify_artifact(
    folder: Path, checkpoints: Sequence[CheckpointWeights], num_threads: int, progress: Callable[[str], None]
) -> Proof:
    """Hold the artifact in `folder` to its manifest, to its weights' source and to its own reference.

    Args:
        folder: an artifact.
        checkpoints: among them the one that an artifact of a checkpoint was made from; random weights need none.
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
        weights=_source(manifest, checkpoints),
        folder=folder,
        model_files=manifest.model_files,
        # Only shapes of a sweep may have been proven on less text.
        thoroughness=manifest.thoroughness if manifest.arm is None else Thoroughness.FULL,
        num_threads=num_threads,
        progress=progress,
    )
    proof = prover.prove(reference)
    return replace(proof, gates=(files, facts, *proof.gates))


def _source(manifest: Manifest, checkpoints: Sequence[CheckpointWeights]) -> WeightSource:
    if not isinstance(manifest.weights, CheckpointSource):
        return RandomWeights(manifest.shape, manifest.weights.seed)
    if not checkpoints:
        raise UserError(
            f"the artifact was made from checkpoint {manifest.weights.name}; pass its folder with --weights"
        )
    for source in checkpoints:
        if source.fingerprint == manifest.weights.sha256:
            return source
    given = ", ".join(f"{source.name} ({source.fingerprint[:12]}...)" for source in checkpoints)
    raise UserError(
        f"{manifest.pair}/{manifest.shape_name} was made from checkpoint {manifest.weights.name} "
        f"({manifest.weights.sha256[:12]}...), which is not among {given}"
    )
