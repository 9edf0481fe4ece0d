"""What a Hugging Face `config.json` says: the shape, the special tokens, and the names of the tensors.

The rule for config keys: what is not implemented is refused by key and value, and so is a key that is not listed here,
unless its value switches it off (null, false, empty) or its name starts with `_` (bookkeeping of transformers).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.shape import Llama3RopeScaling, TransformerShape

# Canonical name -> Hugging Face name; `{}` stands for the layer. SmolLM2 and MobileLLM use Llama's names.
TENSOR_NAMES = {
    "embed.weight": "model.embed_tokens.weight",
    "layers.{}.attn_norm.weight": "model.layers.{}.input_layernorm.weight",
    "layers.{}.q.weight": "model.layers.{}.self_attn.q_proj.weight",
    "layers.{}.q.bias": "model.layers.{}.self_attn.q_proj.bias",
    "layers.{}.k.weight": "model.layers.{}.self_attn.k_proj.weight",
    "layers.{}.k.bias": "model.layers.{}.self_attn.k_proj.bias",
    "layers.{}.v.weight": "model.layers.{}.self_attn.v_proj.weight",
    "layers.{}.v.bias": "model.layers.{}.self_attn.v_proj.bias",
    "layers.{}.q_norm.weight": "model.layers.{}.self_attn.q_norm.weight",
    "layers.{}.k_norm.weight": "model.layers.{}.self_attn.k_norm.weight",
    "layers.{}.o.weight": "model.layers.{}.self_attn.o_proj.weight",
    "layers.{}.mlp_norm.weight": "model.layers.{}.post_attention_layernorm.weight",
    "layers.{}.gate.weight": "model.layers.{}.mlp.gate_proj.weight",
    "layers.{}.up.weight": "model.layers.{}.mlp.up_proj.weight",
    "layers.{}.down.weight": "model.layers.{}.mlp.down_proj.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
_CANONICAL_NAMES = {theirs: ours for ours, theirs in TENSOR_NAMES.items()}


@dataclass(frozen=True, slots=True)
class _Architecture:
    """How an architecture differs from Llama where the config does not say so."""

    qkv_bias: bool = False
    qk_norm: bool = False
    uses_window_unasked: bool = True  # a `sliding_window` counts even without `use_sliding_window`


_ARCHITECTURES = {
    "LlamaForCausalLM": _Architecture(),
    "MobileLLMForCausalLM": _Architecture(),
    "Qwen2ForCausalLM": _Architecture(qkv_bias=True, uses_window_unasked=False),
    "Qwen3ForCausalLM": _Architecture(qk_norm=True, uses_window_unasked=False),
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Keys that `read_shape` or the checks below read.
_READ = _words(
    "architectures hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim "
    "vocab_size rms_norm_eps rope_theta rope_scaling rope_parameters tie_word_embeddings share_embedding "
    "layer_sharing sliding_window layer_types bos_token_id eos_token_id max_position_embeddings"
)
# Keys that change the graph, with the only value that is implemented.
_FIXED: Mapping[str, object] = {
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "use_sliding_window": False,
    "partial_rotary_factor": 1,
    "is_encoder_decoder": False,
    "quantization_config": None,
}
# Every number lies far inside these, or it is damage: larger ones would be enumerated or overflow a float.
_MAX_INTEGER = 2**40
_MAX_NUMBER = 1e30
_SHOWN_CHARACTERS = 40
_LFS_FIRST_LINE = b"version https://git-lfs.github.com/spec/"
LFS_HINT = "a git-lfs pointer, not the file itself; run `git lfs pull` in the folder it came from"
# Keys of training, bookkeeping and text generation. `pretraining_tp` only splits the same products.
_HARMLESS = _words(
    "attention_dropout hidden_dropout resid_dropout embd_dropout dropout initializer_range "
    "max_window_layers pretraining_tp model_type torch_dtype dtype transformers_version auto_map use_cache "
    "pad_token_id unk_token_id is_llama_config is_decoder return_dict output_attentions output_hidden_states "
    "chunk_size_feed_forward id2label label2id num_labels problem_type finetuning_task task_specific_params "
    "tokenizer_class prefix torchscript bad_words_ids max_length max_new_tokens min_length min_new_tokens do_sample "
    "early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p min_p typical_p "
    "repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size num_return_sequences "
    "output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values "
    "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens decoder_start_token_id unsloth_version "
    "unsloth_fixed transformers.js_config"
)
_ROPE_KEYS = _words(
    "rope_type type rope_theta partial_rotary_factor factor low_freq_factor high_freq_factor "
    "original_max_position_embeddings"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpecialTokens:
    """Ids that start and end a text, as far as the checkpoint names them."""

    bos: int | None
    eos: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JsonFile:
    """A JSON object with typed access. `path` is named in every error."""

    path: Path
    values: Mapping[str, object]

    def integer(self, key: str, default: int | None = None) -> int:
        """The whole number under `key`; `default` where it is absent or null."""
        value = self._value(key, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise UserError(f"{self.path}: {key} {_shown(value)} is not a whole number")
        if abs(value) > _MAX_INTEGER:
            raise UserError(f"{self.path}: {key} {_shown(value)} is out of range (at most 2^40)")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """The number under `key`; `default` where it is absent or null."""
        value = self._value(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise UserError(f"{self.path}: {key} {_shown(value)} is not a finite number")
        if not abs(value) <= _MAX_NUMBER:  # not a number fails too
            raise UserError(f"{self.path}: {key} {_shown(value)} is not a finite number within 1e30")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """The truth value under `key`; `default` where it is absent or null."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise UserError(f"{self.path}: {key} {_shown(value)} is not true or false")
        return value

    def section(self, key: str) -> "JsonFile":
        """The object under `key`; empty where it is absent or null."""
        value = self.values.get(key) or {}
        if not isinstance(value, dict):
            raise UserError(f"{self.path}: {key} {_shown(value)} is not an object")
        return JsonFile(self.path, value)

    def _value(self, key: str, default: object) -> object:
        value = self.values.get(key)
        if value is None and default is None:
            raise UserError(f"{self.path}: {key} is missing")
        return default if value is None else value


def read_json(path: Path) -> JsonFile:
    """Parse a file that holds one JSON object.

    Raises:
        UserError: the file cannot be read or holds something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:  # malformed JSON, not UTF-8, or nested without end
        hint = LFS_HINT if is_lfs_pointer(path) else f"not valid JSON ({error})"
        raise UserError(f"{path}: {hint}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold a JSON object, not a {type(values).__name__}")
    return JsonFile(path, values)


def is_lfs_pointer(path: Path) -> bool:
    """Whether `path` holds the few lines that git-lfs leaves where the file itself was not fetched."""
    with path.open("rb") as file:
        return file.read(len(_LFS_FIRST_LINE)) == _LFS_FIRST_LINE


def _shown(value: object) -> str:
    """A value for a message: a long one is cut, and so is a number with more digits than Python will print."""
    if isinstance(value, int) and abs(value) > 10**_SHOWN_CHARACTERS:
        return f"of about {value.bit_length() * 3 // 10} digits"
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def read_shape(config: JsonFile) -> TransformerShape:
    """The shape that a `config.json` describes. Absent keys take the defaults of transformers' Llama.

    Raises:
        UserError: an architecture, key or value that is not implemented; the line names it.
    """
    architecture = _architecture(config)
    _refuse_unknown(config)
    _refuse_windows(config, architecture)
    rope = _rope(config)
    try:
        return _shape(config, architecture, rope)
    except UserError as error:
        if str(error).startswith(str(config.path)):
            raise
        raise UserError(f"{config.path}: {error}") from error


def _shape(config: JsonFile, architecture: _Architecture, rope: JsonFile) -> TransformerShape:
    hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
    if heads < 1:
        raise UserError(f"{config.path}: num_attention_heads {heads} must be at least 1")
    # MobileLLM's configs say tie_word_embeddings false and share_embedding true; its model obeys the latter.
    tied = config.flag("share_embedding", config.flag("tie_word_embeddings", False))
    return TransformerShape(
        num_layers=config.integer("num_hidden_layers"),
        hidden_size=hidden,
        num_heads=heads,
        num_kv_heads=config.integer("num_key_value_heads", heads),
        head_dim=config.integer("head_dim", hidden // heads),
        ffn_size=config.integer("intermediate_size"),
        vocab_size=config.integer("vocab_size"),
        tie_embeddings=tied,
        layer_repeats=2 if config.flag("layer_sharing", False) else 1,
        qkv_bias=architecture.qkv_bias,
        qk_norm=architecture.qk_norm,
        rope_theta=rope.number("rope_theta", config.number("rope_theta", 10_000.0)),
        rope_scaling=_rope_scaling(rope),
        norm_eps=config.number("rms_norm_eps", 1e-6),
    )


def read_trained_context(config: JsonFile) -> int | None:
    """Positions the checkpoint was trained for; None where its config does not say."""
    if config.values.get("max_position_embeddings") is None:
        return None
    positions = config.integer("max_position_embeddings")
    if positions < 1:
        raise UserError(f"{config.path}: max_position_embeddings {positions} must be at least 1")
    return positions


def read_special_tokens(*files: JsonFile) -> SpecialTokens:
    """Special tokens from the first file that names them: generation_config.json before config.json."""

    def ids(key: str) -> tuple[int, ...]:
        for file in files:
            value = file.values.get(key)
            if value is not None:
                listed = value if isinstance(value, list) else [value]
                return tuple(JsonFile(file.path, {key: item}).integer(key) for item in listed)
        return ()

    return SpecialTokens(bos=next(iter(ids("bos_token_id")), None), eos=ids("eos_token_id"))


def huggingface_name(name: str) -> str:
    """Canonical tensor name -> Hugging Face's. `KeyError` for others."""
    return _rename(name, TENSOR_NAMES)


def canonical_name(name: str) -> str:
    """Hugging Face's tensor name -> the canonical one. `KeyError` for others."""
    return _rename(name, _CANONICAL_NAMES)


def _rename(name: str, names: Mapping[str, str]) -> str:
    layer = re.search(r"(?<=layers\.)(0|[1-9]\d*)(?=\.)", name)
    if layer is None:
        return names[name]
    return names[f"{name[: layer.start()]}{{}}{name[layer.end() :]}"].format(layer[0])


def _architecture(config: JsonFile) -> _Architecture:
    listed = config.values.get("architectures")
    name = listed[0] if isinstance(listed, list) and len(listed) == 1 else None
    if not isinstance(name, str) or name not in _ARCHITECTURES:
        raise UserError(f"{config.path}: architectures {_shown(listed)} is not one of {', '.join(_ARCHITECTURES)}")
    return _ARCHITECTURES[name]


def _refuse_unknown(config: JsonFile) -> None:
    for key, value in config.values.items():
        if key in _FIXED:
            if value is not None and value != _FIXED[key]:
                raise UserError(
                    f"{config.path}: {key} {_shown(value)} is not supported; it must be {json.dumps(_FIXED[key])}"
                )
        elif key not in _READ | _HARMLESS and not key.startswith("_") and not _is_off(value):
            raise UserError(
                f"{config.path}: {key} {_shown(value)} is unknown and may change the network; remove it if not"
            )


def _is_off(value: object) -> bool:
    return value is None or value is False or value in ("", [], {})


def _refuse_windows(config: JsonFile, architecture: _Architecture) -> None:
    window = config.values.get("sliding_window")
    if window is not None and config.flag("use_sliding_window", architecture.uses_window_unasked):
        raise UserError(
            f"{config.path}: sliding_window {_shown(window)} is not supported; every layer sees the whole context"
        )
    types = config.values.get("layer_types") or []
    for kind in types if isinstance(types, list) else [types]:
        if kind != "full_attention":
            raise UserError(f"{config.path}: layer_types {_shown(kind)} is not supported; choices: full_attention")


def _rope(config: JsonFile) -> JsonFile:
    """`rope_parameters` of transformers 5 or `rope_scaling` of earlier ones."""
    old, new = config.section("rope_scaling"), config.section("rope_parameters")
    if old.values and new.values and old.values != new.values:
        raise UserError(f"{config.path}: rope_scaling and rope_parameters are both given and differ")
    rope = new if new.values else old
    for key, value in rope.values.items():
        if key not in _ROPE_KEYS or (key == "partial_rotary_factor" and value != 1):
            raise UserError(f"{config.path}: {key} {_shown(value)} of the rope parameters is not supported")
    return rope


def _rope_scaling(rope: JsonFile) -> Llama3RopeScaling | None:
    kind = rope.values.get("rope_type", rope.values.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise UserError(f"{rope.path}: rope_type {_shown(kind)} is not supported; choices: default, llama3")
    return Llama3RopeScaling(
        factor=rope.number("factor"),
        low_freq_factor=rope.number("low_freq_factor"),
        high_freq_factor=rope.number("high_freq_factor"),
        original_max_context=rope.integer("original_max_position_embeddings"),
    )
