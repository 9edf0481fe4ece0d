"""Core ML's `weight.bin`: blobs, each behind a 64-byte header, all at multiples of 64 bytes. Memory-mapped."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import UserError

ALIGNMENT = 64
HEADER = struct.Struct("<IIQQ")  # sentinel, element type, bytes of data, offset of data
SENTINEL = 0xDEADBEEF
# Core ML's numbers of the element types that this target stores.
TYPE_CODES = {"float16": 1, "float32": 2, "int8": 4, "int4": 8, "int32": 14}


@dataclass(frozen=True, slots=True)
class Blob:
    """A tensor in the weight file: where its header stands, its element type and its dimensions."""

    offset: int
    dtype: str
    shape: tuple[int, ...]


class WeightFile:
    """Random access to the blobs of one file; nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes: np.ndarray | None = None

    def read(self, blob: Blob) -> np.ndarray:
        """The tensor; 4-bit integers are widened to int8, everything else is a view of the file.

        Raises:
            UserError: the file is missing, cut, or holds something else there.
        """
        count = int(np.prod(blob.shape))
        data = self._data(blob, (count + 1) // 2 if blob.dtype == "int4" else count * np.dtype(blob.dtype).itemsize)
        values = _unpack_int4(data)[:count] if blob.dtype == "int4" else data.view(blob.dtype)
        return values.reshape(blob.shape)

    def _data(self, blob: Blob, size: int) -> np.ndarray:
        content = self._map()
        if blob.offset + HEADER.size > content.size:
            raise self._damaged(blob)
        sentinel, code, stored, start = HEADER.unpack(content[blob.offset : blob.offset + HEADER.size].tobytes())
        if (sentinel, code, stored) != (SENTINEL, TYPE_CODES[blob.dtype], size) or start + size > content.size:
            raise self._damaged(blob)
        return content[start : start + size]

    def _map(self) -> np.ndarray:
        if self._bytes is None:
            if not self._path.is_file():
                raise UserError(f"{self._path}: file of the package is missing")
            # Copy-on-write, because torch takes no read-only arrays; an empty file cannot be mapped.
            size = self._path.stat().st_size
            self._bytes = np.memmap(self._path, np.uint8, "c") if size else np.zeros(0, np.uint8)
        return self._bytes

    def _damaged(self, blob: Blob) -> UserError:
        return UserError(
            f"{self._path}: no {blob.dtype} blob of {blob.shape} at byte {blob.offset}; the file is damaged"
        )


def _unpack_int4(packed: np.ndarray) -> np.ndarray:
    """Two's complement nibbles, low one first, as int8."""
    signed = packed.view(np.int8)
    values = np.empty(packed.size * 2, np.int8)
    np.right_shift(np.left_shift(signed, 4), 4, out=values[0::2])
    np.right_shift(signed, 4, out=values[1::2])
    return values
