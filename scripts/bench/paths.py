"""Places that are written to at the end of long measurements, tried before they begin."""

import tempfile
from pathlib import Path

from models.errors import UserError


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
