"""Element types of a program as it declares them: an operator that mixes them would be refused by Core ML."""

import numpy as np

from export.targets.coreml.operators import CAST_DTYPES
from export.targets.coreml.reader import Argument, Operator, Package, Reference
from export.targets.coreml.weight_file import Blob
from models.errors import UserError

# Parameters that hold what an operator computes with: one type for all of them and for the result.
OPERANDS = ("x", "y", "values", "weight", "bias", "update", "query", "key", "value", "attn_mask", "input", "data")
# Integers become numbers of their scale's type.
DEQUANTIZE_OPERANDS = ("scale",)


def check_types(package: Package) -> None:
    """Compare the declared types of every operator's operands and results.

    Raises:
        UserError: a cast's result is declared as something else, or an operator's types differ.
    """
    known = {tensor.name: tensor.dtype for tensor in (*package.inputs, *package.states)}
    for operator in package.operators:
        match operator.kind:
            case "cast":
                _check_cast(operator)
            case "shape":
                _check_same(operator, ["int32", *operator.dtypes])
            case kind:
                parameters = DEQUANTIZE_OPERANDS if kind == "constexpr_blockwise_shift_scale" else OPERANDS
                operands = (operand for parameter in parameters for operand in operator.inputs.get(parameter, ()))
                _check_same(operator, [*(_dtype(operand, known) for operand in operands), *operator.dtypes])
        known |= dict(zip(operator.outputs, operator.dtypes, strict=True))


def _check_cast(operator: Operator) -> None:
    asked = str(operator.argument("dtype"))
    if CAST_DTYPES.get(asked) != operator.dtypes[0]:
        raise UserError(f"evaluator: cast {operator.outputs[0]} to {asked} is declared as {operator.dtypes[0]}")


def _check_same(operator: Operator, dtypes: list[str]) -> None:
    if len(set(dtypes)) > 1:
        what = " ".join((operator.kind, *operator.outputs))
        raise UserError(f"evaluator: {what} mixes element types: {', '.join(dtypes)}")


def _dtype(argument: Argument, known: dict[str, str]) -> str:
    match argument:
        case Reference(name):
            if name not in known:
                raise UserError(f"evaluator: {name} is read before anything provides it")
            return known[name]
        case Blob():
            return argument.dtype
        case np.ndarray():
            return str(argument.dtype)
        case str():
            return "str"
