"""Integers with scales: what a quantiser makes and what is read back from an artifact. Needs no torch."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class QuantizedTensor:
    """Integers with scales: weight[r, c] = values[r, c] * scales[r, c // group].

    Attributes:
        values: int8 [rows, columns], within -8..7 for 4 bits and -128..127 for 8.
        scales: float32 [rows, groups], already rounded to the width in which the target stores them.
        bits: 4 or 8.
    """

    values: np.ndarray
    scales: np.ndarray
    bits: int

    def dequantize(self) -> np.ndarray:
        """float32 [rows, columns]."""
        rows, groups = self.scales.shape
        grouped = self.values.reshape(rows, groups, -1).astype(np.float32)
        grouped *= self.scales[:, :, None]
        return grouped.reshape(self.values.shape)
