"""Peers' exporters, run as their manuals say: one random checkpoint in, an artifact and its `peer.json` out."""

import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from export.targets.base import ExportOptions, TargetName
from models.catalog import get_pair
from models.errors import UserError
from models.pair import Arm
from models.shape import TransformerShape
from scripts.bench.contenders import PEER_FILE, PeerRecord
from scripts.bench.layout import HUGGINGFACE_FOLDER, META_FOLDER, META_PARAMS, META_WEIGHTS
from scripts.bench.processes import run_for_json, run_measured


class Tool(StrEnum):
    """A peer's exporter."""

    EXPORT_LLAMA = "export_llama"
    GENAI = "genai"


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One random checkpoint in the forms that exporters read, under `folder`."""

    pair: str
    arm: Arm
    folder: Path
    shape: TransformerShape
    max_context: int

    @property
    def prefill_chunk(self) -> int:
        """Most tokens one call of our own exports takes."""
        return min(ExportOptions().prefill_chunk, self.max_context)


def plan_checkpoint(pair: str, arm: Arm, max_context: int, folder: Path) -> Checkpoint:
    """A checkpoint that is not written yet.

    Raises:
        UserError: there is no such pair, its networks are no decoders, or no artifact can have such a context.
    """
    chosen = get_pair(pair)
    shape = chosen.deep if arm is Arm.DEEP else chosen.wide
    if not isinstance(shape, TransformerShape):
        raise UserError(f"pair {pair!r} holds MLPs; give a pair of decoders")
    checkpoint = Checkpoint(pair=pair, arm=arm, folder=folder.resolve(), shape=shape, max_context=max_context)
    # Refuses what the exporter would refuse.
    ExportOptions(max_context=max_context, prefill_chunk=checkpoint.prefill_chunk)
    return checkpoint


def write_checkpoint(checkpoint: Checkpoint) -> None:
    """Write the weights, from a fixed seed; a child does it, so that torch stays out of this process."""
    arguments = [checkpoint.pair, checkpoint.arm, str(checkpoint.max_context), str(checkpoint.folder)]
    run_for_json("scripts.bench.checkpoints", arguments, {})


def make_peer(checkpoint: Checkpoint, tool: Tool) -> PeerRecord:
    """Run an exporter; its artifact goes to `<checkpoint folder>/<tool>`, replacing an older one, its output beside it.

    Raises:
        UserError: it failed, or it is not installed.
    """
    folder = checkpoint.folder / tool
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    command = _export_llama(checkpoint) if tool is Tool.EXPORT_LLAMA else _genai(checkpoint)
    # Nothing is to be downloaded, and the builder would wait for an answer.
    effort = run_measured(command, folder, checkpoint.folder / f"{tool}.log", {"HF_HUB_OFFLINE": "1"})
    record = PeerRecord(
        tool=tool,
        version=version("executorch" if tool is Tool.EXPORT_LLAMA else "onnxruntime-genai"),
        command=tuple(command[1:]),
        runtime=TargetName.EXECUTORCH if tool is Tool.EXPORT_LLAMA else TargetName.ONNX,
        shape=checkpoint.shape,
        max_context=checkpoint.max_context,
        effort=effort,
    )
    (folder / PEER_FILE).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return record


def _export_llama(checkpoint: Checkpoint) -> list[str]:
    """XNNPACK, dynamic int8 activations, int4 weights in groups of 32, an int8 embedding: its README's Llama recipe."""
    meta = checkpoint.folder / META_FOLDER
    context = str(checkpoint.max_context)
    return [
        sys.executable, "-m", "executorch.examples.models.llama.export_llama",
        "--checkpoint", str(meta / META_WEIGHTS), "--params", str(meta / META_PARAMS),
        "-kv", "--use_sdpa_with_kv_cache", "-X", "-qmode", "8da4w", "--group_size", "32", "-E", "8,0", "-d", "fp32",
        "--max_seq_length", context, "--max_context_length", context, "--output_name", "model.pte",
    ]  # fmt: skip


def _genai(checkpoint: Checkpoint) -> list[str]:
    """int4 in blocks of 32 with int8 activations, logits of the last token only."""
    return [
        sys.executable, "-m", "onnxruntime_genai.models.builder",
        "--input", str(checkpoint.folder / HUGGINGFACE_FOLDER), "--output", ".", "--cache_dir", "cache",
        "--precision", "int4", "--execution_provider", "cpu",
        "--extra_options", "int4_block_size=32", "int4_accuracy_level=4", "prune_lm_head=true",
    ]  # fmt: skip
