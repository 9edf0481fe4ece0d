"""Attention of a single token inside XNNPACK. The delegate holds no weights, so one serves all layers."""

import numpy as np
from executorch.backends.xnnpack.serialization import xnnpack_graph_schema as xnn

from export.targets.executorch.constants import ConstantStore
from export.targets.executorch.xnnpack_graph import REST, XnnGraph
from models.shape import TransformerShape


def single_token_attention(shape: TransformerShape, max_context: int, constants: ConstantStore) -> XnnGraph:
    """softmax(q k^T / sqrt(head_dim)) v, over as many positions as the key and value tensors have.

    Inputs: query [1, 1, H, head_dim], keys and values [1, C, M, head_dim]. Output: [1, 1, H, head_dim].
    """
    num_kv_heads, head_dim = shape.num_kv_heads, shape.head_dim
    graph = XnnGraph(constants)
    query = graph.input((1, 1, shape.num_heads, head_dim))
    keys, values = (graph.input((1, max_context, num_kv_heads, head_dim)) for _ in range(2))
    grouped = graph.reshape(query, (num_kv_heads, shape.num_heads // num_kv_heads, head_dim))
    grouped = graph.binary(xnn.XNNMultiply, grouped, graph.constant(np.array([head_dim**-0.5])))
    by_head = [graph.transpose(graph.reshape(x, (REST, num_kv_heads, head_dim)), (1, 0, 2)) for x in (keys, values)]
    scores = graph.batch_matmul(grouped, by_head[0], transpose_b=True)
    attended = graph.batch_matmul(graph.unary(xnn.XNNSoftmax, scores), by_head[1], transpose_b=False)
    graph.mark_output(graph.reshape(attended, (1, 1, shape.num_heads, head_dim)))
    return graph
