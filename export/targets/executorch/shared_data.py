"""Stores bytes once that a program needs both as a constant tensor and as named data of a delegate.

ExecuTorch's serialiser gives constants and named data segments of their own. A segment is no more than an offset and a
size, and the runtime does not ask whether two overlap: here a named entry gets a segment inside the constants'.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from executorch.exir import schema
from executorch.exir._serialize._flatbuffer_program import (
    _flatbuffer_to_program,  # pyright: ignore[reportPrivateUsage]
    _program_to_flatbuffer,  # pyright: ignore[reportPrivateUsage]
)
from executorch.exir._serialize._program import (
    _ExtendedHeader,  # pyright: ignore[reportPrivateUsage]
    _insert_flatbuffer_header,  # pyright: ignore[reportPrivateUsage]
)
from executorch.exir._serialize.padding import aligned_size, pad_to

from export.targets.executorch.header import read_header

SEGMENT_ALIGNMENT = 128
_MAGIC = r"ET[0-9a-zA-Z][0-9a-zA-Z]"


def share_constants(path: Path, shared: Mapping[str, tuple[int, int]]) -> None:
    """Add named data to the `.pte` at `path` that lie among its constants.

    Args:
        path: a finished program; it is rewritten.
        shared: key -> (number of the constant's buffer, bytes).
    """
    header = read_header(path)
    with path.open("rb") as stream:
        program = _flatbuffer_to_program(stream.read(header.program_size))
    constants = program.constant_segment
    base = program.segments[constants.segment_index].offset
    named = list(program.named_data or [])
    for key, (buffer, size) in sorted(shared.items()):
        program.segments.append(schema.DataSegment(offset=base + constants.offsets[buffer], size=size))
        named.append(schema.NamedData(key=key, segment_index=len(program.segments) - 1))
    program.named_data = named
    flatbuffer = _program_to_flatbuffer(program)
    header_length = aligned_size(_ExtendedHeader.EXPECTED_LENGTH, flatbuffer.max_alignment)
    size = header_length + len(flatbuffer.data)
    start = aligned_size(size, SEGMENT_ALIGNMENT)
    extended = _ExtendedHeader(
        program_size=size, segment_base_offset=start, segment_data_size=header.segment_data_size
    ).to_bytes()
    head = _insert_flatbuffer_header(flatbuffer.data, _MAGIC, pad_to(extended, header_length))
    rewritten = path.with_name(f"{path.name}.rewritten")
    with path.open("rb") as old, rewritten.open("wb") as new:
        new.write(pad_to(head, start))
        old.seek(header.segment_base_offset)
        shutil.copyfileobj(old, new, 1 << 20)
    rewritten.replace(path)
