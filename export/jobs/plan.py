"""Arguments to a list of jobs, and what is to be done about each: nothing is written before the whole plan stands."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path

import export
import models
from export.manifest import MANIFEST_FILE, CheckpointSource, RandomSource, damaged_file, read_manifest
from export.proof.facts import toolchain
from export.proof.reference import Thoroughness
from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec, TargetName, TokenIds
from export.targets.registry import get_target
from models.errors import UserError
from models.pair import Arm
from models.shape import Shape, TransformerShape

# Room for the reference's prompt and 64 greedy steps, and for a prefill with steps behind it.
MIN_CONTEXT = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightOrigin:
    """Where a job's process gets its weights: a checkpoint folder, or else a seed."""

    seed: int = 0
    checkpoint: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedShape:
    """A shape to export with its weights: one arm of a pair, or one shape of a sweep (`arm` None)."""

    pair: str
    arm: Arm | None
    name: str
    shape: Shape
    origin: WeightOrigin
    provenance: RandomSource | CheckpointSource
    token_ids: TokenIds = field(default_factory=TokenIds)
    tokenizer_files: tuple[Path, ...] = ()
    trained_context: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportJob:
    """One artifact to make; `text` is what its quality is measured on, instead of the sample that ships."""

    planned: PlannedShape
    target: TargetName
    scheme: Scheme
    options: ExportOptions
    thoroughness: Thoroughness
    folder: Path
    text: Path | None = None

    @property
    def spec(self) -> ExportSpec:
        """What the target is asked to write."""
        planned = self.planned
        return ExportSpec(shape=planned.shape, scheme=self.scheme, options=self.options, token_ids=planned.token_ids)

    @property
    def label(self) -> str:
        """What people call the job."""
        return f"{self.planned.name} {self.target}-{self.scheme}"

    @property
    def job_id(self) -> str:
        """Hash of everything that was asked for. The exporter's own sources are not in it; see `Manifest.exporter`."""
        identity = {
            "shape": asdict(self.planned.shape),
            "target": self.target,
            "scheme": self.scheme,
            "options": asdict(self.options),
            "token_ids": asdict(self.planned.token_ids),
            "weights": self.planned.provenance.model_dump(exclude={"name"}),
            "thoroughness": self.thoroughness,
            "toolchain": toolchain(get_target(self.target)),
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


class Action(StrEnum):
    """What the plan does with a job."""

    EXPORT = "export"
    REPLACE = "replace"
    REWRITE = "rewrite"  # the same was asked for, and the exporter's own code has changed since
    SKIP = "up to date"


@dataclass(frozen=True, slots=True)
class PlannedJob:
    """A job with the decision about it and what it will come to."""

    job: ExportJob
    action: Action
    reason: str
    predicted_bytes: int


@cache
def exporter_version() -> str:
    """Package version and hash of the exporter's own sources: after an edit, artifacts are written again."""
    digest = hashlib.sha256()
    for package in (models, export):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return f"{version('deepnarrow')}+{digest.hexdigest()[:12]}"


def make_jobs(
    shapes: list[PlannedShape],
    targets: list[TargetName],
    schemes: list[Scheme],
    options: ExportOptions,
    thoroughness: Thoroughness,
    out: Path,
    text: Path | None = None,
) -> list[ExportJob]:
    """Every combination of shape, target and scheme.

    Raises:
        UserError: the cache is too small for the texts of the gates.
    """
    decoder = any(isinstance(planned.shape, TransformerShape) for planned in shapes)
    if decoder and options.max_context < MIN_CONTEXT:
        raise UserError(f"--max-context {options.max_context} is below {MIN_CONTEXT}, which the gates need")
    return [
        ExportJob(
            planned=planned, target=target, scheme=scheme, thoroughness=thoroughness, text=text,
            options=options if isinstance(planned.shape, TransformerShape) else ExportOptions(),
            folder=out / planned.pair / planned.name / f"{target}-{scheme}",
        )
        for target in targets for scheme in schemes for planned in shapes
    ]  # fmt: skip


def decide(jobs: list[ExportJob], force: bool) -> list[PlannedJob]:
    """Choose what to do with each job.

    Raises:
        UserError: a folder holds another artifact, or something that is no artifact, and `force` is not given.
    """
    return [_decide(job, force) for job in jobs]


def _decide(job: ExportJob, force: bool) -> PlannedJob:
    predicted = get_target(job.target).expected_file_bytes(job.spec)
    if not job.folder.exists():
        return PlannedJob(job, Action.EXPORT, "new", predicted)
    if not job.folder.is_dir():
        raise UserError(f"{job.folder} is in the way and is not a folder; remove it or choose another --out")
    if not (job.folder / MANIFEST_FILE).is_file():
        if force:
            return PlannedJob(job, Action.REPLACE, "was not an artifact", predicted)
        raise UserError(f"{job.folder} exists and is not an artifact; remove it, pass --force, or choose another --out")
    if force:
        return PlannedJob(job, Action.REPLACE, "forced", predicted)
    try:
        manifest = read_manifest(job.folder)
    except UserError as error:
        if _asked_for(job.folder) == job.job_id:
            return PlannedJob(
                job, Action.REWRITE, "the same was asked for, in an earlier form of the manifest", predicted
            )
        raise UserError(f"{error}; pass --force to replace the artifact or choose another --out") from error
    if manifest.job_id == job.job_id:
        if damaged := damaged_file(job.folder, manifest):
            return PlannedJob(job, Action.REPLACE, f"{damaged} is damaged", predicted)
        if manifest.exporter != exporter_version():
            return PlannedJob(job, Action.REWRITE, "only the exporter's code changed", predicted)
        return PlannedJob(job, Action.SKIP, "same shape, weights, options and tools", predicted)
    raise UserError(
        f"{job.folder} holds an artifact made from other weights, options or tools; "
        "pass --force to replace it or choose another --out"
    )


def _asked_for(folder: Path) -> str | None:
    """The job id of a manifest that this version cannot read otherwise; None where there is none."""
    try:
        found = json.loads((folder / MANIFEST_FILE).read_bytes())
    except ValueError:
        return None
    return found.get("job_id") if isinstance(found, dict) else None
