"""Stored weights, named by the place where the program uses them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from export.quantized import QuantizedTensor
from export.targets.base import ExportSpec, StoredTensor
from export.targets.coreml.placement import Consumer, Use, weight_uses
from export.targets.coreml.reader import Argument, Operator, Package, Reference
from export.targets.coreml.storage import tensor_formats
from export.targets.coreml.stored_rope import stored_rope
from export.targets.coreml.weight_file import Blob
from models.errors import UserError
from models.shape import TransformerShape

# The parameter through which each consumer reads its weight.
OPERAND = {Consumer.GATHER: "x", Consumer.LINEAR: "weight", Consumer.NORM: "y"}


@dataclass(frozen=True, slots=True)
class _Constant:
    """A stored tensor as the program describes it; `scale` is None for floating point."""

    data: Argument
    scale: Argument | None = None


def stored_tensors(spec: ExportSpec, package: Package) -> Iterator[tuple[str, StoredTensor]]:
    """Every weight once, at its first use; then a decoder's rotary tables.

    Raises:
        UserError: the program does not read weights where the spec's graph does, or reads one weight from two places.
    """
    rows = {name: tensor.rows for name, (tensor, _) in tensor_formats(spec).items()}
    constants = _constants(package)
    consumers = [operator for operator in package.operators if _reads_weight(operator, constants)]
    uses = weight_uses(spec)
    if [use.consumer for use in uses] != [operator.kind for operator in consumers]:
        raise UserError(f"model.mlpackage: {len(consumers)} operators read weights, where this graph has {len(uses)}")
    first_seen: dict[tuple[str, ...], _Constant] = {}
    for use, operator in zip(uses, consumers, strict=True):
        for names, constant in _operands(use, operator, constants):
            known = names in first_seen
            if not _same(first_seen.setdefault(names, constant), constant):
                raise UserError(f"model.mlpackage: {' + '.join(names)} is stored twice, with separate numbers")
            if not known:
                yield from _split(names, [rows[name] for name in names], _load(package, constant))
    if isinstance(spec.shape, TransformerShape):
        yield from stored_rope(package)


def _constants(package: Package) -> dict[str, _Constant]:
    """What each dequantising operator reads, by the name of its result."""
    return {
        operator.outputs[0]: _Constant(operator.argument("data"), operator.argument("scale"))
        for operator in package.operators
        if operator.kind == "constexpr_blockwise_shift_scale"
    }


def _reads_weight(operator: Operator, constants: Mapping[str, _Constant]) -> bool:
    """Whether this is a gather, linear or mul whose operand is stored, and for a mul a vector."""
    if operator.kind not in set(Consumer):
        return False
    operand = operator.argument(OPERAND[Consumer(operator.kind)])
    if isinstance(operand, Reference):
        return operand.name in constants
    return isinstance(operand, Blob | np.ndarray) and (operator.kind != Consumer.NORM or len(operand.shape) == 1)


def _operands(
    use: Use, operator: Operator, constants: Mapping[str, _Constant]
) -> Iterator[tuple[tuple[str, ...], _Constant]]:
    operand = operator.argument(OPERAND[use.consumer])
    yield use.weights, constants[operand.name] if isinstance(operand, Reference) else _Constant(operand)
    if use.biases:
        if "bias" not in operator.inputs:
            raise UserError(f"model.mlpackage: the linear of {' + '.join(use.weights)} has no bias")
        yield use.biases, _Constant(operator.argument("bias"))


def _same(left: _Constant, right: _Constant) -> bool:
    """Whether two constants are the same place of the file; numbers inside the program have no place but a value."""
    pairs = ((left.data, right.data), (left.scale, right.scale))
    return all(
        np.array_equal(a, b) if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a is b or a == b
        for a, b in pairs
    )


def _load(package: Package, constant: _Constant) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Data, scales and bits per number."""

    def numbers(argument: Argument) -> np.ndarray:
        if isinstance(argument, Blob):
            return package.weights.read(argument)
        assert isinstance(argument, np.ndarray)
        return argument

    if constant.scale is None:
        return numbers(constant.data).astype(np.float32), None, 0
    bits = 4 if isinstance(constant.data, Blob) and constant.data.dtype == "int4" else 8
    return numbers(constant.data), numbers(constant.scale).astype(np.float32), bits


def _split(
    names: tuple[str, ...], rows: list[int], loaded: tuple[np.ndarray, np.ndarray | None, int]
) -> Iterator[tuple[str, StoredTensor]]:
    """The parts of a pack, which lie below each other."""
    data, scales, bits = loaded
    bounds = np.cumsum([0, *rows]).tolist()
    if bounds[-1] != data.shape[0]:
        raise UserError(f"model.mlpackage: {' + '.join(names)} has {data.shape[0]} rows instead of {bounds[-1]}")
    for name, (first, last) in zip(names, pairwise(bounds), strict=True):
        part = data[first:last]
        yield name, part if scales is None else QuantizedTensor(part, scales[first:last], bits)
