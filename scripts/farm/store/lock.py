"""Locks that every farm of this user on this machine respects, whatever its results folder.

They are `flock`s: the kernel ends them with the process that holds them, `kill -9` included; children do not inherit
them.
"""

import fcntl
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Self

from models.errors import UserError

_FOLDER_MODE = 0o700


class MachineLock:
    """A lock that is held until `release`, or until this process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, name: str, purpose: str) -> Self | str:
        """Take a lock, without waiting.

        Args:
            name: of the lock, such as `device-R5CT30XXXX`.
            purpose: what it is taken for; told to others who want it.

        Returns:
            the lock, or who has it.
        """
        path = user_folder() / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 4096).decode(errors="replace").strip()
            os.close(descriptor)
            return holder or "a process that has just begun"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {purpose}\n".encode(), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give it back; the file stays, so that nobody locks a deleted one."""
        os.close(self._descriptor)


def user_folder() -> Path:
    """The folder for this user's locks and runs: below the temporary folder, where cron jobs and shells meet.

    Raises:
        UserError: somebody else has made it.
    """
    folder = Path(tempfile.gettempdir()) / f"deepnarrow-{os.getuid()}"
    folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UserError(f"{folder} is not a folder of yours; remove it, or set TMPDIR")
    return folder


def is_alive(pid: int) -> bool:
    """Whether a process of this machine has the id, anybody's."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
