"""The rotary tables of a `.pte`, found by what the graph multiplies with them."""

from collections.abc import Iterator

import numpy as np
from executorch.exir import schema

from export.targets.executorch.reader import Graph, PteFile
from models.errors import UserError
from models.rope import ROPE_COS, ROPE_SIN

SLICE = "aten::slice_copy.Tensor_out"


def stored_rope(file: PteFile) -> Iterator[tuple[str, np.ndarray]]:
    """Both tables, float32 [max_context, head_dim / 2]. The file has them twice as wide: cos, cos and -sin, sin.

    Raises:
        UserError: there is not one table of each kind, or the halves of one do not agree.
    """
    found: dict[str, set[int]] = {ROPE_COS: set(), ROPE_SIN: set()}
    for name, table in _uses(file):
        found[name].add(table)
    for name, tables in found.items():
        if len(tables) != 1:
            raise UserError(f"{file.path.name}: {len(tables)} tables are used as {name}, not 1")
        left, right = np.split(file.constant(tables.pop()).squeeze(1), 2, axis=1)
        if not np.array_equal(left, right if name == ROPE_COS else -right):
            raise UserError(f"{file.path.name}: the two halves of {name} do not agree")
        yield name, np.ascontiguousarray(right)


def _uses(file: PteFile) -> Iterator[tuple[str, int]]:
    """What each product with rows of a constant table uses that table as: the sine turns swapped halves."""
    calls = file.calls()
    slices = [call.args for call in calls if isinstance(call, schema.KernelCall) and file.operator(call) == SLICE]
    tables = {arguments[-1]: arguments[0] for arguments in slices if file.tensor(arguments[0]).data_buffer_idx}
    for call in calls:
        if isinstance(call, schema.DelegateCall):
            graph = file.graphs[call.delegate_index]
            rows = {value: tables.get(call.args[position]) for value, position in graph.arguments.items()}
            for node in graph.nodes:
                table = next((rows[value] for value in node.inputs if rows.get(value) is not None), None)
                if node.kind == "Multiply" and table is not None:
                    yield ROPE_SIN if any(_swaps(graph, value) for value in node.inputs) else ROPE_COS, table


def _swaps(graph: Graph, value: int) -> bool:
    """Whether `value` is two slices of one tensor side by side."""
    makers = {node.output: node for node in graph.nodes}
    maker = makers.get(value)
    if maker is None or maker.kind != "Concatenate2":
        return False
    parts = [makers[part] for part in maker.inputs if part in makers]
    return all(part.kind == "StaticSlice" for part in parts)
