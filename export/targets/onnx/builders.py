"""The walks as ONNX graphs. Values are names in the graph."""

import numpy as np

from export.targets.base import ExportSpec
from export.targets.onnx.constants import Matrices
from export.targets.onnx.graph import INT32, Attribute, GraphWriter
from export.targets.onnx.storage import CACHE_PARTS, past_name, present_name
from models.rope import ROPE_COS, ROPE_SIN, rope_tables
from models.shape import MlpShape, TransformerShape


class OnnxDecoder:
    """Builds the decoder under onnxruntime-genai's names: [1, sequence] ids in, [1, 1, V] logits out."""

    def __init__(self, spec: ExportSpec, graph: GraphWriter, matrices: Matrices) -> None:
        assert isinstance(spec.shape, TransformerShape)
        self._shape = spec.shape
        self._graph = graph
        self._matrices = matrices
        self._tokens = graph.input("input_ids", np.int64, [1, "sequence_length"])
        mask = graph.input("attention_mask", np.int64, [1, "total_sequence_length"])
        self._last_key, self._total = self._lengths(mask)
        self._rope = [
            graph.weight(name, graph.write(table), table.shape)
            for name, table in zip((ROPE_COS, ROPE_SIN), rope_tables(spec.shape, spec.options.max_context), strict=True)
        ]

    def embed(self, table: str) -> str:
        return self._matrices.lookup(table, self._tokens)

    def norm(self, x: str, weight: str) -> str:
        # ONNX Runtime registers it in the standard domain, which ONNX does not know: onnx.checker's only complaint.
        attributes: dict[str, Attribute] = {"axis": -1, "epsilon": self._shape.norm_eps, "stash_type": 1}
        return self._graph.node("SimplifiedLayerNormalization", [x, self._matrices.vector(weight)], attributes)

    def add_norm(self, x: str, update: str, weight: str) -> tuple[str, str]:
        inputs = [x, update, self._matrices.vector(weight)]
        total = f"{update}_sum"
        attributes = {"epsilon": self._shape.norm_eps}
        outputs = ["", "", total]
        normed = self._graph.contrib("SkipSimplifiedLayerNormalization", inputs, attributes, outputs)
        return total, normed

    def linear(self, x: str, weights: tuple[str, ...], biases: tuple[str, ...]) -> str:
        return self._matrices.product(x, weights, biases)

    def attention(self, qkv: str, cache: int, q_norm: str | None, k_norm: str | None) -> str:
        shape = self._shape
        inputs = [qkv, "", ""]
        if q_norm is not None and k_norm is not None:
            q, k, v = self._split(qkv)
            inputs = [self._head_norm(q, q_norm, shape.query_size), self._head_norm(k, k_norm, shape.kv_size), v]
        past, present = self._cache(cache)
        attributes: dict[str, Attribute] = {
            "num_heads": shape.num_heads, "kv_num_heads": shape.num_kv_heads, "do_rotary": 1, "rotary_interleaved": 0
        }  # fmt: skip
        inputs += [*past, self._last_key, self._total, *self._rope]
        return self._graph.contrib("GroupQueryAttention", inputs, attributes, present)

    def swiglu(self, x: str, gate: str, up: str) -> str:
        # x * sigmoid(1 * x): the form into which ONNX Runtime itself rewrites SiLU.
        activated = self._graph.contrib("QuickGelu", [self.linear(x, (gate,), ())], {"alpha": 1.0})
        return self._graph.node("Mul", [activated, self.linear(x, (up,), ())])

    def last_token(self, x: str) -> str:
        last = self._graph.constant("last", np.array([-1], np.int64))
        return self._graph.node("Gather", [x, last], {"axis": 1})

    def finish(self, logits: str) -> None:
        self._graph.rename_last(logits, "logits")
        self._graph.output("logits", np.float32, [1, 1, self._shape.vocab_size])

    def _cache(self, cache: int) -> tuple[list[str], list[str]]:
        """Declare one cache; past and present have the same length when they share a buffer."""
        shape, graph = self._shape, self._graph

        def size(length: str) -> list[int | str]:
            return [1, shape.num_kv_heads, f"{length}_sequence_length", shape.head_dim]

        past = [graph.input(past_name(cache, part), np.float32, size("past")) for part in CACHE_PARTS]
        present = [graph.output(present_name(cache, part), np.float32, size("total")) for part in CACHE_PARTS]
        return past, present

    def _split(self, qkv: str) -> tuple[str, str, str]:
        shape, graph = self._shape, self._graph
        sizes = graph.constant("qkv_sizes", np.array([shape.query_size, shape.kv_size, shape.kv_size], np.int64))
        k, v = f"{qkv}_k", f"{qkv}_v"
        return graph.node("Split", [qkv, sizes], {"axis": -1}, [k, v]), k, v

    def _head_norm(self, x: str, weight: str, width: int) -> str:
        """RMSNorm of each head; GroupQueryAttention's own norm inputs exist, but not on the CPU."""
        by_head = self._graph.constant("by_head", np.array([0, -1, self._shape.head_dim], np.int64))
        by_token = self._graph.constant(f"by_token_{width}", np.array([0, -1, width], np.int64))
        normed = self.norm(self._graph.node("Reshape", [x, by_head]), weight)
        return self._graph.node("Reshape", [normed, by_token])

    def _lengths(self, mask: str) -> tuple[str, str]:
        """GroupQueryAttention's `seqlens_k` (index of each sequence's last key) and `total_sequence_length`."""
        graph = self._graph
        one, axis = graph.constant("one", np.array(1, np.int64)), graph.constant("axis", np.array([1], np.int64))
        keys = graph.node("ReduceSum", [mask, axis], {"keepdims": 0})
        total = graph.node("Gather", [graph.node("Shape", [mask]), one], {"axis": 0})
        int32 = {"to": int(INT32)}
        return graph.node("Cast", [graph.node("Sub", [keys, one])], int32), graph.node("Cast", [total], int32)


class OnnxMlp:
    """Builds the ReLU network: `input` [1, inputs] to `output` [1, outputs]."""

    def __init__(self, shape: MlpShape, graph: GraphWriter, matrices: Matrices) -> None:
        self._shape = shape
        self._graph = graph
        self._matrices = matrices

    def input(self) -> str:
        return self._graph.input("input", np.float32, [1, self._shape.input_size])

    def linear(self, x: str, weights: tuple[str, ...], biases: tuple[str, ...]) -> str:
        if self._matrices.matrix(*weights).scales is not None:
            return self._matrices.product(x, weights, biases)
        inputs = [x, self._matrices.float_values(weights), self._matrices.vector(*biases)]
        return self._graph.node("Gemm", inputs, {"transB": 1})

    def relu(self, x: str) -> str:
        return self._graph.node("Relu", [x])

    def finish(self, output: str) -> None:
        self._graph.rename_last(output, "output")
        self._graph.output("output", np.float32, [1, self._shape.output_size])
