"""Hugging Face folders: the same logits as transformers, and one clear line for everything that cannot be opened."""

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from models.checkpoint import open_checkpoint
from models.eager import EagerDecoder
from models.errors import UserError
from models.huggingface import TENSOR_NAMES, canonical_name, huggingface_name, read_json, read_shape
from models.shape import TransformerShape
from models.tensors import tensors

FIXTURES = Path(__file__).parents[1] / "fixtures"
SIZES: dict[str, Any] = {
    "vocab_size": 320, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 512, "bos_token_id": 3, "eos_token_id": [4, 5],
}  # fmt: skip
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"num_key_value_heads": 4, "head_dim": 16}),
    "llama-gqa-tied": ("Llama", {"tie_word_embeddings": True, "rms_norm_eps": 1e-3}),
    "llama3-rope": ("Llama", {"rope_parameters": LLAMA3_ROPE}),
    "qwen2": ("Qwen2", {"head_dim": 16, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}),
}


def make_model(family: str, changes: dict[str, Any]) -> transformers.PreTrainedModel:
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **changes})
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = 0.15 * torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + values if "norm" in name else values)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untied Llama; tests change a copy of it."""
    folder = tmp_path_factory.mktemp("llama")
    make_model("Llama", {}).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "checkpoint"))


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_tensors(folder: Path, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    path = folder / "model.safetensors"
    arrays = load_file(path)
    edit(arrays)
    save_file(arrays, path, {"format": "pt"})


def refused(folder: Path, *parts: str) -> None:
    with pytest.raises(UserError) as caught:
        open_checkpoint(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in (str(folder), *parts)), message


def all_logits(folder: Path, tokens: np.ndarray) -> np.ndarray:
    return EagerDecoder(open_checkpoint(folder), tokens.shape[1]).forward(tokens, 0, slice(None))


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_those_of_transformers(name: str, tmp_path: Path) -> None:
    model = make_model(*MODELS[name])
    model.save_pretrained(tmp_path)
    tokens = np.random.default_rng(0).integers(0, SIZES["vocab_size"], (1, 160))
    with torch.no_grad():
        expected = model(torch.from_numpy(tokens)).logits.numpy()
    assert np.abs(expected).max() > 1
    assert np.abs(all_logits(tmp_path, tokens) - expected).max() < 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_of_the_shape_is_served_as_contiguous_float32(name: str, tmp_path: Path) -> None:
    make_model(*MODELS[name]).save_pretrained(tmp_path)
    weights = open_checkpoint(tmp_path)
    for spec in tensors(weights.shape):
        array = weights.get(spec.name)
        assert (array.shape, array.dtype, array.flags.c_contiguous) == (spec.shape, np.float32, True)


def test_layer_sharing_runs_each_block_twice(folder: Path, tmp_path: Path) -> None:
    twice = Path(shutil.copytree(folder, tmp_path / "twice"))
    edit_config(folder, architectures=["MobileLLMForCausalLM"], model_type="mobilellm", layer_sharing=True)

    def duplicate(arrays: dict[str, torch.Tensor]) -> None:
        for name in [name for name in arrays if ".layers." in name]:
            _, _, layer, rest = name.split(".", 3)
            arrays[f"copy.{int(layer) * 2}.{rest}"] = arrays[f"copy.{int(layer) * 2 + 1}.{rest}"] = arrays.pop(name)
        for name in [name for name in arrays if name.startswith("copy.")]:
            arrays[f"model.layers.{name.removeprefix('copy.')}"] = arrays.pop(name).clone()

    edit_tensors(twice, duplicate)
    edit_config(twice, num_hidden_layers=6)
    tokens = np.arange(40)[None]
    assert open_checkpoint(folder).shape.num_passes == 6
    np.testing.assert_array_equal(all_logits(folder, tokens), all_logits(twice, tokens))


def test_share_embedding_of_mobilellm_overrides_tie_word_embeddings(folder: Path) -> None:
    edit_tensors(folder, lambda arrays: arrays.pop("lm_head.weight"))
    edit_config(folder, architectures=["MobileLLMForCausalLM"], share_embedding=True, tie_word_embeddings=False)
    assert open_checkpoint(folder).shape.tie_embeddings


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_widens_without_loss(dtype: torch.dtype, tmp_path: Path) -> None:
    model = make_model("Llama", {}).to(dtype)
    model.save_pretrained(tmp_path)
    stored = model.state_dict()["model.layers.1.self_attn.k_proj.weight"]
    np.testing.assert_array_equal(open_checkpoint(tmp_path).get("layers.1.k.weight"), stored.float().numpy())


def test_shards_equal_one_file(saved: Path, tmp_path: Path) -> None:
    make_model("Llama", {}).save_pretrained(tmp_path, max_shard_size="200KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    one, sharded = open_checkpoint(saved), open_checkpoint(tmp_path)
    assert one.shape == sharded.shape
    for spec in tensors(one.shape):
        np.testing.assert_array_equal(one.get(spec.name), sharded.get(spec.name))


def test_real_config_of_smollm2() -> None:
    shape = read_shape(read_json(FIXTURES / "smollm2_135m_config.json"))
    assert shape == TransformerShape(
        num_layers=30, hidden_size=576, num_heads=9, num_kv_heads=3, head_dim=64, ffn_size=1536, vocab_size=49152,
        tie_embeddings=True, rope_theta=100_000, norm_eps=1e-5,
    )  # fmt: skip
    assert sum(spec.size for spec in tensors(shape)) == 134_515_008


def test_rope_scaling_is_read_in_the_old_and_the_new_spelling(folder: Path) -> None:
    plain = open_checkpoint(folder).shape
    edit_config(folder, rope_parameters=LLAMA3_ROPE)
    new = open_checkpoint(folder).shape
    old_scaling = {("type" if key == "rope_type" else key): LLAMA3_ROPE[key] for key in LLAMA3_ROPE}
    del old_scaling["rope_theta"]
    edit_config(folder, rope_parameters=None, rope_theta=5e5, rope_scaling=old_scaling)
    assert open_checkpoint(folder).shape == new
    assert new.rope_scaling is not None
    assert replace(new, rope_scaling=None, rope_theta=plain.rope_theta) == plain


def test_tensor_names_map_both_ways(variant: TransformerShape) -> None:
    assert len(set(TENSOR_NAMES.values())) == len(TENSOR_NAMES)
    for spec in tensors(variant):
        assert canonical_name(huggingface_name(spec.name)) == spec.name


def test_llama_names_are_those_transformers_uses(saved: Path) -> None:
    shape = open_checkpoint(saved).shape
    assert {huggingface_name(spec.name) for spec in tensors(shape)} == set(load_file(saved / "model.safetensors"))


def test_token_ids_prefer_generation_config(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"eos_token_id": 9}')
    token_ids = open_checkpoint(folder).token_ids
    assert (token_ids.bos, token_ids.eos) == (3, (9,))
    (folder / "generation_config.json").unlink()
    assert open_checkpoint(folder).token_ids.eos == (4, 5)
    edit_config(folder, bos_token_id=None, eos_token_id=None)
    assert (open_checkpoint(folder).token_ids.bos, open_checkpoint(folder).token_ids.eos) == (None, ())


def test_tokenizer_files_are_those_present(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    (folder / "README.md").write_text("no tokenizer")
    assert [path.name for path in open_checkpoint(folder).tokenizer_files] == [
        "tokenizer.json",
        "generation_config.json",
    ]


def test_fingerprint_follows_contents_not_place(saved: Path, folder: Path) -> None:
    original = open_checkpoint(saved).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", original)
    assert open_checkpoint(folder).fingerprint == original
    edit_tensors(folder, lambda arrays: arrays["model.norm.weight"].add_(1e-3))
    weights_changed = open_checkpoint(folder).fingerprint
    edit_config(folder, rms_norm_eps=1e-4)
    config_changed = open_checkpoint(folder).fingerprint
    (folder / "tokenizer.json").write_text("{}")
    assert len({original, weights_changed, config_changed, open_checkpoint(folder).fingerprint}) == 4


def test_rotary_tables_of_old_checkpoints_are_ignored(folder: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    edit_tensors(folder, lambda arrays: arrays.update({name: torch.ones(16)}))
    assert open_checkpoint(folder).shape.num_layers == 3


def test_tied_head_stored_twice_must_be_equal(folder: Path) -> None:
    edit_config(folder, tie_word_embeddings=True)
    refused(folder, "lm_head.weight differs from model.embed_tokens.weight")
    edit_tensors(folder, lambda arrays: arrays.update({"lm_head.weight": arrays["model.embed_tokens.weight"].clone()}))
    assert open_checkpoint(folder).shape.tie_embeddings


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, ["GemmaForCausalLM", "LlamaForCausalLM", "Qwen3ForCausalLM"]),
        ({"architectures": None}, ["architectures None", "MobileLLMForCausalLM"]),
        ({"hidden_size": None}, ["hidden_size is missing"]),
        ({"hidden_size": "64"}, ["hidden_size '64' is not a whole number"]),
        ({"num_attention_heads": 0}, ["num_attention_heads 0"]),
        ({"rms_norm_eps": "small"}, ["rms_norm_eps 'small' is not a finite number"]),
        ({"rope_parameters": {"rope_theta": math.inf}}, ["rope_theta inf is not a finite number"]),
        ({"hidden_size": 100}, ["hidden_size 100 must be a multiple of 32"]),
        ({"rope_parameters": {**LLAMA3_ROPE, "factor": 0.5}}, ["rope_scaling: factor 0.5 must be at least 1"]),
        ({"tie_word_embeddings": 1}, ["tie_word_embeddings 1 is not true or false"]),
        ({"eos_token_id": ["</s>"]}, ["eos_token_id '</s>'"]),
        ({"hidden_act": "gelu"}, ["hidden_act 'gelu'", '"silu"']),
        ({"attention_bias": True}, ["attention_bias True", "false"]),
        ({"mlp_bias": True}, ["mlp_bias True"]),
        ({"partial_rotary_factor": 0.5}, ["partial_rotary_factor 0.5"]),
        ({"sliding_window": 128}, ["sliding_window 128"]),
        ({"architectures": ["Qwen3ForCausalLM"], "use_sliding_window": True}, ["use_sliding_window True"]),
        ({"layer_types": ["full_attention", "sliding_attention"]}, ["layer_types 'sliding_attention'"]),
        ({"quantization_config": {"quant_method": "gptq"}}, ["quantization_config", "gptq", "null"]),
        ({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}, ["rope_type 'yarn'", "default, llama3"]),
        ({"rope_parameters": {"rope_type": "linear", "factor": 4.0}}, ["rope_type 'linear'"]),
        ({"rope_parameters": {"rope_type": "default", "mrope_section": [8, 8]}}, ["mrope_section [8, 8]"]),
        ({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}, ["partial_rotary_factor 0.5"]),
        ({"rope_parameters": {"rope_type": "llama3"}}, ["factor is missing"]),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, ["rope_scaling and rope_parameters"]),
        ({"rope_parameters": [1]}, ["rope_parameters [1] is not an object"]),
        ({"logits_scaling": 8.0}, ["logits_scaling 8.0 is unknown"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_config_that_is_not_implemented_is_refused(folder: Path, changes: dict[str, Any], parts: list[str]) -> None:
    edit_config(folder, **changes)
    generation = folder / "generation_config.json"
    generation.unlink()
    refused(folder, "config.json", *parts)


def test_unused_window_of_qwen_is_harmless(tmp_path: Path) -> None:
    make_model("Qwen2", {"head_dim": 16}).save_pretrained(tmp_path)
    edit_config(tmp_path, sliding_window=32768, use_mrope=False)
    assert open_checkpoint(tmp_path).shape.qkv_bias


def test_tensors_that_do_not_fit_are_named(folder: Path) -> None:
    up, head = "model.layers.1.mlp.up_proj.weight", "lm_head.weight"

    def retyped(name: str, array: torch.Tensor) -> Callable[[dict[str, torch.Tensor]], Any]:
        return lambda arrays: arrays.update({name: array})

    edit_tensors(folder, lambda arrays: arrays.pop(head))
    refused(folder, "missing tensors lm_head.weight")
    edit_tensors(folder, retyped(head, torch.zeros(320, 64)))
    edit_tensors(folder, retyped("model.layers.0.self_attn.q_proj.lora_A", torch.zeros(2)))
    refused(folder, "unknown tensors model.layers.0.self_attn.q_proj.lora_A")
    edit_tensors(folder, lambda arrays: arrays.pop("model.layers.0.self_attn.q_proj.lora_A"))
    edit_tensors(folder, retyped(up, torch.zeros(64, 160)))
    refused(folder, f"{up} [64, 160] instead of [160, 64]")
    edit_tensors(folder, retyped(up, torch.zeros(160, 64, dtype=torch.int8)))
    refused(folder, f"{up} I8", "BF16, F16, F32")
    edit_tensors(folder, retyped(up, torch.zeros(160, 64)))
    edit_config(folder, num_hidden_layers=4)
    refused(folder, "missing tensors model.layers.3.input_layernorm.weight", "and 6 more")
    edit_config(folder, num_hidden_layers=2)
    refused(folder, "unknown tensors model.layers.2.", "and 6 more")


def test_files_that_cannot_be_read_are_named(folder: Path) -> None:
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    for damaged in (whole[:-100], whole[:50], b"", b"\xff" * 64):
        weights.write_bytes(damaged)
        refused(folder, "model.safetensors: not a readable safetensors file")
    weights.rename(folder / "pytorch_model.bin")
    refused(folder, "pytorch_model.bin is a pickle")
    (folder / "pytorch_model.bin").unlink()
    refused(folder, "neither model.safetensors nor model.safetensors.index.json")
    for text, part in (("{", "not valid JSON"), ("[]", "must hold a JSON object, not a list"), ("\udcff", "not valid")):
        config.write_text(text, encoding="utf-8", errors="surrogateescape")
        refused(folder, "config.json", part)
    config.unlink()
    refused(folder, "config.json: cannot be read (No such file or directory)")
    shutil.rmtree(folder)
    refused(folder, "not a folder")


def test_index_that_does_not_fit_is_named(tmp_path: Path) -> None:
    make_model("Llama", {}).save_pretrained(tmp_path, max_shard_size="200KB")
    index = tmp_path / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    name, file = next(iter(content["weight_map"].items()))

    def with_entry(key: str, value: object) -> str:
        return json.dumps({"weight_map": {**content["weight_map"], key: value}})

    index.write_text(with_entry("model.extra", file))
    refused(tmp_path, index.name, "does not agree", "model.extra")
    index.write_text(with_entry(name, "../" + file))
    refused(tmp_path, f"'../{file}' is not the name")
    index.write_text("{}")
    refused(tmp_path, "weight_map is missing or empty")
    index.write_text(json.dumps(content))
    (tmp_path / file).rename(tmp_path / "model.safetensors")
    refused(tmp_path, "has both")
    (tmp_path / "model.safetensors").unlink()
    refused(tmp_path, index.name, f"names {file}, which does not exist")
