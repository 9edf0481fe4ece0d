"""Named schemes: which role gets which storage. Says what; the targets say how they pack it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from models.storage import WeightFormat
from models.tensors import Role

GROUP_SIZE = 32


class Scheme(StrEnum):
    """The same names on every target, and the same bits for each role."""

    FP32 = "fp32"
    INT8 = "int8"
    INT4 = "int4"
    MIXED = "mixed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleForm:
    """How a target stores scales.

    Attributes:
        group_bits: width of the scale of a group of 4-bit weights.
        row_bits: width of the scale of a row of 8-bit weights.
        signed: whether a group's scale may be negative.
    """

    group_bits: int
    row_bits: int
    signed: bool


def formats(scheme: Scheme, scales: ScaleForm) -> Mapping[Role, WeightFormat]:
    """The format of each role under `scheme`. Norms and biases stay floating point.

    int8: every matrix 8 bits with one scale per row. int4: the linears 4 bits in groups of 32, but the vocabulary's
    tables and the projections of keys and values 8 bits per row: they are what costs a trained model most for their
    bytes (docs/quality.md has the measurements). mixed: the down projections 8 bits too.

    Args:
        scheme: which.
        scales: how this target stores scales.
    """
    vector = WeightFormat(32)
    by_row = WeightFormat(8, None, scales.row_bits)
    match scheme:
        case Scheme.FP32:
            roles = dict.fromkeys(Role, WeightFormat(32))
        case Scheme.INT8:
            roles = dict.fromkeys(Role, by_row)
        case Scheme.INT4 | Scheme.MIXED:
            roles = dict.fromkeys(Role, by_row)
            roles[Role.LINEAR] = WeightFormat(4, GROUP_SIZE, scales.group_bits, scales.signed)
            if scheme is Scheme.INT4:
                roles[Role.DOWN] = roles[Role.LINEAR]
    return MappingProxyType({**roles, Role.NORM: vector, Role.BIAS: vector})


def splits_qkv(roles: Mapping[Role, WeightFormat]) -> bool:
    """Whether queries are stored apart from keys and values, because their formats differ."""
    return roles[Role.LINEAR] != roles[Role.KEY_VALUE]


def packs(
    weights: Sequence[str], biases: Sequence[str], form_of: Mapping[str, WeightFormat]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Neighbours of equal format, which a target can store as one matrix, each with their biases (if there are any)."""
    found: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for index, name in enumerate(weights):
        bias = (biases[index],) if biases else ()
        if found and form_of[found[-1][0][0]] == form_of[name]:
            found[-1] = ((*found[-1][0], name), (*found[-1][1], *bias))
        else:
            found.append(((name,), bias))
    return found
