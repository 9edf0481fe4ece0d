"""Checkpoints as the field leaves them: damaged numbers, pointers instead of files, values that are none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from models.checkpoint import open_checkpoint
from models.errors import UserError

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12\n"
NUMBERS = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "vocab_size", "rms_norm_eps", "rope_theta", "max_position_embeddings",
)  # fmt: skip
# As text, since Python's own writer refuses some of them.
DAMAGED = (
    "1" + "0" * 400,
    "-1" + "0" * 400,
    "1e400",
    "NaN",
    "Infinity",
    '"7"',
    "[7]",
    "{}",
    "true",
    "-3",
    "1" + "0" * 15,
)


def make_checkpoint(folder: Path, **changes: Any) -> Path:
    """A random Llama of 2 layers; the smallest that every target takes."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 128, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 32, "tie_word_embeddings": True, "max_position_embeddings": 2048,
    }  # fmt: skip
    LlamaForCausalLM(LlamaConfig(**{**sizes, **changes})).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("rope_parameters", None)
    (folder / "config.json").write_text(json.dumps({**config, "rope_theta": 10000.0}))
    return folder


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path / "checkpoint")


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    return line


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", DAMAGED)
def test_every_damaged_number_of_a_config_is_one_line(checkpoint: Path, key: str, value: str) -> None:
    path = checkpoint / "config.json"
    config = json.loads(path.read_text())
    text = json.dumps({**config, key: "HERE"}).replace('"HERE"', value)
    path.write_text(text)
    if key == "max_position_embeddings" and value == "1" + "0" * 15:
        pytest.skip("a long context is no damage")
    if (key, value) in (("rope_theta", "1" + "0" * 15),):
        open_checkpoint(checkpoint)
        return
    line = refusal(lambda: open_checkpoint(checkpoint))
    assert str(path) in line or str(checkpoint) in line


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 100_000, "{", "", "\xff", "[]", "1" * 5000])
def test_a_config_that_is_no_json_object_is_one_line(checkpoint: Path, text: str) -> None:
    (checkpoint / "config.json").write_bytes(text.encode("latin-1"))
    assert "config.json" in refusal(lambda: open_checkpoint(checkpoint))


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer.model", "merges.txt"]
)
def test_a_git_lfs_pointer_is_told_with_what_to_do(checkpoint: Path, name: str) -> None:
    (checkpoint / name).write_text(LFS_POINTER)
    line = refusal(lambda: open_checkpoint(checkpoint))
    assert name in line
    assert "git lfs pull" in line


def test_a_folder_with_a_gguf_file_is_told_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "model-Q4_0.gguf").write_bytes(b"GGUF")
    line = refusal(lambda: open_checkpoint(tmp_path))
    assert "model-Q4_0.gguf is a GGUF file" in line
    assert "model.safetensors" in line


@pytest.mark.parametrize(
    ("value", "word"), [(float("nan"), "NaN"), (float("inf"), "infinity"), (-float("inf"), "infinity")]
)
@pytest.mark.parametrize(
    "name", ["model.layers.1.mlp.up_proj.weight", "model.norm.weight", "model.embed_tokens.weight"]
)
def test_weights_that_are_no_numbers_are_named(checkpoint: Path, name: str, value: float, word: str) -> None:
    path = checkpoint / "model.safetensors"
    arrays = load_file(path)
    arrays[name].view(-1)[5] = value
    save_file(arrays, path, {"format": "pt"})
    assert refusal(open_checkpoint(checkpoint).check_values).endswith(f"{name} holds {word}")


def test_layers_without_end_are_refused_at_once(checkpoint: Path) -> None:
    path = checkpoint / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "num_hidden_layers": 10_000_000}))
    assert "num_layers 10000000 must be at most" in refusal(lambda: open_checkpoint(checkpoint))


def test_a_folder_of_the_hubs_cache_has_the_models_name(tmp_path: Path) -> None:
    cached = make_checkpoint(tmp_path / "models--owner--some-model" / "snapshots" / "0123abcd")
    assert open_checkpoint(cached).name == "owner/some-model"
    assert open_checkpoint(make_checkpoint(tmp_path / "plain")).name == "plain"


def test_added_tokens_are_packed_along(checkpoint: Path) -> None:
    (checkpoint / "added_tokens.json").write_text("{}")
    assert [path.name for path in open_checkpoint(checkpoint).tokenizer_files if "added" in path.name]
