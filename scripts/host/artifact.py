"""The artifact of a run: found, checked against its manifest and the request, opened."""

import os
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from export.manifest import MANIFEST_FILE, Manifest, check_files, read_manifest, read_reference, sha256
from export.proof.gates import GateError
from export.proof.reference import TextReference
from export.targets.base import LanguageModel, TargetName
from export.targets.registry import get_target
from models.errors import UserError
from scripts.host.environment import thread_count, usable_cores
from scripts.host.journal import RefusedError
from scripts.records import Backend, FailureKind, Load, LoadMode, ObservedRuntime, RunRequest

_BACKENDS = {
    TargetName.EXECUTORCH: (Backend.DEFAULT, Backend.XNNPACK),
    TargetName.ONNX: (Backend.DEFAULT, Backend.CPU),
}


@dataclass(frozen=True, slots=True)
class CheckedArtifact:
    """A checked decoder artifact."""

    folder: Path
    manifest: Manifest
    manifest_sha256: str
    reference: TextReference

    @property
    def vocab_size(self) -> int:
        """Token ids are below it."""
        return self.manifest.shape.vocab_size if self.manifest.shape.family == "transformer" else 0


def check_artifact(folder: Path, request: RunRequest) -> CheckedArtifact:
    """Read and check everything that needs no runtime.

    Raises:
        RefusedError: the artifact is damaged, another one, or nothing that this harness can run.
    """
    try:
        manifest = read_manifest(folder)
        if request.content_id not in (None, manifest.content_id):
            raise UserError(f"{folder}: content {manifest.content_id}, but the request is for {request.content_id}")
        check_files(folder, manifest)
        reference = read_reference(folder)
    except (GateError, UserError) as error:
        raise RefusedError(FailureKind.ARTIFACT, str(error)) from error
    if manifest.target not in _BACKENDS:
        choices = " and ".join(_BACKENDS)
        raise RefusedError(FailureKind.ARTIFACT, f"{manifest.target} artifacts do not run here; {choices} ones do")
    if not isinstance(reference, TextReference):
        raise RefusedError(FailureKind.ARTIFACT, f"{manifest.shape_name} is an MLP; the run protocol is for decoders")
    return CheckedArtifact(folder, manifest, sha256(folder / MANIFEST_FILE), reference)


def check_request(artifact: CheckedArtifact, request: RunRequest) -> None:
    """Hold what is asked against this machine and the artifact.

    Raises:
        RefusedError: with the kind `request`.
    """
    protocol, manifest = request.protocol, artifact.manifest
    cores = len(usable_cores())
    if protocol.num_threads > cores:
        _refuse(f"num_threads {protocol.num_threads}: this machine has {cores} cores")
    if protocol.positions > manifest.options.max_context:
        _refuse(f"the protocol needs {protocol.positions} positions; max_context is {manifest.options.max_context}")
    if protocol.backend not in _BACKENDS[manifest.target]:
        choices = ", ".join(_BACKENDS[manifest.target])
        _refuse(f"backend {protocol.backend}: {manifest.target} artifacts run on {choices} here")
    if protocol.load_mode is not LoadMode.DEFAULT:
        _refuse(f"load_mode {protocol.load_mode}: the Python runtimes offer no choice; use {LoadMode.DEFAULT}")


def open_cold(artifact: CheckedArtifact, num_threads: int) -> tuple[LanguageModel, Load, ObservedRuntime]:
    """Load the model with its pages out of the page cache, and call it once.

    The runtime's packages are imported before the clock starts. Its threads are those that loading and the first call
    have started, and the caller's, by the kernel's count. What neither the runtime nor the kernel tells is None.
    """
    target = get_target(artifact.manifest.target)
    target.load_runtime()
    for name in artifact.manifest.model_files:
        _drop_cached_pages(artifact.folder / name)
    first, threads = np.zeros(1, np.int64), thread_count()
    start = time.perf_counter_ns()
    model = target.open_language_model(artifact.manifest.spec, artifact.folder, num_threads)
    loaded = time.perf_counter_ns()
    model.forward(first, 0)
    called = time.perf_counter_ns()
    started = thread_count()
    package = "executorch" if target.name is TargetName.EXECUTORCH else "onnxruntime"
    runtime = ObservedRuntime(
        name=package, version=version(package),
        num_threads=None if threads is None or started is None else started - threads + 1, load_mode=None,
        backends=tuple(artifact.manifest.observed.backends),
    )  # fmt: skip
    return model, Load(load_ns=loaded - start, first_forward_ns=called - loaded), runtime


def _drop_cached_pages(path: Path) -> None:
    """The hash check has just read the file; without this, loading would find it in memory (Linux)."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _refuse(message: str) -> None:
    raise RefusedError(FailureKind.REQUEST, message)
