"""Requests and records as files. All errors are one line that names the file."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from export.files import read_json, write_json
from export.manifest import Manifest, sha256
from models.errors import UserError
from scripts.records.record import DONE_SCHEMA, ArtifactFacts, Done, RunRecord
from scripts.records.request import RunRequest

RECORD_FILE = "record.json"
DONE_FILE = "done.json"
# Larger JSON is refused unread, here and in the apps.
MAX_REQUEST_BYTES = 1 << 20
MAX_RECORD_BYTES = 64 << 20
T = TypeVar("T")


def artifact_facts(manifest: Manifest, manifest_sha256: str) -> ArtifactFacts:
    """The part of a manifest that a record carries."""
    return ArtifactFacts(
        job_id=manifest.job_id,
        content_id=manifest.content_id,
        manifest_sha256=manifest_sha256,
        pair=manifest.pair,
        arm=manifest.arm,
        shape_name=manifest.shape_name,
        shape=manifest.shape,
        target=manifest.target,
        scheme=manifest.scheme,
        max_context=manifest.options.max_context,
        prefill_chunk=manifest.options.prefill_chunk,
        model_bytes=manifest.model_bytes,
        bytes_by_role=manifest.bytes_by_role,
        weight_bytes_read=manifest.cost_per_token.weight_bytes_read,
        kv_bytes_per_position=manifest.cost_per_token.kv_bytes_per_position,
    )


def read_request(path: Path) -> RunRequest:
    """A request from its file.

    Raises:
        UserError: there is none, it is too large, or it is not one that this version understands.
    """
    return read_json(TypeAdapter(RunRequest), path, MAX_REQUEST_BYTES)


def read_record(path: Path) -> RunRecord:
    """A record from its file.

    Raises:
        UserError: as for `read_request`.
    """
    return read_json(TypeAdapter(RunRecord), path, MAX_RECORD_BYTES)


def read_finished_record(folder: Path) -> RunRecord:
    """The record of a run's folder, held to the hash in `done.json`.

    Raises:
        UserError: the run has not finished, its record is damaged, or they are of different runs.
    """
    done = read_json(TypeAdapter(Done), folder / DONE_FILE, MAX_REQUEST_BYTES)
    path = folder / RECORD_FILE
    record = read_record(path)
    if sha256(path) != done.record_sha256:
        raise UserError(f"{path}: its hash is not the one in {DONE_FILE}, {done.record_sha256[:12]}...")
    if record.run_id != done.run_id:
        raise UserError(f"{path}: run {record.run_id}, but {DONE_FILE} is of run {done.run_id}")
    return record


def write_record(record: RunRecord, folder: Path) -> None:
    """Write or replace the record atomically; `folder` is the run's own and is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(record, folder / RECORD_FILE, durable=True)


def write_done(run_id: str, folder: Path) -> None:
    """Declare the record in `folder` complete."""
    digest = sha256(folder / RECORD_FILE)
    write_json(Done(schema=DONE_SCHEMA, run_id=run_id, record_sha256=digest), folder / DONE_FILE, durable=True)
