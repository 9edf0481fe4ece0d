"""Peers' exporters, run as their manuals say: one random checkpoint in, an artifact and its `peer.json` out."""

import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter

from models.pair import Arm
from models.shape import TransformerShape
from scripts.bench.layout import HUGGINGFACE_FOLDER, META_FOLDER, META_PARAMS, META_WEIGHTS
from scripts.bench.processes import ROOT, run_for_json, run_measured
from scripts.bench.subjects import GGUF_FILE, PEER_FILE, PeerRecord, Runtime


class Tool(StrEnum):
    """A peer's exporter."""

    EXPORT_LLAMA = "export_llama"
    GENAI = "genai"
    LLAMA_CPP = "llama_cpp"


# What is timed as an exporter and needs nothing beyond the `dev` extra.
EXPORTERS = (Tool.EXPORT_LLAMA, Tool.GENAI)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One random checkpoint in the forms that exporters read, under `folder`."""

    folder: Path
    shape: TransformerShape
    max_context: int


def write_checkpoint(pair: str, arm: Arm, max_context: int, folder: Path) -> Checkpoint:
    """Write the seeded checkpoint of a catalogued shape; a child does it, so that torch stays out of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "scripts.bench.checkpoints", pair, arm, str(max_context), str(folder.resolve())]
    shape = TypeAdapter(TransformerShape).validate_json(run_for_json(command, {}))
    return Checkpoint(folder=folder.resolve(), shape=shape, max_context=max_context)


def make_peer(checkpoint: Checkpoint, tool: Tool) -> PeerRecord:
    """Run an exporter; its artifact goes to `<checkpoint folder>/<tool>`, replacing an older one, its output beside it.

    Raises:
        UserError: it failed, or it is not installed.
    """
    folder = checkpoint.folder / tool
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    recipe = _recipe(tool, checkpoint)
    # Nothing is to be downloaded; asked for what is not there, the hub's client would try for half a minute.
    effort = run_measured(
        [sys.executable, *recipe.arguments], recipe.folder, checkpoint.folder / f"{tool}.log", {"HF_HUB_OFFLINE": "1"}
    )
    record = PeerRecord(
        tool=tool, version=version(recipe.package), command=recipe.arguments, runtime=recipe.runtime,
        shape=checkpoint.shape, max_context=checkpoint.max_context, effort=effort,
    )  # fmt: skip
    (folder / PEER_FILE).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "cache", ignore_errors=True)
    return record


@dataclass(frozen=True, slots=True)
class _Recipe:
    package: str
    runtime: Runtime
    folder: Path
    arguments: tuple[str, ...]


def _recipe(tool: Tool, checkpoint: Checkpoint) -> _Recipe:
    folder = checkpoint.folder / tool
    match tool:
        case Tool.EXPORT_LLAMA:
            return _Recipe("executorch", Runtime.EXECUTORCH, folder, _export_llama(checkpoint))
        case Tool.GENAI:
            return _Recipe("onnxruntime-genai", Runtime.ONNX, folder, _genai(checkpoint))
        case Tool.LLAMA_CPP:
            source, target = checkpoint.folder / HUGGINGFACE_FOLDER, folder / GGUF_FILE
            arguments = ("-m", "scripts.bench.gguf_peer", str(source), str(checkpoint.max_context), str(target))
            return _Recipe("llama-cpp-python", Runtime.LLAMA_CPP, ROOT, arguments)


def _export_llama(checkpoint: Checkpoint) -> tuple[str, ...]:
    """XNNPACK, dynamic int8 activations, int4 weights in groups of 32, an int8 embedding: its README's Llama recipe."""
    meta = checkpoint.folder / META_FOLDER
    context = str(checkpoint.max_context)
    return (
        "-m", "executorch.examples.models.llama.export_llama",
        "--checkpoint", str(meta / META_WEIGHTS), "--params", str(meta / META_PARAMS),
        "-kv", "--use_sdpa_with_kv_cache", "-X", "-qmode", "8da4w", "--group_size", "32", "-E", "8,0", "-d", "fp32",
        "--max_seq_length", context, "--max_context_length", context, "--output_name", "model.pte",
    )  # fmt: skip


def _genai(checkpoint: Checkpoint) -> tuple[str, ...]:
    """int4 in blocks of 32 with int8 activations, logits of the last token only."""
    return (
        "-m", "onnxruntime_genai.models.builder",
        "--input", str(checkpoint.folder / HUGGINGFACE_FOLDER), "--output", ".", "--cache_dir", "cache",
        "--precision", "int4", "--execution_provider", "cpu",
        "--extra_options", "int4_block_size=32", "int4_accuracy_level=4", "prune_lm_head=true",
    )  # fmt: skip
