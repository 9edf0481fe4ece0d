"""llama.cpp's peer: every matrix as Q4_0 (what its quantiser calls `--pure`), written with the package gguf.

It has the bytes that llama.cpp reads at that precision; how long writing took says nothing about llama.cpp's own tools.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from models.checkpoint import open_checkpoint
from models.errors import UserError
from models.shape import TransformerShape
from models.tensors import EMBEDDING, FINAL_NORM, HEAD, TensorSpec, tensors
from models.weights import WeightSource

_TOP = {EMBEDDING: "token_embd.weight", FINAL_NORM: "output_norm.weight", HEAD: "output.weight"}
_PARTS = {
    "attn_norm": "attn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output", "mlp_norm": "ffn_norm",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}  # fmt: skip


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor of a plain Llama shape."""
    if name in _TOP:
        return _TOP[name]
    _, layer, part, kind = name.split(".")
    return f"blk.{layer}.{_PARTS[part]}.{kind}"


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a query or key projection in the order of llama.cpp's rotary embedding, which turns neighbours.

    Ours and Hugging Face's turn element i of a head together with element i + head_dim / 2.
    """
    halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, rows.shape[1])
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows.shape)


def write_gguf(weights: WeightSource, path: Path, max_context: int) -> None:
    """Write a GGUF file of a plain Llama decoder, without a vocabulary.

    Raises:
        UserError: the package gguf is missing.
    """
    gguf = _load_package()
    shape = weights.shape
    assert isinstance(shape, TransformerShape)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(max_context)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_block_count(shape.num_layers)
    writer.add_feed_forward_length(shape.ffn_size)
    writer.add_head_count(shape.num_heads)
    writer.add_head_count_kv(shape.num_kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_tokenizer_model("no_vocab")
    for spec in tensors(shape):
        _add_tensor(gguf, writer, shape, spec, weights.get(spec.name))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tensor(gguf: Any, writer: Any, shape: TransformerShape, spec: TensorSpec, values: np.ndarray) -> None:  # noqa: ANN401
    if spec.columns is None:
        writer.add_tensor(gguf_name(spec.name), values)
        return
    heads = {"q": shape.num_heads, "k": shape.num_kv_heads}.get(spec.name.split(".")[-2])
    rows = values if heads is None else interleave(values, heads)
    form = gguf.GGMLQuantizationType.Q4_0
    writer.add_tensor(gguf_name(spec.name), gguf.quants.quantize(rows, form), raw_dtype=form)


def _load_package() -> Any:  # noqa: ANN401 (an optional package without types)
    try:
        return importlib.import_module("gguf")
    except ModuleNotFoundError as error:
        raise UserError("GGUF files need gguf: pip install gguf llama-cpp-python") from error


def main() -> None:
    """The arguments are a Hugging Face folder, the maximum context and the file to write."""
    write_gguf(open_checkpoint(Path(sys.argv[1])), Path(sys.argv[3]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
