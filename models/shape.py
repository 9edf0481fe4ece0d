"""The two network families this project compares. A shape is complete: whatever changes weights or graph is a field."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from models.errors import UserError

# Every inner dimension is a multiple of this, so that a 4-bit group of 32 never straddles a row on any target.
BLOCK = 32
# Rotary embeddings in ONNX Runtime's GroupQueryAttention want head sizes in steps of 16.
HEAD_DIM_STEP = 16
# The deepest published decoders have a few hundred blocks; each is enumerated, so that a damaged count must not pass.
MAX_LAYERS = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Llama3RopeScaling:
    """Frequency scaling of Llama 3.1 and 3.2 (`rope_type: llama3` in a Hugging Face config)."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_context: int

    def __post_init__(self) -> None:
        _at_least("rope_scaling", self, factor=1, low_freq_factor=0, high_freq_factor=0, original_max_context=1)
        if self.high_freq_factor <= self.low_freq_factor:
            raise UserError(
                f"rope_scaling: high_freq_factor {self.high_freq_factor} must exceed "
                f"low_freq_factor {self.low_freq_factor}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerShape:
    """A Llama-family decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU.

    `num_layers` counts blocks that own weights. With `layer_repeats` 2 each block runs twice in a row before the next
    one starts (immediate block-wise sharing, MobileLLM-LS, arXiv 2402.14905), so `num_passes` blocks are executed and
    each pass has a KV cache of its own.
    """

    num_layers: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    ffn_size: int
    vocab_size: int
    tie_embeddings: bool = True
    layer_repeats: int = 1
    qkv_bias: bool = False
    qk_norm: bool = False
    rope_theta: float = 10_000.0
    rope_scaling: Llama3RopeScaling | None = None
    norm_eps: float = 1e-5
    family: Literal["transformer"] = "transformer"

    def __post_init__(self) -> None:
        _at_least(
            "shape", self, num_layers=1, hidden_size=BLOCK, num_heads=1, num_kv_heads=1, head_dim=HEAD_DIM_STEP,
            ffn_size=BLOCK, vocab_size=2, layer_repeats=1, rope_theta=1,
        )  # fmt: skip
        if self.num_layers > MAX_LAYERS:
            raise UserError(f"shape: num_layers {self.num_layers} must be at most {MAX_LAYERS}")
        _multiple(self.hidden_size, BLOCK, "hidden_size")
        _multiple(self.ffn_size, BLOCK, "ffn_size")
        _multiple(self.head_dim, HEAD_DIM_STEP, "head_dim")
        _multiple(self.query_size, BLOCK, "num_heads * head_dim")
        _multiple(self.kv_size, BLOCK, "num_kv_heads * head_dim")
        _multiple(self.num_heads, self.num_kv_heads, "num_heads", "num_kv_heads")
        if not 0 < self.norm_eps < 1:
            raise UserError(f"shape: norm_eps {self.norm_eps} must lie between 0 and 1")

    @property
    def num_passes(self) -> int:
        """Blocks executed for one token; equal to `num_layers` without layer sharing."""
        return self.num_layers * self.layer_repeats

    @property
    def query_size(self) -> int:
        """Width of the query projection."""
        return self.num_heads * self.head_dim

    @property
    def kv_size(self) -> int:
        """Width of the key (or value) projection."""
        return self.num_kv_heads * self.head_dim


@dataclass(frozen=True, kw_only=True, slots=True)
class MlpShape:
    """A plain ReLU network of `num_layers` linear layers with biases: input -> hidden -> ... -> hidden -> output."""

    num_layers: int
    hidden_size: int
    input_size: int = 1024
    output_size: int = 1024
    family: Literal["mlp"] = "mlp"

    def __post_init__(self) -> None:
        _at_least("shape", self, num_layers=2, hidden_size=BLOCK, input_size=BLOCK, output_size=BLOCK)
        for name in ("hidden_size", "input_size", "output_size"):
            _multiple(getattr(self, name), BLOCK, name)

    @property
    def layer_sizes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer, first to last."""
        widths = [self.input_size, *[self.hidden_size] * (self.num_layers - 1), self.output_size]
        return list(pairwise(widths))


Shape = TransformerShape | MlpShape


def describe(shape: Shape) -> str:
    """One short phrase a person can tell shapes apart by, such as `30 x 576 (9/3 heads of 64, ffn 1536)`."""
    if isinstance(shape, MlpShape):
        return f"{shape.num_layers} x {shape.hidden_size} (ReLU, {shape.input_size} -> {shape.output_size})"
    layers = f"{shape.num_layers}" if shape.layer_repeats == 1 else f"{shape.num_layers} ({shape.layer_repeats}x each)"
    heads = f"{shape.num_heads}/{shape.num_kv_heads} heads of {shape.head_dim}"
    return f"{layers} x {shape.hidden_size} ({heads}, ffn {shape.ffn_size})"


def _at_least(what: str, fields: object, **minimum: float) -> None:
    for name, least in minimum.items():
        value = getattr(fields, name)
        if value < least:
            raise UserError(f"{what}: {name} {value} must be at least {least}")


def _multiple(value: int, step: int, name: str, step_name: str = "") -> None:
    if value % step:
        raise UserError(f"shape: {name} {value} must be a multiple of {f'{step_name} {step}' if step_name else step}")
