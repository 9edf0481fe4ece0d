"""The header of a `.pte`, read without ExecuTorch's Python packages, whose import takes longer than loading a model."""

import struct
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError

# schema/extended_header.cpp: behind the flatbuffer's root offset and identifier lie the magic, the header's own
# length, and three sizes in bytes.
_OFFSET = 8
_LAYOUT = struct.Struct("<4sIQQQ")
_MAGIC = b"eh00"


@dataclass(frozen=True, slots=True)
class Header:
    """ExecuTorch's extended header.

    Attributes:
        program_size: bytes of the flatbuffer.
        segment_base_offset: where the segments begin.
        segment_data_size: bytes of all segments.
    """

    program_size: int
    segment_base_offset: int
    segment_data_size: int


def read_header(path: Path) -> Header:
    """The header, after a check that the file is as long as it says; the runtime does not look.

    Raises:
        UserError: the file is missing or damaged.
    """
    if not path.is_file():
        raise UserError(f"{path.parent}: no {path.name}; write the artifact again")
    with path.open("rb") as stream:
        head = stream.read(_OFFSET + _LAYOUT.size)[_OFFSET:]
    magic, length, *sizes = _LAYOUT.unpack(head.ljust(_LAYOUT.size, b"\0"))
    header, size = Header(*sizes), path.stat().st_size
    valid = magic == _MAGIC and length >= _LAYOUT.size
    expected = header.segment_base_offset + header.segment_data_size
    if not valid or size != expected:
        found = f"{size} bytes, its header says {expected}" if valid else "it has no ExecuTorch header"
        raise UserError(f"{path}: not a whole ExecuTorch program ({found}); write it again")
    return header
