"""The decoder and the MLP as MIL operators of the iOS 18 opset, emitted while the shared walks run."""

import numpy as np

from export.quantization import Scheme
from export.targets.base import AttentionForm, ExportSpec
from export.targets.coreml.constants import WeightConstants
from export.targets.coreml.sdk import Var, load_sdk
from models.rope import rope_tables
from models.shape import MlpShape, TransformerShape
from models.weights import WeightSource

FLOAT32 = np.dtype(np.float32)


class MlpGraph:
    """The builder of `models.mlp`."""

    def __init__(self, spec: ExportSpec, weights: WeightSource, x: Var) -> None:
        assert isinstance(spec.shape, MlpShape)
        self.output: Var = None
        self._mb = load_sdk().mb
        self._weights = WeightConstants(spec, weights)
        self._x = x

    def input(self) -> Var:
        return self._x

    def linear(self, x: Var, weights: tuple[str, ...], biases: tuple[str, ...]) -> Var:
        return _linear(self._mb, self._weights, x, weights, biases)

    def relu(self, x: Var) -> Var:
        return self._mb.relu(x=x)

    def finish(self, output: Var) -> None:
        self.output = output


class DecoderGraph:
    """The builder of `models.decoder`.

    Everything computes in float16 except norms (and everything under the fp32 scheme); keys and values are cached in
    float16 always. Legend: T tokens of this call, E positions up to and with the last of them, N heads, M kv heads,
    G = N / M, H head_dim.
    """

    def __init__(
        self,
        spec: ExportSpec,
        weights: WeightSource,
        input_ids: Var,
        causal_mask: Var,
        key_cache: Var,
        value_cache: Var,
    ) -> None:
        assert isinstance(spec.shape, TransformerShape)
        self.shape = spec.shape
        self.output: Var = None
        self._mb = load_sdk().mb
        self._weights = WeightConstants(spec, weights)
        self._dtype = "fp32" if spec.scheme is Scheme.FP32 else "fp16"
        self._form = spec.options.coreml_attention
        self._input_ids = input_ids
        self._states = (key_cache, value_cache)
        self._begin, self._end = self._positions(causal_mask)
        self._cached_end = self._mb.concat(values=[[0, 0], self._end, [0]], axis=0)
        self._mask = self._grouped_mask(causal_mask)
        self._cos, self._sin = self._rope(spec.options.max_context)

    def embed(self, table: str) -> Var:
        return self._mb.gather(x=self._weights.matrix((table,)), indices=self._input_ids, axis=0)

    def norm(self, x: Var, weight: str) -> Var:
        """RMSNorm in float32: in float16 the squares of activations beyond 255 are infinite."""
        wide = self._cast(x, "fp32")
        mean = self._mb.reduce_mean(x=self._mb.mul(x=wide, y=wide), axes=[-1], keep_dims=True)
        scaled = self._mb.mul(x=wide, y=self._mb.rsqrt(x=mean, epsilon=np.float32(self.shape.norm_eps)))
        weighted = self._mb.mul(x=scaled, y=self._weights.vector((weight,), FLOAT32))
        return self._cast(weighted, self._dtype)

    def add_norm(self, x: Var, update: Var, weight: str) -> tuple[Var, Var]:
        total = self._mb.add(x=x, y=update)
        return total, self.norm(total, weight)

    def linear(self, x: Var, weights: tuple[str, ...], biases: tuple[str, ...]) -> Var:
        return _linear(self._mb, self._weights, x, weights, biases)

    def attention(self, qkv: Var, cache: int, q_norm: str | None, k_norm: str | None) -> Var:
        shape, mb = self.shape, self._mb
        heads = mb.reshape(x=qkv, shape=[1, -1, shape.num_heads + 2 * shape.num_kv_heads, shape.head_dim])
        heads = mb.transpose(x=heads, perm=[0, 2, 1, 3])
        sizes = [shape.num_heads, shape.num_kv_heads, shape.num_kv_heads]
        q_1NTH, k_1MTH, v_1MTH = mb.split(x=heads, split_sizes=sizes, axis=1)
        if q_norm is not None and k_norm is not None:
            q_1NTH, k_1MTH = self.norm(q_1NTH, q_norm), self.norm(k_1MTH, k_norm)
        q_1NTH, k_1MTH = self._rotate(q_1NTH), self._rotate(k_1MTH)
        k_1MEH, v_1MEH = self._cached(cache, k_1MTH, v_1MTH)
        attended = self._attend(q_1NTH, k_1MEH, v_1MEH)
        return mb.reshape(x=mb.transpose(x=attended, perm=[0, 2, 1, 3]), shape=[1, -1, shape.query_size])

    def swiglu(self, x: Var, gate: str, up: str) -> Var:
        gated, straight = self._mb.split(x=self.linear(x, (gate, up), ()), num_splits=2, axis=-1)
        return self._mb.mul(x=self._mb.silu(x=gated), y=straight)

    def last_token(self, x: Var) -> Var:
        return self._mb.slice_by_index(x=x, begin=[0, -1, 0], end=[0, 0, 0], end_mask=[True] * 3)

    def finish(self, logits: Var) -> None:
        self.output = logits

    def _positions(self, causal_mask: Var) -> tuple[Var, Var]:
        """First position of this call and the one after its last, as int32 [1]: E - T and E."""
        tokens = self._mb.slice_by_index(x=self._mb.shape(x=self._input_ids), begin=[1], end=[2])
        end = self._mb.slice_by_index(x=self._mb.shape(x=causal_mask), begin=[3], end=[4])
        return self._mb.sub(x=end, y=tokens), end

    def _grouped_mask(self, causal_mask: Var) -> Var:
        """The mask for G query heads below each other: [1, 1, G * T, E]."""
        group = self.shape.num_heads // self.shape.num_kv_heads
        mask = causal_mask if group == 1 else self._mb.tile(x=causal_mask, reps=[1, 1, group, 1])
        return self._cast(mask, self._dtype)

    def _rope(self, max_context: int) -> tuple[Var, Var]:
        """Cosine and sine of this call's positions, [T, H]; the sine has the sign of the half it is added to."""
        cos, sin = rope_tables(self.shape, max_context)
        begin = self._mb.concat(values=[self._begin, [0]], axis=0)
        end = self._mb.concat(values=[self._end, [0]], axis=0)
        tables = (np.concatenate([cos, cos], 1), np.concatenate([-sin, sin], 1))
        dtype = self._weights.dtype
        # Masked, so that H stays a number in the program.
        whole = {"begin_mask": [False, True], "end_mask": [False, True]}
        cos_TH, sin_TH = (
            self._mb.slice_by_index(x=table.astype(dtype), begin=begin, end=end, **whole) for table in tables
        )
        return cos_TH, sin_TH

    def _rotate(self, x: Var) -> Var:
        low, high = self._mb.split(x=x, num_splits=2, axis=-1)
        swapped = self._mb.concat(values=[high, low], axis=-1)
        return self._mb.add(x=self._mb.mul(x=x, y=self._cos), y=self._mb.mul(x=swapped, y=self._sin))

    def _cached(self, cache: int, keys: Var, values: Var) -> list[Var]:
        """Write this call's keys and values, [1, M, T, H], into both states and read all up to E, [1, M, E, H]."""
        shape, mb = self.shape, self._mb
        begin = mb.concat(values=[[cache, 0], self._begin, [0]], axis=0)
        end = mb.concat(values=[[cache + 1, shape.num_kv_heads], self._end, [shape.head_dim]], axis=0)
        found: list[Var] = []
        for state, update in zip(self._states, (keys, values), strict=True):
            narrow = self._cast(update, "fp16")
            updated = mb.slice_update(x=mb.read_state(input=state), update=narrow, begin=begin, end=end)
            updated = mb.coreml_update_state(state=state, value=updated)
            found.append(self._cast(self._read(updated, cache), self._dtype))
        return found

    def _read(self, state: Var, cache: int) -> Var:
        """[1, M, E, H]. In two steps, so that E is the only dimension the program does not know."""
        mask = [False, True, True, True]
        layer = self._mb.slice_by_index(
            x=state, begin=[cache, 0, 0, 0], end=[cache + 1, 0, 0, 0], begin_mask=mask, end_mask=mask
        )
        return self._mb.slice_by_index(
            x=layer, begin=[0] * 4, end=self._cached_end, begin_mask=[True] * 4, end_mask=[True, True, False, True]
        )

    def _attend(self, q_1NTH: Var, k_1MEH: Var, v_1MEH: Var) -> Var:
        """The G heads that share a kv head become rows of one attention, so that no key or value is repeated."""
        shape, mb = self.shape, self._mb
        query = mb.reshape(x=q_1NTH, shape=[1, shape.num_kv_heads, -1, shape.head_dim])
        if self._form is AttentionForm.FUSED:
            attended = mb.scaled_dot_product_attention(query=query, key=k_1MEH, value=v_1MEH, attn_mask=self._mask)
        else:
            # Scaled before the product, so that float16 scores do not overflow.
            scale = self._weights.dtype.type(shape.head_dim**-0.5)
            scores = mb.matmul(x=mb.mul(x=query, y=scale), y=k_1MEH, transpose_y=True)
            attended = mb.matmul(x=mb.softmax(x=mb.add(x=scores, y=self._mask), axis=-1), y=v_1MEH)
        return mb.reshape(x=attended, shape=[1, shape.num_heads, -1, shape.head_dim])

    def _cast(self, x: Var, dtype: str) -> Var:
        return x if load_sdk().types.builtin_to_string(x.dtype) == dtype else self._mb.cast(x=x, dtype=dtype)


def _linear(mb: Var, constants: WeightConstants, x: Var, weights: tuple[str, ...], biases: tuple[str, ...]) -> Var:
    """One linear, or several side by side where the formats of the weights differ."""
    parts = [_product(mb, constants, x, *pack) for pack in constants.packs(weights, biases)]
    return parts[0] if len(parts) == 1 else mb.concat(values=parts, axis=-1)


def _product(mb: Var, constants: WeightConstants, x: Var, weights: tuple[str, ...], biases: tuple[str, ...]) -> Var:
    matrix = constants.matrix(weights)
    bias = constants.vector(biases, constants.dtype) if biases else constants.zeros(matrix.shape[0])
    return mb.linear(x=x, weight=matrix, bias=bias)
