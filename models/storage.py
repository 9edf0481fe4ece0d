"""How the weights of a role are stored: bits, groups and scales. The costs and the writers read the same formats."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.errors import UserError
from models.tensors import Role


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Storage of one matrix: `bits` per weight and, when quantised, one scale per group of a row or per whole row.

    Attributes:
        bits: bits per stored weight: 32 or 16 (floating point), 8 or 4 (symmetric integers).
        group_size: weights of a row that share one scale; None means one scale per row.
        scale_bits: bits per scale; 0 means the weights are floating point and have no scales.
        signed_scales: scales may be negative, so that -8 of -8..7 falls on a group's largest weight of either sign.
    """

    bits: int
    group_size: int | None = None
    scale_bits: int = 0
    signed_scales: bool = False

    def __post_init__(self) -> None:
        if self.bits not in (4, 8, 16, 32):
            raise UserError(f"weight format: bits {self.bits} is not one of 4, 8, 16, 32")
        if (self.scale_bits == 0) != (self.bits >= 16):
            raise UserError(f"weight format: {self.bits}-bit weights with {self.scale_bits}-bit scales make no sense")

    @property
    def quantized(self) -> bool:
        """Whether the stored numbers are integers with scales."""
        return self.scale_bits > 0

    def num_scales(self, rows: int, columns: int) -> int:
        """Scales stored for a [rows, columns] matrix.

        Raises:
            UserError: a group does not divide the row.
        """
        if not self.quantized:
            return 0
        group = self.group_size or columns
        if columns % group:
            raise UserError(f"weight format: rows of {columns} weights do not divide into groups of {group}")
        return rows * (columns // group)

    def num_bytes(self, rows: int, columns: int) -> int:
        """Bytes of a [rows, columns] matrix, scales included."""
        return (rows * columns * self.bits + self.num_scales(rows, columns) * self.scale_bits) // 8


@dataclass(frozen=True, slots=True)
class Storage:
    """What a target stores under a scheme.

    Attributes:
        formats: the format of each role. Norms and biases are vectors and keep their own floating-point width.
        shared_table: a tied embedding and head are one stored table (in the head's format); otherwise the embedding
            is stored again in its own format.
        kv_bits: bits per element of the KV cache.
    """

    formats: Mapping[Role, WeightFormat]
    shared_table: bool
    kv_bits: int
