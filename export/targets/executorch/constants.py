"""Weights as bytes: packed the way XNNPACK reads them and stored once under the hash of their content."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from executorch.exir._serialize._named_data_store import NamedDataStore, NamedDataStoreOutput

from export.quantized import QuantizedTensor
from export.targets.base import StoredTensor

# XNNPACK reads packed weights with 16-byte loads.
ALIGNMENT = 16


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes: their key in the named data and their number."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A stored matrix [rows, columns], or several one below the other; `scales` is None for float32."""

    rows: int
    columns: int
    bits: int
    values: Blob
    scales: Blob | None = None
    num_scales: int = 0


@dataclass
class ConstantStore:
    """Named data of a program.

    The key is the content's hash: loaded programs share XNNPACK's cache of packed weights, so that equal keys must mean
    equal bytes.
    """

    _data: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def add(self, data: bytes) -> Blob:
        """Store `data` if it is new."""
        key = hashlib.sha256(data).hexdigest()
        self._data.setdefault(key, data)
        return Blob(key, len(data))

    def add_filter(self, parts: Sequence[StoredTensor]) -> Filter:
        """Store matrices of equal columns and equal format, one below the other."""
        quantized = [part for part in parts if isinstance(part, QuantizedTensor)]
        if not quantized:
            matrix = np.concatenate([part for part in parts if isinstance(part, np.ndarray)])
            return Filter(*matrix.shape, bits=32, values=self.add(matrix.tobytes()))
        rows, columns = sum(len(part.values) for part in quantized), quantized[0].values.shape[1]
        return Filter(
            rows, columns, quantized[0].bits, self.add(_pack_values(quantized)), self.add(_pack_scales(quantized)),
            num_scales=sum(part.scales.size for part in quantized),
        )  # fmt: skip

    def sizes(self) -> dict[str, int]:
        """Bytes by key."""
        return {key: len(data) for key, data in self._data.items()}

    def output(self, without: Collection[str]) -> NamedDataStoreOutput:
        """Everything but the keys in `without`, in the form that ExecuTorch's serialiser takes."""
        store = NamedDataStore()
        for key, data in self._data.items():
            if key in without:
                continue
            store.add_named_data(key, data, alignment=ALIGNMENT)
        return store.get_named_data_store_output()


def _pack_values(parts: Sequence[QuantizedTensor]) -> bytes:
    """Integers in row order; 4-bit values two per byte, the first in the low half, offset by 8."""
    return b"".join(_nibbles(part.values) if part.bits == 4 else part.values.tobytes() for part in parts)


def _pack_scales(parts: Sequence[QuantizedTensor]) -> bytes:
    """Scales in row order: the upper 16 bits of a float32 (bfloat16) for groups, float32 for rows."""
    scales = np.concatenate([part.scales for part in parts])
    if parts[0].bits == 4:
        return (scales.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    return scales.tobytes()


def unpack_values(data: np.ndarray, bits: int, rows: int) -> np.ndarray:
    """The inverse of packing for uint8 `data`: int8 [rows, columns]."""
    if bits == 8:
        return data.view(np.int8).reshape(rows, -1)
    values = np.empty((data.size, 2), np.int8)
    values[:, 0] = data & 15
    values[:, 1] = data >> 4
    values -= 8
    return values.reshape(rows, -1)


def unpack_scales(data: np.ndarray, bits: int, rows: int) -> np.ndarray:
    """The inverse of packing for uint8 `data`: float32 [rows, groups]."""
    if bits == 8:
        return data.view(np.float32).reshape(rows, -1)
    return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(rows, -1)


def _nibbles(values: np.ndarray) -> bytes:
    unsigned = (values + 8).view(np.uint8).reshape(-1)
    return (unsigned[0::2] | unsigned[1::2] << 4).tobytes()
