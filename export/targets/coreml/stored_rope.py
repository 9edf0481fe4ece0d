"""Stored rotary tables, told apart by what the program multiplies with them."""

from collections.abc import Iterator, Sequence

import numpy as np

from export.targets.coreml.reader import Operator, Package, Reference
from export.targets.coreml.weight_file import Blob
from models.errors import UserError
from models.rope import ROPE_COS, ROPE_SIN


def stored_rope(package: Package) -> Iterator[tuple[str, np.ndarray]]:
    """Both tables as `models.rope.rope_tables` makes them: float32 [max_context, head_dim / 2].

    The graph stores both halves of a head, [cos, cos] and [-sin, sin].

    Raises:
        UserError: the program does not rotate by two tables, or the halves of one contradict each other.
    """
    tables = [operator for operator in package.operators if _slices_table(operator)]
    names = [_name(package.operators, operator.outputs[0]) for operator in tables]
    if sorted(names) != [ROPE_COS, ROPE_SIN]:
        raise UserError(f"model.mlpackage: its rotary tables are {', '.join(names) or 'missing'}, not cosine and sine")
    for name, operator in zip(names, tables, strict=True):
        first, second = np.split(_read(package, operator).astype(np.float32), 2, axis=1)
        if not np.array_equal(first, second if name == ROPE_COS else -second):
            raise UserError(f"model.mlpackage: the two halves of {name} contradict each other")
        yield name, second


def _slices_table(operator: Operator) -> bool:
    """Whether this takes rows of a stored table."""
    if operator.kind != "slice_by_index":
        return False
    table = operator.argument("x")
    return isinstance(table, Blob | np.ndarray) and len(table.shape) == 2


def _read(package: Package, operator: Operator) -> np.ndarray:
    table = operator.argument("x")
    if isinstance(table, Blob):
        return package.weights.read(table)
    assert isinstance(table, np.ndarray)
    return table


def _name(operators: Sequence[Operator], rows: str) -> str:
    """The sine multiplies halves that were exchanged by a concat, the cosine what comes as it is."""
    exchanged = {operator.outputs[0] for operator in operators if operator.kind == "concat"}
    turned = [operator.argument("x") for operator in operators if operator.inputs.get("y") == (Reference(rows),)]
    names = {ROPE_SIN if isinstance(x, Reference) and x.name in exchanged else ROPE_COS for x in turned}
    return names.pop() if len(names) == 1 else "unused or mixed"
