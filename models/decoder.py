"""The decoder, walked once. A target is one builder; a new architecture is one more walk.

The steps are as coarse as the coarsest operator a runtime offers for them (a packed projection, attention with its
rotary positions and cache, a residual sum followed by a norm), so that each builder can emit its best form.
"""

from typing import Protocol, TypeVar

from models.shape import TransformerShape
from models.tensors import EMBEDDING, FINAL_NORM, head_name, layer_name

Value = TypeVar("Value")


class DecoderBuilder(Protocol[Value]):
    """What a target implements. Weights are named, never passed; `Value` is whatever the target calls a tensor.

    Legend: T tokens of this call, D hidden_size, Q num_heads * head_dim, K num_kv_heads * head_dim, V vocab_size.
    """

    def embed(self, table: str) -> Value:
        """The rows of `table` for the input tokens: [T, D]."""
        ...

    def norm(self, x: Value, weight: str) -> Value:
        """RMSNorm: x / sqrt(mean(x^2) + norm_eps) * weight."""
        ...

    def add_norm(self, x: Value, update: Value, weight: str) -> tuple[Value, Value]:
        """(x + update, RMSNorm of that sum)."""
        ...

    def linear(self, x: Value, weights: tuple[str, ...], biases: tuple[str, ...]) -> Value:
        """x times each weight transposed, plus its bias if `biases` is not empty, side by side in the last axis."""
        ...

    def attention(self, qkv: Value, cache: int, q_norm: str | None, k_norm: str | None) -> Value:
        """[T, Q + 2K] -> [T, Q]: optional per-head norms, rotary positions, write to cache number `cache`, attend."""
        ...

    def swiglu(self, x: Value, gate: str, up: str) -> Value:
        """silu(x @ gate.T) * (x @ up.T)."""
        ...

    def last_token(self, x: Value) -> Value:
        """Only the row of the call's last token: nothing after the last attention needs the others."""
        ...

    def finish(self, logits: Value) -> None:
        """Declare [1, V] logits of the last token as the output."""
        ...


def walk_decoder(shape: TransformerShape, b: DecoderBuilder[Value]) -> None:
    """Build the decoder `shape` describes by calling `b` in execution order."""
    x = b.embed(EMBEDDING)
    h = b.norm(x, layer_name(0, "attn_norm.weight"))
    for index in range(shape.num_passes):
        layer = index // shape.layer_repeats
        attended = _attention(shape, b, h, layer, index)
        if index == shape.num_passes - 1:
            attended, x = b.last_token(attended), b.last_token(x)
        update = b.linear(attended, (layer_name(layer, "o.weight"),), ())
        x, h = b.add_norm(x, update, layer_name(layer, "mlp_norm.weight"))
        gated = b.swiglu(h, layer_name(layer, "gate.weight"), layer_name(layer, "up.weight"))
        update = b.linear(gated, (layer_name(layer, "down.weight"),), ())
        x, h = b.add_norm(x, update, _norm_after(shape, index))
    b.finish(b.linear(h, (head_name(shape),), ()))


def _attention(shape: TransformerShape, b: DecoderBuilder[Value], h: Value, layer: int, cache: int) -> Value:
    weights = tuple(layer_name(layer, f"{part}.weight") for part in "qkv")
    biases = tuple(layer_name(layer, f"{part}.bias") for part in "qkv") if shape.qkv_bias else ()
    norms = (layer_name(layer, "q_norm.weight"), layer_name(layer, "k_norm.weight")) if shape.qk_norm else (None, None)
    return b.attention(b.linear(h, weights, biases), cache, *norms)


def _norm_after(shape: TransformerShape, index: int) -> str:
    """The norm that follows pass `index`: the next pass's first norm, or the final one."""
    if index == shape.num_passes - 1:
        return FINAL_NORM
    return layer_name((index + 1) // shape.layer_repeats, "attn_norm.weight")
