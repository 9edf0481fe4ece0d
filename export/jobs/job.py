"""The child process of an export: makes the artifacts named on standard input, reports on standard output.

One process per job gives memory back and keeps a crash in one SDK away from the others. A sweep hands one process many
jobs, because importing an SDK costs more than writing a small model.
"""

import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from export.console import describe_os_error
from export.files import write_json
from export.jobs.events import EVENT, JOBS, Done, Event, Failed, Failure, Step, temporary_folder
from export.jobs.plan import ExportJob, PlannedShape, exporter_version
from export.manifest import (
    MANIFEST_FILE,
    ExportEffort,
    FileEntry,
    FileKind,
    Manifest,
    content_id,
    list_files,
    move_into_place,
)
from export.memory import peak_memory_bytes, reset_peak_memory, resident_memory_bytes
from export.proof.facts import gather_facts, toolchain
from export.proof.gates import GateError
from export.proof.parity import Proof, Prover
from export.proof.quality import SAMPLE, TOKENIZER
from export.proof.reference import REFERENCE_FILE
from export.targets.base import Target
from export.targets.registry import get_target
from models.checkpoint import open_checkpoint
from models.errors import UserError
from models.weights import RandomWeights, WeightSource


def make_artifact(job: ExportJob, num_threads: int, progress: Callable[[str], None]) -> tuple[int, ExportEffort]:
    """Write, prove and publish one artifact.

    Returns:
        (bytes of all its files, what it took).
    """
    started_ns = time.monotonic_ns()
    reset_peak_memory()
    target = get_target(job.target)
    progress("import")
    target.load_sdk()
    import_memory = resident_memory_bytes()
    building = temporary_folder(job.folder, os.getpid())
    building.mkdir(parents=True)
    try:
        progress("write")
        weights = _open_weights(job.planned)
        target.write(job.spec, weights, building)
        model_files = list_files(building, FileKind.MODEL)
        prover = Prover(
            target=target, spec=job.spec, weights=weights, folder=building, thoroughness=job.thoroughness,
            model_files=tuple(entry.path for entry in model_files), num_threads=num_threads, progress=progress,
            text=job.text or SAMPLE,
            tokenizer=next((p for p in job.planned.tokenizer_files if p.name == TOKENIZER), None),
        )  # fmt: skip
        proof = prover.prove(None)
        progress("manifest")
        write_json(proof.reference, building / REFERENCE_FILE)
        files = [*model_files, *list_files(building, FileKind.REFERENCE, (REFERENCE_FILE,)), *_tokenizer(job, building)]
        effort = ExportEffort(
            wall_ns=time.monotonic_ns() - started_ns, peak_memory_bytes=peak_memory_bytes(),
            import_memory_bytes=import_memory,
        )  # fmt: skip
        write_json(_manifest(job, target, proof, files, effort), building / MANIFEST_FILE)
        move_into_place(building, job.folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return sum(entry.bytes for entry in files), effort


def _open_weights(planned: PlannedShape) -> WeightSource:
    origin = planned.origin
    return (
        RandomWeights(planned.shape, origin.seed) if origin.checkpoint is None else open_checkpoint(origin.checkpoint)
    )


def _tokenizer(job: ExportJob, building: Path) -> list[FileEntry]:
    names = tuple(path.name for path in job.planned.tokenizer_files)
    for path in job.planned.tokenizer_files:
        shutil.copyfile(path, building / path.name)
    return list_files(building, FileKind.TOKENIZER, names)


def _manifest(job: ExportJob, target: Target, proof: Proof, files: list[FileEntry], effort: ExportEffort) -> Manifest:
    total = sum(entry.bytes for entry in files if entry.kind is FileKind.MODEL)
    facts = gather_facts(target, job.spec, proof.observed, total)
    return Manifest(
        schema="deepnarrow/manifest/1",
        job_id=job.job_id,
        content_id=content_id(files),
        exporter=exporter_version(),
        pair=job.planned.pair,
        arm=job.planned.arm,
        shape_name=job.planned.name,
        shape=job.planned.shape,
        target=job.target,
        scheme=job.scheme,
        options=job.options,
        token_ids=job.planned.token_ids,
        observed=facts.observed,
        files=tuple(files),
        bytes_by_role=facts.bytes_by_role,
        bits_per_weight=facts.bits_per_weight,
        cost_per_token=facts.cost_per_token,
        weights=job.planned.provenance,
        toolchain=toolchain(target),
        verified_by=target.verified_by(),
        thoroughness=job.thoroughness,
        gates=proof.gates,
        quality=proof.quality,
        export=effort,
    )


def _run(index: int, job: ExportJob, emit: Callable[[Event], None]) -> Event:
    try:
        threads = int(os.environ["OMP_NUM_THREADS"])
        num_bytes, effort = make_artifact(job, threads, lambda step: emit(Step(index, step)))
        return Done(index, num_bytes, effort)
    except GateError as error:
        return Failed(index, Failure.GATE, str(error))
    except UserError as error:
        return Failed(index, Failure.INPUT, str(error))
    except MemoryError:
        return Failed(index, Failure.SYSTEM, "out of memory")
    except OSError as error:
        place = "" if error.filename else f": {job.folder}"
        return Failed(index, Failure.SYSTEM, f"{describe_os_error(error)}{place}")


def main() -> None:
    """Run the jobs on standard input, one event per line on standard output."""
    events = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # whatever an SDK prints belongs to the log, not among the events

    def emit(event: Event) -> None:
        events.write(EVENT.dump_json(event).decode() + "\n")

    for index, job in enumerate(JOBS.validate_json(sys.stdin.read())):
        try:
            emit(_run(index, job, emit))
        except Exception as error:  # noqa: BLE001 - the process boundary: a defect becomes an event and a traceback in the log
            traceback.print_exc()
            emit(
                Failed(
                    index, Failure.CRASH, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                )
            )


if __name__ == "__main__":
    main()
