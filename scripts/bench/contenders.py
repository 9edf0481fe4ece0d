"""What is measured: artifacts of `python -m export`, and artifacts of the same shapes that peers made."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from export.files import read_json
from export.manifest import MANIFEST_FILE, read_manifest
from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec, TargetName
from export.targets.registry import get_target
from models.cost import kv_bytes_per_position, weight_bytes_read
from models.errors import UserError
from models.shape import MlpShape, TransformerShape
from scripts.bench.processes import Effort

PEER_FILE = "peer.json"


class PeerRecord(BaseModel):
    """`peer.json`: what a peer's exporter made of a shape, and what that took."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    tool: str
    version: str
    command: tuple[str, ...]
    runtime: TargetName
    shape: TransformerShape
    max_context: int
    effort: Effort


class Contender(BaseModel):
    """One thing to measure.

    Attributes:
        name: what tables call it.
        path: the artifact's folder.
        runtime: the target whose runtime executes it.
        spec: shape and context; for a peer with the scheme that stores the same bits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    path: Path
    runtime: TargetName
    spec: ExportSpec

    @property
    def shape(self) -> TransformerShape:
        """The decoder's shape."""
        assert isinstance(self.spec.shape, TransformerShape)
        return self.spec.shape

    @property
    def file_bytes(self) -> int:
        """Bytes of the model files."""
        files = (path for pattern in ("*.pte", "*.onnx", "*.onnx.data") for path in self.path.glob(pattern))
        return sum(path.stat().st_size for path in files)

    def bytes_read(self, context: int) -> int:
        """Bytes of weights and cache that a token attending `context` positions reads."""
        storage = get_target(self.runtime).storage(self.spec)
        return weight_bytes_read(self.shape, storage) + context * kv_bytes_per_position(self.shape, storage)


def open_artifact(folder: Path) -> Contender:
    """An artifact of ours as a contender named after its last two folders, such as `deep-30x576/onnx-int4`.

    Raises:
        UserError: no artifact, not a decoder, or nothing here executes it.
    """
    manifest = read_manifest(folder)
    if isinstance(manifest.shape, MlpShape):
        raise UserError(f"{folder}: an MLP decodes no tokens; give decoder artifacts")
    if manifest.target is TargetName.COREML:
        raise UserError(f"{folder}: Core ML artifacts do not run here; choose from executorch, onnx")
    name = "/".join(folder.resolve().parts[-2:])
    return Contender(name=name, path=folder.resolve(), runtime=manifest.target, spec=manifest.spec)


def open_peer(text: str) -> Contender:
    """`NAME=DIR`, DIR as `python -m scripts.bench peers` leaves it.

    Raises:
        UserError: not of that form, or no such folder.
    """
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise UserError(f"--peer {text!r} is not of the form NAME=DIR")
    record = read_record(Path(path))
    # A peer's files take prompts of any length up to the cache's.
    options = ExportOptions(max_context=record.max_context, prefill_chunk=record.max_context)
    spec = ExportSpec(shape=record.shape, scheme=Scheme.INT4, options=options)
    return Contender(name=name, path=Path(path).resolve(), runtime=record.runtime, spec=spec)


def read_record(folder: Path) -> PeerRecord:
    """The `peer.json` in `folder`.

    Raises:
        UserError: there is none, or it is not one.
    """
    path = folder / PEER_FILE
    if not path.is_file():
        hint = f"; it has {MANIFEST_FILE}: give it as an artifact" if (folder / MANIFEST_FILE).is_file() else ""
        raise UserError(f"{folder} has no {PEER_FILE}; make peers with `python -m scripts.bench peers`{hint}")
    return read_json(TypeAdapter(PeerRecord), path)
