"""Lines of a program's output, whatever it writes."""

import asyncio
import json

from scripts.farm.device import Progress
from scripts.records import Stage

MAX_LINE_BYTES = 64 << 10


async def read_line(stream: asyncio.StreamReader) -> bytes:
    """The next line with its end; of one above `MAX_LINE_BYTES`, its beginning alone. Empty when the stream is over.

    `StreamReader.readline` raises `ValueError` for a line above the stream's limit, and loses what follows it.
    """
    kept = b""
    while True:
        try:
            piece, is_whole = await stream.readuntil(b"\n"), True
        except asyncio.IncompleteReadError as error:
            piece, is_whole = error.partial, True
        except asyncio.LimitOverrunError as error:
            piece, is_whole = await stream.readexactly(error.consumed), False
        kept = (kept + piece)[:MAX_LINE_BYTES]
        if is_whole:
            return kept


def parse_progress(line: bytes | str) -> Progress | None:
    """A line of a harness's standard output; None for anything that is no progress."""
    try:
        fields = json.loads(line)
        return Progress(Stage(fields["stage"]), int(fields["done"]), int(fields["total"]))
    except (ValueError, KeyError, TypeError):
        return None
