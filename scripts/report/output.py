"""Files, written whole or not at all."""

import os
from pathlib import Path

from models.errors import UserError


def check_target(path: Path) -> None:
    """Refuse a file that could not be written, before any work.

    Raises:
        UserError: it is a folder, its folder does not exist, or one of them is not writable.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise UserError(f"{path}: no such folder {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UserError(f"{path}: not writable")


def check_folder(path: Path) -> None:
    """Refuse a folder that could not be filled.

    Raises:
        UserError: it is a file, or neither it nor its parent can be written.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f"{path} is a file; name a folder")
    home = path if path.is_dir() else path.parent
    if not home.is_dir():
        raise UserError(f"{path}: no such folder {home}; make it first")
    if not os.access(home, os.W_OK):
        raise UserError(f"{path}: not writable")


def write_text(path: Path, text: str) -> None:
    """Write to a temporary sibling and rename."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_text`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
