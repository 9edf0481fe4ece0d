"""One random checkpoint of a shape, in the two forms that the peers' exporters read."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.catalog import get_pair
from models.errors import UserError
from models.huggingface import huggingface_name
from models.pair import Arm
from models.shape import TransformerShape, describe
from models.tensors import EMBEDDING, HEAD, tensors
from models.weights import RandomWeights, WeightSource
from scripts.bench.layout import HUGGINGFACE_FOLDER, META_FOLDER, META_PARAMS, META_WEIGHTS

# Names of Meta's Llama release, which export_llama reads; `{}` stands for the layer.
META_NAMES = {
    EMBEDDING: "tok_embeddings.weight",
    "layers.{}.attn_norm.weight": "layers.{}.attention_norm.weight",
    "layers.{}.q.weight": "layers.{}.attention.wq.weight",
    "layers.{}.k.weight": "layers.{}.attention.wk.weight",
    "layers.{}.v.weight": "layers.{}.attention.wv.weight",
    "layers.{}.o.weight": "layers.{}.attention.wo.weight",
    "layers.{}.mlp_norm.weight": "layers.{}.ffn_norm.weight",
    "layers.{}.gate.weight": "layers.{}.feed_forward.w1.weight",
    "layers.{}.up.weight": "layers.{}.feed_forward.w3.weight",
    "layers.{}.down.weight": "layers.{}.feed_forward.w2.weight",
    "norm.weight": "norm.weight",
    HEAD: "output.weight",
}


def meta_name(name: str) -> str:
    """Meta's name of a tensor of a plain Llama shape (no biases, no query and key norms)."""
    parts = name.split(".")
    if parts[0] != "layers":
        return META_NAMES[name]
    return META_NAMES[".".join(["layers", "{}", *parts[2:]])].format(parts[1])


def write_meta(weights: WeightSource, folder: Path) -> None:
    """Write `params.json` and `consolidated.00.pth`; a tied head is stored as the embedding's own tensor."""
    shape = _plain_llama(weights)
    folder.mkdir(parents=True, exist_ok=True)
    state = {meta_name(spec.name): torch.from_numpy(weights.get(spec.name)) for spec in tensors(shape)}
    if shape.tie_embeddings:
        state[META_NAMES[HEAD]] = state[META_NAMES[EMBEDDING]]
    torch.save(state, folder / META_WEIGHTS)
    params = {
        "dim": shape.hidden_size,
        "n_layers": shape.num_layers,
        "n_heads": shape.num_heads,
        "n_kv_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim,
        "hidden_dim": shape.ffn_size,
        "vocab_size": shape.vocab_size,
        "norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        # The weights are in Hugging Face's order of query and key rows, as all of ours are.
        "use_hf_rope": True,
    }
    _write_json(params, folder / META_PARAMS)


def write_huggingface(weights: WeightSource, folder: Path, max_context: int) -> None:
    """Write `config.json` and `model.safetensors` of a LlamaForCausalLM."""
    shape = _plain_llama(weights)
    folder.mkdir(parents=True, exist_ok=True)
    state = {huggingface_name(spec.name): torch.from_numpy(weights.get(spec.name)) for spec in tensors(shape)}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.ffn_size,
        "num_hidden_layers": shape.num_layers,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": max_context,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": shape.tie_embeddings,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float32",
    }
    _write_json(config, folder / "config.json")
    _write_json({"bos_token_id": 1, "eos_token_id": 2}, folder / "generation_config.json")
    _write_tokenizer(folder)


def _write_tokenizer(folder: Path) -> None:
    """Three words: exporters insist on a tokenizer, no benchmark uses it."""
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    _write_json(
        {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model},
        folder / "tokenizer.json",
    )
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    _write_json({"tokenizer_class": "PreTrainedTokenizerFast", **special}, folder / "tokenizer_config.json")


def _write_json(value: object, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _plain_llama(weights: WeightSource) -> TransformerShape:
    shape = weights.shape
    if (
        not isinstance(shape, TransformerShape)
        or shape.qkv_bias
        or shape.qk_norm
        or shape.rope_scaling
        or shape.layer_repeats > 1
    ):
        raise UserError(f"{describe(shape)}: peers are made for plain Llama decoders only")
    return shape


def main() -> None:
    """Write both forms; the arguments are pair, arm, maximum context and folder."""
    pair, arm, max_context, folder = get_pair(sys.argv[1]), Arm(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    weights = RandomWeights(pair.deep if arm is Arm.DEEP else pair.wide, seed=0)
    write_meta(weights, folder / META_FOLDER)
    write_huggingface(weights, folder / HUGGINGFACE_FOLDER, max_context)
    print(json.dumps({"folder": str(folder)}))


if __name__ == "__main__":
    main()
