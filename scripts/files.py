"""Places that a command will write to at its end, tried before its work begins.

How files are written and read is in `export.files`, since `export` needs it, too.
"""

import os
import tempfile
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


def make_folder(path: Path, option: str) -> None:
    """Make the folder unless it is there.

    Raises:
        UserError: it cannot be made, or nothing can be written in it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError as error:
        raise _refusal(path, option, error) from error


def check_writable(path: Path, option: str) -> None:
    """Open the file for writing; what it holds stays, and one that was not there is gone again after.

    Raises:
        UserError: it cannot be written.
    """
    existed = path.exists()
    try:
        path.open("ab").close()
        if not existed:
            path.unlink()
    except OSError as error:
        raise _refusal(path, option, error) from error


def _refusal(path: Path, option: str, error: OSError) -> UserError:
    return UserError(f"{option} {path} cannot be written: {(error.strerror or str(error)).lower()}")
