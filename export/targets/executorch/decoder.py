"""The decoder as an ExecuTorch program: one XNNPACK delegate between each layer's attention and the next.

Keys and values live in the program's arena; `llama::update_cache` writes them in place. A call of several tokens
attends with `llama::custom_sdpa`; a single token attends inside XNNPACK, over a view of the filled part of the cache.
"""

from pathlib import Path

import numpy as np
from executorch.backends.xnnpack.serialization import xnnpack_graph_schema as xnn
from executorch.exir import schema

from export.quantized import QuantizedTensor
from export.targets.base import ExportSpec
from export.targets.executorch.attention import single_token_attention
from export.targets.executorch.program import TO_THE_END, Metadata
from export.targets.executorch.segments import SegmentedBuilder, Value
from export.targets.executorch.storage import stored
from export.targets.executorch.xnnpack_graph import REST
from models.rope import rope_tables
from models.shape import TransformerShape
from models.weights import WeightSource


class DecoderWriter(SegmentedBuilder):
    """Implements `models.decoder.DecoderBuilder`.

    Legend of the comments below: T tokens of this call, H heads, M kv heads.
    """

    def __init__(self, spec: ExportSpec, weights: WeightSource) -> None:
        assert isinstance(spec.shape, TransformerShape)
        super().__init__(weights, spec.scheme)
        self._spec = spec
        self._shape = spec.shape
        self._chunk = spec.options.prefill_chunk
        p = self._program
        self._tokens = p.tensor((1, self._chunk), np.int64, dynamic=True)
        self._input_pos = p.tensor((1,), np.int64)
        self._null, self._never = p.literal(schema.Null()), p.literal(schema.Bool(False))
        self._start, self._end, self._is_single = self._positions()
        self._cos, self._sin = self._rope()
        # `llama::update_cache` returns a tensor that nobody reads.
        self._unused = p.tensor((1,))
        self._attend_single = single_token_attention(self._shape, spec.options.max_context, self._constants)
        cache_dims = (1, spec.options.max_context, self._shape.num_kv_heads, self._shape.head_dim)
        self._prefix_dims = p.int_list([p.integer(1), self._end, *map(p.integer, cache_dims[2:])])
        self._caches = [
            (p.tensor(cache_dims, state=True), p.tensor(cache_dims, state=True)) for _ in range(self._shape.num_passes)
        ]
        self._logits: list[Value] = []

    def write(self, path: Path) -> None:
        """Write the `.pte` after the walk."""
        self.save(path, [self._tokens, self._input_pos], self._logits, self._metadata())

    def embed(self, table: str) -> Value:
        p = self._program
        dims = (1, self._chunk, self._shape.hidden_size)
        out = p.tensor(dims, dynamic=True)
        weight = stored(self._weights.get(table), self._forms[table])
        if isinstance(weight, QuantizedTensor):
            values, scales, limits = p.constant(weight.values), p.constant(weight.scales), (-128, 127)
            arguments = [values, scales, self._null, *map(p.integer, limits), self._tokens, out, out]
            self._kernel("quantized_decomposed::embedding_byte", "out", *arguments)
        else:
            arguments = [p.constant(weight), self._tokens, p.integer(-1), self._never, self._never, out, out]
            self._kernel("aten::embedding", "out", *arguments)
        return Value(dims, tensor=out)

    def norm(self, x: Value, weight: str) -> Value:
        return self._computed(self._rms_norm(self._read(x), weight), x.fixed)

    def add_norm(self, x: Value, update: Value, weight: str) -> tuple[Value, Value]:
        total = self._segment.graph.binary(xnn.XNNAdd, self._read(x), self._read(update))
        return self._computed(total, x.fixed), self._computed(self._rms_norm(total, weight), x.fixed)

    def swiglu(self, x: Value, gate: str, up: str) -> Value:
        gated, scaled = (self._read(self.linear(x, (name,), ())) for name in (gate, up))
        graph = self._segment.graph
        silu = graph.binary(xnn.XNNMultiply, gated, graph.unary(xnn.XNNSigmoid, gated))
        return self._computed(graph.binary(xnn.XNNMultiply, silu, scaled), x.fixed)

    def attention(self, qkv: Value, cache: int, q_norm: str | None, k_norm: str | None) -> Value:
        q, k, v = self._heads(self._read(qkv), q_norm, k_norm)
        values = [self._computed(value) for value in (q, k, v)]
        query, key, value = (self._materialize(value) for value in values)
        self._close_segment()
        keys, entries = self._caches[cache]
        for new, stored_before in ((key, keys), (value, entries)):
            self._kernel("llama::update_cache", "out", new, stored_before, self._start, self._unused, self._unused)
        out = self._program.tensor(values[0].dims, dynamic=True)
        self._attend(query, keys, entries, out)
        return Value(values[0].dims, tensor=out)

    def last_token(self, x: Value) -> Value:
        p = self._program
        dims = (1, 1, *x.dims[2:])
        out = p.tensor(dims)
        last = [p.integer(-1), p.integer(TO_THE_END), p.integer(1)]
        self._kernel("aten::slice_copy", "Tensor_out", self._materialize(x), p.integer(1), *last, out, out)
        return Value(dims, tensor=out, fixed=True)

    def finish(self, logits: Value) -> None:
        flat = self._segment.graph.reshape(self._read(logits), (1, self._shape.vocab_size))
        self._logits = [self._computed(flat, fixed=True)]

    def _positions(self) -> tuple[int, int, int]:
        """(first position of this call, first position after it, whether it has a single token)."""
        p = self._program
        length, start, end = (p.result(schema.Int(0)) for _ in range(3))
        is_single = p.result(schema.Bool(False))
        scalar = p.tensor((), np.int64)
        p.kernel("aten::sym_size", "int", self._tokens, p.integer(1), length)
        p.kernel("aten::select_copy", "int_out", self._input_pos, p.integer(0), p.integer(0), scalar, scalar)
        p.kernel("aten::_local_scalar_dense", "", scalar, start)
        p.kernel("executorch_prim::add", "Scalar", start, length, end)
        p.kernel("executorch_prim::eq", "Scalar", length, p.integer(1), is_single)
        return start, end, is_single

    def _rope(self) -> tuple[Value, Value]:
        """cos and sin of this call's positions, [T, 1, head_dim]; the first half of sin is negated."""
        p, max_context = self._program, self._spec.options.max_context
        cos, sin = rope_tables(self._shape, max_context)
        rows: list[Value] = []
        for table in (np.hstack([cos, cos]), np.hstack([-sin, sin])):
            dims = (self._chunk, 1, self._shape.head_dim)
            out = p.tensor(dims, dynamic=True)
            arguments = [p.integer(0), self._start, self._end, p.integer(1), out, out]
            p.kernel("aten::slice_copy", "Tensor_out", p.constant(table.reshape(max_context, *dims[1:])), *arguments)
            rows.append(Value(dims, tensor=out))
        return rows[0], rows[1]

    def _rms_norm(self, x: int, weight: str) -> int:
        graph = self._segment.graph
        return graph.rms_norm(x, graph.constant(self._weights.get(weight)), self._shape.norm_eps)

    def _heads(self, qkv: int, q_norm: str | None, k_norm: str | None) -> tuple[int, int, int]:
        """[1, T, (H + 2M) head_dim] -> queries and keys with their positions, and values: [1, T, H or M, head_dim]."""
        graph, shape = self._segment.graph, self._shape
        num_heads, num_kv_heads, head_dim = shape.num_heads, shape.num_kv_heads, shape.head_dim
        heads = graph.reshape(qkv, (1, REST, num_heads + 2 * num_kv_heads, head_dim))
        value = graph.slice(heads, 2, num_heads + num_kv_heads, num_kv_heads)
        rotated = graph.slice(heads, 2, 0, num_heads + num_kv_heads)
        if q_norm is not None and k_norm is not None:
            query = self._rms_norm(graph.slice(heads, 2, 0, num_heads), q_norm)
            key = self._rms_norm(graph.slice(heads, 2, num_heads, num_kv_heads), k_norm)
            rotated = graph.concatenate(query, key, 2)
        rotated = self._rotate(rotated)
        return graph.slice(rotated, 2, 0, num_heads), graph.slice(rotated, 2, num_heads, num_kv_heads), value

    def _rotate(self, heads: int) -> int:
        graph, half = self._segment.graph, self._shape.head_dim // 2
        swapped = graph.concatenate(graph.slice(heads, -1, half, half), graph.slice(heads, -1, 0, half), -1)
        turned = graph.binary(xnn.XNNMultiply, swapped, self._read(self._sin))
        return graph.binary(xnn.XNNAdd, graph.binary(xnn.XNNMultiply, heads, self._read(self._cos)), turned)

    def _attend(self, query: int, keys: int, entries: int, out: int) -> None:
        p = self._program
        several = p.jump_unless(self._is_single)
        prefixes = [p.resizable_view(keys), p.resizable_view(entries)]
        for prefix in prefixes:
            # Sets the view's size to the filled part; `empty` writes nothing.
            self._kernel("aten::empty", "out", self._prefix_dims, self._null, prefix, prefix)
        self._call(self._attend_single, [query, *prefixes, out])
        done = p.jump_unless(self._never)
        p.land(several)
        no_dropout, causal = p.literal(schema.Double(0.0)), p.literal(schema.Bool(True))
        options = [self._start, self._null, no_dropout, causal, self._null]
        self._kernel("llama::custom_sdpa", "out", query, keys, entries, *options, out, out)
        p.land(done)

    def _metadata(self) -> Metadata:
        """Methods that ExecuTorch's text runner asks a program for."""
        tokens = self._spec.token_ids
        # Without these two methods the runner takes the tokenizer's own.
        special = {"get_bos_id": tokens.bos, "get_eos_ids": tokens.eos or None}
        return {
            "get_max_seq_len": self._chunk,
            "get_max_context_len": self._spec.options.max_context,
            "get_vocab_size": self._shape.vocab_size,
            "get_n_layers": self._shape.num_passes,
            "use_kv_cache": True,
            "use_sdpa_with_kv_cache": True,
            "enable_dynamic_shape": True,
            **{name: value for name, value in special.items() if value is not None},
        }
