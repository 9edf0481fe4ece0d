"""Export benchmark: whole processes from one checkpoint on disk to a finished artifact, ours and the peers'."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from export.targets.base import TargetName
from models.errors import UserError
from models.pair import Arm
from scripts.bench.layout import HUGGINGFACE_FOLDER
from scripts.bench.peers import Checkpoint, Tool, make_peer
from scripts.bench.processes import ROOT, Effort, run_measured

# A pair name that no catalogue has: `export all` then takes the shape from the checkpoint and makes this arm only.
_PAIR = "bench"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportRecord:
    """One export.

    Attributes:
        tool: `ours TARGET`, or the peer.
        verified: whether the process also proved the artifact against a reference before it ended.
        file_bytes: everything in the artifact's folder.
    """

    tool: str
    round_number: int
    verified: bool
    effort: Effort
    file_bytes: int


class _Job(BaseModel):
    verified: bool


class _Result(BaseModel):
    """What is needed of the line that `python -m export all --json` prints."""

    jobs: tuple[_Job, ...]


def measure_exports(
    checkpoint: Checkpoint, targets: Sequence[TargetName], tools: Sequence[Tool], rounds: int,
    progress: Callable[[str], None],
) -> list[ExportRecord]:  # fmt: skip
    """Export with everything in turn, `rounds` times over."""
    records: list[ExportRecord] = []
    for number in range(rounds):
        for target in targets:
            progress(f"round {number + 1}/{rounds}: ours, {target}")
            records.append(_ours(checkpoint, target, number))
        for tool in tools:
            progress(f"round {number + 1}/{rounds}: {tool}, its output goes to {checkpoint.folder / f'{tool}.log'}")
            made = make_peer(checkpoint, tool)
            size = _folder_bytes(checkpoint.folder / tool)
            records.append(
                ExportRecord(tool=tool, round_number=number, verified=False, effort=made.effort, file_bytes=size)
            )
    return records


def _ours(checkpoint: Checkpoint, target: TargetName, number: int) -> ExportRecord:
    out = checkpoint.folder / "ours"
    shutil.rmtree(out, ignore_errors=True)
    command = [
        sys.executable, "-m", "export", "all", "--pair", _PAIR, "--target", target, "--jobs", "1", "--json",
        "--weights", f"{Arm.DEEP}={checkpoint.folder / HUGGINGFACE_FOLDER}", "--out", str(out),
        "--max-context", str(checkpoint.max_context), "--prefill-chunk", str(checkpoint.prefill_chunk),
    ]  # fmt: skip
    log = checkpoint.folder / f"ours-{target}.log"
    effort = run_measured(command, ROOT, log, {})
    verified = all(job.verified for job in _read_result(log).jobs)
    size = _folder_bytes(out)
    return ExportRecord(
        tool=f"ours {target}", round_number=number, verified=verified, effort=effort, file_bytes=size
    )  # fmt: skip


def _read_result(log: Path) -> _Result:
    """The exporter's line of JSON; what SDKs print may stand around it."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("{")]
    if not lines:
        raise UserError(f"the exporter printed no result; its output is in {log}")
    return _Result.model_validate_json(lines[-1])


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
