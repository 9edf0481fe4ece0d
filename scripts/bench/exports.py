"""Export benchmark: whole processes from one checkpoint on disk to a finished artifact, ours and the peers'."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.targets.base import TargetName
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
        sys.executable, "-m", "export", "all", "--pair", _PAIR, "--target", target, "--jobs", "1",
        "--weights", f"{Arm.DEEP}={checkpoint.folder / HUGGINGFACE_FOLDER}", "--out", str(out),
        "--max-context", str(checkpoint.max_context),
    ]  # fmt: skip
    effort = run_measured(command, ROOT, checkpoint.folder / f"ours-{target}.log", {})
    size = _folder_bytes(out)
    return ExportRecord(
        tool=f"ours {target}", round_number=number, verified=True, effort=effort, file_bytes=size
    )  # fmt: skip


def _folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
