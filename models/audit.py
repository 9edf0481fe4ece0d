"""What "the same budget" means decides who reads fewer bytes. The audit shows a pair under every meaning at once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from models.cost import parameter_counts, stored_bytes, weight_bytes_read
from models.pair import TOLERANCE, Budget, match
from models.shape import Shape, TransformerShape
from models.storage import Storage


class Reads(StrEnum):
    """Which arm reads more weight bytes for a decoded token."""

    DEEP_LESS = "deep reads less"
    EQUAL = "equal"
    DEEP_MORE = "deep reads more"


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """A shape and what it uses of each budget."""

    shape: Shape
    total_parameters: int
    body_parameters: int
    weight_bytes_read: int
    file_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """A pair that holds `budget`, with tied or untied vocabulary tables.

    Attributes:
        ratio: weight bytes that the deep arm reads for a token / those that the wide arm reads.
        reads: `ratio` in words; equal if the two differ by no more than the audit's tolerance.
    """

    budget: Budget
    tied: bool
    deep: Amounts
    wide: Amounts
    ratio: float
    reads: Reads


def audit(deep: TransformerShape, wide_layers: int, storage: Storage, tolerance: float = TOLERANCE) -> list[AuditRow]:
    """Match `deep` to `wide_layers` layers under all four budgets, with tied and then with untied tables.

    Raises:
        UserError: under some budget no shape of that depth exists.
    """
    rows: list[AuditRow] = []
    for tied in (True, False):
        reference = replace(deep, tie_embeddings=tied)
        for budget in Budget:
            partner = match(reference, wide_layers, budget, storage, tolerance)
            rows.append(_row(budget, tied, amounts(reference, storage), amounts(partner, storage), tolerance))
    return rows


def flips(rows: Iterable[AuditRow]) -> bool:
    """Whether it depends on the row which arm reads more: a verdict then holds for its own budget only."""
    return len({row.reads for row in rows}) > 1


def amounts(shape: Shape, storage: Storage) -> Amounts:
    """What `shape` uses of each budget."""
    counts = parameter_counts(shape)
    return Amounts(
        shape=shape,
        total_parameters=counts.total,
        body_parameters=counts.body,
        weight_bytes_read=weight_bytes_read(shape, storage),
        file_bytes=stored_bytes(shape, storage).total,
    )


def _row(budget: Budget, tied: bool, deep: Amounts, wide: Amounts, tolerance: float) -> AuditRow:
    ratio = deep.weight_bytes_read / wide.weight_bytes_read
    return AuditRow(budget=budget, tied=tied, deep=deep, wide=wide, ratio=ratio, reads=_reads(ratio, tolerance))


def _reads(ratio: float, tolerance: float) -> Reads:
    if abs(ratio - 1) <= tolerance:
        return Reads.EQUAL
    return Reads.DEEP_LESS if ratio < 1 else Reads.DEEP_MORE
