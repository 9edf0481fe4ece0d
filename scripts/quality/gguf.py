"""Reads a GGUF file (llama.cpp's format, version 3) as far as Llama-shaped checkpoints need it.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Only the types below are understood; a tensor of
another type is refused by name.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from models.errors import UserError

MAGIC, VERSION = b"GGUF", 3
DEFAULT_ALIGNMENT = 32
BLOCK = 32
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
# Number of a type -> bytes of a block of 32 weights.
BLOCK_BYTES = {0: 128, 1: 64, 2: 18, 3: 20, 8: 34}

Value = int | float | bool | str | list["Value"]


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where a tensor lies: `dims` as numpy orders them, `kind` GGUF's number of its type, `offset` in the file."""

    dims: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True, slots=True)
class GgufFile:
    """An opened file: its metadata and the places of its tensors by name."""

    path: Path
    metadata: Mapping[str, Value]
    tensors: Mapping[str, TensorEntry]

    def integer(self, key: str) -> int:
        """The whole number under `key`.

        Raises:
            UserError: there is none.
        """
        value = self.metadata.get(key)
        if not isinstance(value, int):
            raise UserError(f"{self.path}: {key} {value!r} is not a whole number")
        return value

    def number(self, key: str) -> float:
        """The number under `key`.

        Raises:
            UserError: there is none.
        """
        value = self.metadata.get(key)
        if not isinstance(value, int | float):
            raise UserError(f"{self.path}: {key} {value!r} is not a number")
        return float(value)

    def strings(self, key: str) -> list[str]:
        """The list of strings under `key`.

        Raises:
            UserError: there is none.
        """
        value = self.metadata.get(key)
        if not isinstance(value, list):
            raise UserError(f"{self.path}: {key} is not a list")
        return [str(item) for item in value]

    def read(self, name: str) -> np.ndarray:
        """The tensor as float32.

        Raises:
            UserError: it is not in the file, or of a type that is not understood.
        """
        entry = self.tensors.get(name)
        if entry is None:
            raise UserError(f"{self.path}: has no tensor {name}")
        if entry.kind not in BLOCK_BYTES:
            raise UserError(f"{self.path}: {name} has type {entry.kind}; understood: F32, F16, Q4_0, Q4_1, Q8_0")
        blocks = int(np.prod(entry.dims)) // BLOCK
        size = blocks * BLOCK_BYTES[entry.kind]
        raw = np.fromfile(self.path, np.uint8, size, offset=entry.offset)
        if len(raw) != size:
            raise UserError(f"{self.path}: ends within {name}")
        return _dequantize(raw.reshape(blocks, -1), entry.kind).reshape(entry.dims)


def open_gguf(path: Path) -> GgufFile:
    """Read the header.

    Raises:
        UserError: no GGUF file of version 3.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != MAGIC or _scalar(file, "I") != VERSION:
                raise UserError(f"{path}: not a GGUF file of version {VERSION}")
            num_tensors, num_values = _scalar(file, "Q"), _scalar(file, "Q")
            metadata = {_string(file): _value(file, _scalar(file, "I")) for _ in range(num_values)}
            entries = [_entry(file) for _ in range(num_tensors)]
            alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
            assert isinstance(alignment, int)
            start = file.tell() + -file.tell() % alignment
    except (OSError, struct.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable GGUF file ({error})") from error
    return GgufFile(path, metadata, {name: TensorEntry(d, k, start + offset) for name, d, k, offset in entries})


def _dequantize(blocks: np.ndarray, kind: int) -> np.ndarray:
    """uint8 [blocks, bytes] -> float32 [blocks, 32]."""
    if kind == 0:
        return blocks.view(np.float32)
    if kind == 1:
        return blocks.view(np.float16).astype(np.float32)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    if kind == 8:
        return scale * blocks[:, 2:].view(np.int8)
    header = 4 if kind == 3 else 2
    packed = blocks[:, header:]
    nibbles = np.hstack([packed & 0xF, packed >> 4]).astype(np.float32)
    low = blocks[:, 2:4].copy().view(np.float16).astype(np.float32) if kind == 3 else -8 * scale
    return nibbles * scale + low


def _scalar(file: BinaryIO, code: str) -> int:
    (value,) = struct.unpack(f"<{code}", file.read(struct.calcsize(code)))
    return value


def _string(file: BinaryIO) -> str:
    return file.read(_scalar(file, "Q")).decode()


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == STRING:
        return _string(file)
    if kind == ARRAY:
        item, count = _scalar(file, "I"), _scalar(file, "Q")
        return [_value(file, item) for _ in range(count)]
    if kind not in SCALARS:
        raise UserError(f"{file.name}: metadata of type {kind} is not understood")
    return _scalar(file, SCALARS[kind])


def _entry(file: BinaryIO) -> tuple[str, tuple[int, ...], int, int]:
    name = _string(file)
    dims = tuple(_scalar(file, "Q") for _ in range(_scalar(file, "I")))
    kind, offset = _scalar(file, "I"), _scalar(file, "Q")
    return name, dims[::-1], kind, offset
