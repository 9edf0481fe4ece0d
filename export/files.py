"""Files that are written whole or not at all, and JSON that is checked as it is read.

Used by `export`, which may not import `scripts`, and by `scripts`.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from models.errors import UserError

T = TypeVar("T")


@contextmanager
def written_whole(path: Path, durable: bool = False) -> Generator[Path]:
    """A temporary sibling to write; it takes the place of `path` at the end of the block, or is removed on an error.

    Args:
        path: what is made or replaced.
        durable: flushed to the disk first, so that it outlives a machine that loses power.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Make or replace a file."""
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Make or replace a file in UTF-8."""
    write_bytes(path, text.encode())


def write_json(model: BaseModel, path: Path, durable: bool = False) -> None:
    """Write a model the way all of the project's JSON is written: UTF-8, one trailing newline, schema names.

    Args:
        model: what is written.
        path: the file that is made or replaced.
        durable: as for `written_whole`.
    """
    with written_whole(path, durable) as temporary:
        temporary.write_text(model.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")


def read_json(adapter: TypeAdapter[T], path: Path, max_bytes: int | None = None) -> T:
    """What a JSON file holds.

    Raises:
        UserError: no such file, it has more than `max_bytes`, or is not what the adapter describes.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if max_bytes is not None and (size := path.stat().st_size) > max_bytes:
        raise UserError(f"{path}: {size} bytes; at most {max_bytes} are read")
    try:
        return adapter.validate_json(path.read_bytes())
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error)}") from error


def first_fault(error: ValidationError) -> str:
    """`key.path: what is wrong` of the first fault that was found."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
