"""The reference: the same walks executed by torch, one operator at a time, in float32.

`activations` repeats on purpose what a runtime does to the inputs of a matrix product, so that a parity gate can
measure how much of a difference is that rounding and how much would be a mistake.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.activations import Activations
from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.rope import rope_tables
from models.shape import MlpShape, TransformerShape
from models.weights import WeightSource


class EagerDecoder:
    """A decoder with its KV caches.

    Legend of the suffixes below: B sequences, T tokens of this call, N heads, M kv heads, H head_dim.
    """

    def __init__(
        self, weights: WeightSource, max_context: int, activations: Activations = Activations.EXACT, batch: int = 1
    ) -> None:
        assert isinstance(weights.shape, TransformerShape)
        self.shape = weights.shape
        self._weights = weights
        self._activations = activations
        cos, sin = (torch.from_numpy(table) for table in rope_tables(self.shape, max_context))
        self._cos, self._signed_sin = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        size = (batch, self.shape.num_kv_heads, max_context, self.shape.head_dim)
        self._caches = [(torch.zeros(size), torch.zeros(size)) for _ in range(self.shape.num_passes)]
        self._tokens_BT = torch.zeros((batch, 0), dtype=torch.long)
        self._span = slice(0, 0)
        self._mask: Tensor | None = None
        self._rows = slice(-1, None)
        self._logits: Tensor | None = None

    @torch.inference_mode()
    def forward(self, tokens: np.ndarray, position: int, rows: slice = slice(-1, None)) -> np.ndarray:
        """Run tokens int64 [B, T], the first of which stands at `position`; cached keys before it are used.

        Returns:
            float32 [B, rows, V] logits of the tokens that `rows` selects; by default only the last one's.
        """
        batch, count = tokens.shape
        end = position + count
        assert batch == self._tokens_BT.shape[0], f"{batch} sequences for caches of {self._tokens_BT.shape[0]}"
        assert 0 <= position < end <= self._cos.shape[0], f"positions {position}..{end} of {self._cos.shape[0]}"
        self._tokens_BT = torch.from_numpy(np.ascontiguousarray(tokens))
        self._span = slice(position, end)
        # A single token sees everything before it.
        self._mask = None if count == 1 else torch.ones(count, end, dtype=torch.bool).tril(position)
        self._rows = rows
        walk_decoder(self.shape, self)
        assert self._logits is not None
        return self._logits.numpy()

    # The builder protocol of `models.decoder`.

    def embed(self, table: str) -> Tensor:
        return self._written(functional.embedding(self._tokens_BT, self._get(table)))

    def norm(self, x: Tensor, weight: str) -> Tensor:
        return self._written(functional.rms_norm(x, x.shape[-1:], self._get(weight), self.shape.norm_eps))

    def add_norm(self, x: Tensor, update: Tensor, weight: str) -> tuple[Tensor, Tensor]:
        x = self._written(x + update)
        return x, self.norm(x, weight)

    def linear(self, x: Tensor, weights: tuple[str, ...], biases: tuple[str, ...]) -> Tensor:
        x = _round(x, self._activations)
        parts = [functional.linear(x, self._get(weight)) for weight in weights]
        if biases:
            parts = [part + self._get(bias) for part, bias in zip(parts, biases, strict=True)]
        return self._written(parts[0] if len(parts) == 1 else torch.cat(parts, -1))

    def attention(self, qkv: Tensor, cache: int, q_norm: str | None, k_norm: str | None) -> Tensor:
        shape = self.shape
        q_BTNH, k_BTMH, v_BTMH = (
            part.unflatten(-1, (-1, shape.head_dim))
            for part in qkv.split([shape.query_size, shape.kv_size, shape.kv_size], -1)
        )
        if q_norm is not None and k_norm is not None:
            q_BTNH, k_BTMH = self.norm(q_BTNH, q_norm), self.norm(k_BTMH, k_norm)
        q_BNTH, k_BMTH = self._rotate(q_BTNH.transpose(1, 2)), self._rotate(k_BTMH.transpose(1, 2))
        keys, values = self._caches[cache]
        keys[:, :, self._span] = self._cached(k_BMTH)
        values[:, :, self._span] = self._cached(v_BTMH.transpose(1, 2))
        keys, values = keys[:, :, : self._span.stop], values[:, :, : self._span.stop]
        attended = functional.scaled_dot_product_attention(q_BNTH, keys, values, attn_mask=self._mask, enable_gqa=True)
        return self._written(attended.transpose(1, 2).flatten(-2))

    def swiglu(self, x: Tensor, gate: str, up: str) -> Tensor:
        gate_BTF, up_BTF = self.linear(x, (gate, up), ()).chunk(2, -1)
        return self._written(self._written(functional.silu(gate_BTF)) * up_BTF)

    def last_token(self, x: Tensor) -> Tensor:
        return x[:, self._rows]

    def finish(self, logits: Tensor) -> None:
        self._logits = logits

    def _get(self, name: str) -> Tensor:
        return torch.from_numpy(self._weights.get(name))

    def _rotate(self, x_BNTH: Tensor) -> Tensor:
        swapped = x_BNTH.roll(self.shape.head_dim // 2, -1)
        cos, sin = self._written(self._cos[self._span]), self._written(self._signed_sin[self._span])
        return self._written(self._written(x_BNTH * cos) + self._written(swapped * sin))

    def _cached(self, x: Tensor) -> Tensor:
        """`x` as the cache keeps it."""
        return x.half().float() if self._activations is Activations.FLOAT16_CACHE else x

    def _written(self, x: Tensor) -> Tensor:
        """`x` as it is kept between operators: a float16 runtime rounds every result, not just what it multiplies."""
        return _round(x, Activations.FLOAT16) if self._activations is Activations.FLOAT16 else x


class EagerMlp:
    """The ReLU network. `forward` maps float32 [B, input_size] to [B, output_size]."""

    def __init__(self, weights: WeightSource, activations: Activations = Activations.EXACT) -> None:
        assert isinstance(weights.shape, MlpShape)
        self.shape = weights.shape
        self._weights = weights
        self._activations = activations
        self._x = torch.zeros(0)
        self._output: Tensor | None = None

    @torch.inference_mode()
    def forward(self, x: np.ndarray) -> np.ndarray:
        """Run a batch of rows."""
        self._x = torch.from_numpy(np.ascontiguousarray(x))
        walk_mlp(self.shape, self)
        assert self._output is not None
        return self._output.numpy()

    # The builder protocol of `models.mlp`.

    def input(self) -> Tensor:
        return self._x

    def linear(self, x: Tensor, weights: tuple[str, ...], biases: tuple[str, ...]) -> Tensor:
        (weight,), (bias,) = weights, biases
        tensors = (torch.from_numpy(self._weights.get(name)) for name in (weight, bias))
        return functional.linear(_round(x, self._activations), *tensors)

    def relu(self, x: Tensor) -> Tensor:
        return functional.relu(x)

    def finish(self, output: Tensor) -> None:
        self._output = output


def _round(x: Tensor, activations: Activations) -> Tensor:
    match activations:
        case Activations.EXACT | Activations.FLOAT16_CACHE:
            return x
        case Activations.FLOAT16:
            return x.half().float()
        case Activations.INT8_PER_BLOCK:
            blocks = x.unflatten(-1, (-1, 32))
            scale = (blocks.abs().amax(-1, keepdim=True) / 127).clamp_min(1e-12)
            return (torch.round(blocks / scale) * scale).flatten(-2)
        case Activations.INT8_PER_TOKEN:
            low, high = x.amin(-1, keepdim=True).clamp_max(0), x.amax(-1, keepdim=True).clamp_min(0)
            scale = ((high - low) / 255).clamp_min(1e-12)
            zero = torch.round(-128 - low / scale)
            return (torch.clamp(torch.round(x / scale) + zero, -128, 127) - zero) * scale
