"""`manifest.json`: the contract between an artifact and the harness that runs it, and the folder it lives in.

An artifact is a folder that was renamed into place complete: model files, `reference.json`, tokenizer files if the
weights came with them, and the manifest, which lists every other file with its hash. Nothing is ever parsed out of a
file name.
"""

import hashlib
import shutil
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from export.files import read_json, write_json
from export.proof.gates import Gate, GateError, GateResult
from export.proof.quality import Quality
from export.proof.reference import REFERENCE_FILE, NetworkReference, Reference, TextReference, Thoroughness
from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec, Observed, TargetName, TensorInfo, TokenIds
from models.cost import ActivationBytes, BitsPerWeight, TokenCost
from models.errors import UserError
from models.pair import Arm
from models.shape import Llama3RopeScaling, MlpShape, TransformerShape

MANIFEST_SCHEMA = "deepnarrow/manifest/1"
MANIFEST_FILE = "manifest.json"
INDEX_FILE = "index.json"
RETIRED = "-retired"
T = TypeVar("T")

# The dataclasses inside a manifest refuse unknown keys as its own models do.
for _embedded in (
    TransformerShape, MlpShape, Llama3RopeScaling, ExportOptions, TokenIds, Observed, TensorInfo, GateResult, TokenCost,
    ActivationBytes, BitsPerWeight, Quality,
):  # fmt: skip
    _embedded.__pydantic_config__ = ConfigDict(extra="forbid")  # pyright: ignore[reportAttributeAccessIssue]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FileKind(StrEnum):
    """Why a file is in the folder."""

    MODEL = "model"
    REFERENCE = "reference"
    TOKENIZER = "tokenizer"


class FileEntry(_Model):
    """One file: path relative to the folder, with forward slashes."""

    path: str
    kind: FileKind
    sha256: str
    bytes: int


class RandomSource(_Model):
    """Weights generated from a seed."""

    kind: Literal["random"] = "random"
    seed: int


class CheckpointSource(_Model):
    """Weights read from a Hugging Face folder; `sha256` covers its config and weight files."""

    kind: Literal["checkpoint"] = "checkpoint"
    name: str
    sha256: str


Provenance = Annotated[RandomSource | CheckpointSource, Field(discriminator="kind")]


class RoleBytes(_Model):
    """Stored bytes by what they are for. `overhead` is all that is no weight: rotary tables, graph, padding."""

    embedding: int
    head: int
    layers: int
    overhead: int


class ExportEffort(_Model):
    """What making the artifact took, gates included.

    Attributes:
        wall_ns: from the start of the job to the proof.
        peak_memory_bytes: peak resident memory of the job's process during the job.
        import_memory_bytes: resident memory of that process once its packages were imported; null if not measured.
    """

    wall_ns: int
    peak_memory_bytes: int
    import_memory_bytes: int | None


class Manifest(_Model):
    """Schema `deepnarrow/manifest/1`.

    Attributes:
        job_id: hash of everything that was asked for; decides whether the work need not be done again, nothing else.
        content_id: hash of the model files' hashes: says which network a run has measured.
        exporter: version of the exporter and hash of its sources.
        arm: which arm of `pair` this is; None for a shape of a sweep.
        observed: facts read back from the model files, beside the `options` that were asked for.
        cost_per_token: with a full cache, `options.max_context` positions.
        verified_by: what executed the artifact for the gates.
        quality: what the stored weights cost on a text; None for weights that came without a tokenizer.
    """

    schema_: Literal["deepnarrow/manifest/1"] = Field(MANIFEST_SCHEMA, alias="schema")
    job_id: str
    content_id: str
    exporter: str
    pair: str
    arm: Arm | None
    shape_name: str
    shape: Annotated[TransformerShape | MlpShape, Field(discriminator="family")]
    target: TargetName
    scheme: Scheme
    options: ExportOptions
    token_ids: TokenIds
    observed: Observed
    files: tuple[FileEntry, ...]
    bytes_by_role: RoleBytes
    bits_per_weight: BitsPerWeight
    cost_per_token: TokenCost
    weights: Provenance
    toolchain: dict[str, str]
    verified_by: str
    thoroughness: Thoroughness
    gates: tuple[GateResult, ...]
    quality: Quality | None = None
    export: ExportEffort

    @model_validator(mode="after")
    def _content_is_named(self) -> "Manifest":
        if self.content_id != content_id(self.files):
            raise ValueError(f"content_id {self.content_id} is not the one of the files that are listed")
        return self

    @property
    def spec(self) -> ExportSpec:
        """What the target was asked to write."""
        return ExportSpec(shape=self.shape, scheme=self.scheme, options=self.options, token_ids=self.token_ids)

    @property
    def model_bytes(self) -> int:
        """Bytes of the files that the target wrote."""
        return sum(entry.bytes for entry in self.files if entry.kind is FileKind.MODEL)

    @property
    def model_files(self) -> tuple[str, ...]:
        """Paths of the files that the target wrote."""
        return tuple(entry.path for entry in self.files if entry.kind is FileKind.MODEL)


def content_id(files: Iterable[FileEntry]) -> str:
    """Identity of a network: the first 32 hex digits of the SHA-256 of its model files' lines `<sha256>  <path>`.

    The lines are in the order of paths, as `sha256sum` prints them, each with a newline.
    """
    model = sorted((entry.path, entry.sha256) for entry in files if entry.kind is FileKind.MODEL)
    return hashlib.sha256("".join(f"{digest}  {path}\n" for path, digest in model).encode()).hexdigest()[:32]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artifact folder.

    Raises:
        UserError: there is none, or it is not one that this version understands.
    """
    return _read(TypeAdapter(Manifest), folder / MANIFEST_FILE)


def read_reference(folder: Path) -> TextReference | NetworkReference:
    """The reference of an artifact folder.

    Raises:
        UserError: as for `read_manifest`.
    """
    adapter: TypeAdapter[TextReference | NetworkReference] = TypeAdapter(Reference)
    return _read(adapter, folder / REFERENCE_FILE)


def list_files(folder: Path, kind: FileKind, names: tuple[str, ...] | None = None) -> list[FileEntry]:
    """Entries of the given files, or of everything under `folder`, sorted by path.

    Raises:
        UserError: a file is a link, or lies behind one, that leads out of the folder.
    """
    paths = [folder / name for name in names] if names is not None else _files_under(folder)
    for path in paths:
        if not _is_inside(path, folder):
            raise UserError(f"{path}: a link that leads out of the folder; an artifact holds its own files")
    return [
        FileEntry(path=path.relative_to(folder).as_posix(), kind=kind, sha256=sha256(path), bytes=path.stat().st_size)
        for path in sorted(paths)
    ]


def check_files(folder: Path, manifest: Manifest) -> GateResult:
    """The folder holds the manifest's files, unchanged, and nothing else.

    Raises:
        GateError: naming the first file that is missing, extra, changed, or a link that leads out of the folder.
    """
    listed = {entry.path: entry for entry in manifest.files}
    present = {path.relative_to(folder).as_posix() for path in _files_under(folder)} - {MANIFEST_FILE}
    for name in sorted(listed.keys() | present | {MANIFEST_FILE}):
        if not _is_inside(folder / name, folder):
            raise GateError(Gate.FILES, f"{name} leads out of the folder; an artifact holds its own files")
    for name in sorted(listed.keys() - present):
        raise GateError(Gate.FILES, f"{name} is in the manifest but not in the folder")
    for name in sorted(present - listed.keys()):
        raise GateError(Gate.FILES, f"{name} is in the folder but not in the manifest")
    for name, entry in listed.items():
        if sha256(folder / name) != entry.sha256:
            raise GateError(Gate.FILES, f"{name} has changed: its hash is not the manifest's {entry.sha256[:12]}...")
    total = float(sum(entry.bytes for entry in manifest.files))
    return GateResult(
        gate=Gate.FILES, measured={"files": len(listed), "bytes": total}, thresholds={"files": len(listed)},
        note="every file is listed, hashes equal",
    )  # fmt: skip


def _files_under(folder: Path) -> list[Path]:
    """Every file and every link, also those whose target is missing or a folder; linked folders are not entered."""
    return [path for path in folder.rglob("*") if path.is_symlink() or path.is_file()]


def _is_inside(path: Path, folder: Path) -> bool:
    """Whether a path stays in the folder when all links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def stray_file(folder: Path) -> str | None:
    """The first file of the folder that leads out of it; whoever copies the folder would copy what lies elsewhere."""
    return next((str(path) for path in _files_under(folder) if not _is_inside(path, folder)), None)


def damaged_file(folder: Path, manifest: Manifest) -> str | None:
    """The first file that is missing, outside the folder or of another size; hashes are left to `verify`."""
    for entry in manifest.files:
        path = folder / entry.path
        if not path.is_file() or not _is_inside(path, folder) or path.stat().st_size != entry.bytes:
            return entry.path
    return None


def sha256(path: Path) -> str:
    """Hex digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def move_into_place(finished: Path, folder: Path) -> None:
    """Give a finished temporary folder its name.

    An older artifact of that name is set aside first and deleted last; `export.jobs.runner.remove_leftovers` puts it
    back if the process dies in between.
    """
    retired = finished.with_name(f"{finished.name}{RETIRED}")
    if folder.exists():
        folder.rename(retired)
    finished.rename(folder)
    if retired.exists():
        shutil.rmtree(retired)


class IndexEntry(_Model):
    """One artifact in `index.json`."""

    path: str
    pair: str
    arm: Arm | None
    shape_name: str
    target: TargetName
    scheme: Scheme
    job_id: str
    content_id: str
    bytes: int


class Index(_Model):
    """`artifacts/index.json`: every artifact under a folder."""

    schema_: Literal["deepnarrow/index/1"] = Field("deepnarrow/index/1", alias="schema")
    artifacts: tuple[IndexEntry, ...]


def find_artifacts(root: Path) -> tuple[dict[Path, Manifest], list[str]]:
    """Every artifact under `root`, by path; unfinished folders have no manifest and do not count.

    Returns:
        (manifests by folder, one line for each manifest that cannot be understood).
    """
    manifests: dict[Path, Manifest] = {}
    unreadable: list[str] = []
    for folder in sorted(path.parent for path in root.glob(f"*/*/*/{MANIFEST_FILE}")):
        if folder.name.startswith("."):
            continue
        try:
            manifests[folder] = read_manifest(folder)
        except UserError as error:
            unreadable.append(str(error))
    return manifests, unreadable


def write_index(root: Path) -> Index:
    """Rewrite `root`'s index from the manifests below it that can be understood."""
    entries = tuple(
        IndexEntry(
            path=folder.relative_to(root).as_posix(), pair=m.pair, arm=m.arm, shape_name=m.shape_name, target=m.target,
            scheme=m.scheme, job_id=m.job_id, content_id=m.content_id,
            bytes=sum(entry.bytes for entry in m.files),
        )
        for folder, m in find_artifacts(root)[0].items()
    )  # fmt: skip
    index = Index(schema="deepnarrow/index/1", artifacts=entries)
    write_json(index, root / INDEX_FILE)
    return index


def _read(adapter: TypeAdapter[T], path: Path) -> T:
    if not path.is_file():
        raise UserError(f"{path.parent} is not an artifact folder: it has no {path.name}")
    return read_json(adapter, path)
