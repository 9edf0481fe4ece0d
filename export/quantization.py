"""Named schemes: which role gets which storage. Says what; the targets say how they pack it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from models.storage import WeightFormat
from models.tensors import Role

GROUP_SIZE = 32


class Scheme(StrEnum):
    """The same names and bits on every target."""

    FP32 = "fp32"
    INT8 = "int8"
    INT4 = "int4"


def formats(scheme: Scheme, group_scale_bits: int, row_scale_bits: int) -> Mapping[Role, WeightFormat]:
    """The format of each role under `scheme`.

    int8: every matrix 8 bits with one scale per row. int4: every linear and the head 4 bits in groups of 32; the
    embedding, where it is a table of its own, 8 bits per row, because it is looked up, not multiplied, and
    costs no bandwidth. Norms and biases stay float32.

    Args:
        scheme: which.
        group_scale_bits: width of a group's scale on this target.
        row_scale_bits: width of a row's scale on this target.
    """
    vector = WeightFormat(32)
    by_row = WeightFormat(8, None, row_scale_bits)
    match scheme:
        case Scheme.FP32:
            matrix = embedding = WeightFormat(32)
        case Scheme.INT8:
            matrix = embedding = by_row
        case Scheme.INT4:
            matrix, embedding = WeightFormat(4, GROUP_SIZE, group_scale_bits), by_row
    return MappingProxyType({
        Role.EMBEDDING: embedding, Role.HEAD: matrix, Role.LINEAR: matrix, Role.NORM: vector, Role.BIAS: vector,
    })  # fmt: skip
