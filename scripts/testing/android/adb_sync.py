"""The sync service of adb's device side: stat, list, push and pull, in their first and second versions."""

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from scripts.testing.android.adb_wire import Stream

CHUNK = 64 << 10
_HEAD = struct.Struct("<4sI")
_STAT1 = struct.Struct("<4sIII")
_STAT2 = struct.Struct("<4sIQQIIIIQqqq")
_DENT1 = struct.Struct("<4sIIII")
_DENT2 = struct.Struct("<4sIQQIIIIQqqqI")


class SyncService:
    """Serves one sync stream.

    Args:
        locate: device path -> path on this machine.
        refuse: device path -> why it may not be written, or None.
        arrived: called with the number of bytes of each block that was pushed.
    """

    def __init__(
        self, stream: Stream, locate: Callable[[str], Path], refuse: Callable[[str], str | None],
        arrived: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._stream, self._locate, self._refuse, self._arrived = stream, locate, refuse, arrived

    def serve(self) -> None:
        """Answer requests until the host quits."""
        while True:
            request, length = _HEAD.unpack(self._stream.read(_HEAD.size))
            if request == b"QUIT":
                return
            argument = self._stream.read(length).decode()
            match request:
                case b"STAT":
                    self._stat1(argument)
                case b"STA2" | b"LST2":
                    self._stream.write(_stat2(request, self._locate(argument), follow=request == b"STA2"))
                case b"LIST" | b"LIS2":
                    self._list(argument, second=request == b"LIS2")
                case b"RECV" | b"RCV2":
                    self._send_file(argument, second=request == b"RCV2")
                case b"SEND" | b"SND2":
                    self._receive_file(argument, second=request == b"SND2")
                case _:
                    self._fail(f"unknown sync request {request!r}")

    def _stat1(self, path: str) -> None:
        try:
            found = self._locate(path).lstat()
        except OSError:
            self._stream.write(_STAT1.pack(b"STAT", 0, 0, 0))
            return
        size = found.st_size & 0xFFFF_FFFF
        self._stream.write(_STAT1.pack(b"STAT", found.st_mode, size, int(found.st_mtime)))

    def _list(self, path: str, *, second: bool) -> None:
        folder = self._locate(path)
        for child in sorted(folder.iterdir()) if folder.is_dir() else []:
            name = child.name.encode()
            if second:
                self._stream.write(_stat2(b"DNT2", child, follow=False) + struct.pack("<I", len(name)) + name)
                continue
            found = child.lstat()
            fields = (found.st_mode, found.st_size & 0xFFFF_FFFF, int(found.st_mtime), len(name))
            self._stream.write(_DENT1.pack(b"DENT", *fields) + name)
        self._stream.write(b"DONE" + bytes((_DENT2 if second else _DENT1).size - 4))

    def _send_file(self, path: str, *, second: bool) -> None:
        if second:
            self._stream.read(8)  # flags; no compression was offered
        try:
            with self._locate(path).open("rb") as file:
                while block := file.read(CHUNK):
                    self._stream.write(_HEAD.pack(b"DATA", len(block)) + block)
            self._stream.write(_HEAD.pack(b"DONE", 0))
        except OSError as error:
            self._fail(f"open failed: {error.strerror}")

    def _receive_file(self, argument: str, *, second: bool) -> None:
        if second:
            path, mode = argument, struct.unpack("<4sII", self._stream.read(12))[1]
        else:
            path, _, digits = argument.rpartition(",")
            mode = int(digits)
        target, failure, file = self._locate(path), self._refuse(path), None
        if failure is None:
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                file = target.open("wb")
            except OSError as error:
                failure = f"couldn't create file: {error.strerror}"
        modified, failure = self._receive_blocks(file, failure)
        if failure:
            self._fail(failure)
            return
        target.chmod(mode & 0o777)
        os.utime(target, (modified, modified))
        self._stream.write(_HEAD.pack(b"OKAY", 0))

    def _receive_blocks(self, file: BinaryIO | None, failure: str | None) -> tuple[int, str | None]:
        """Take all blocks, also those of a file that failed: the host sends them anyhow. Returns (mtime, failure)."""
        try:
            while True:
                kind, length = _HEAD.unpack(self._stream.read(_HEAD.size))
                if kind == b"DONE":
                    return length, failure
                while length:
                    part = self._stream.read_some(length)
                    length -= len(part)
                    self._arrived(len(part))
                    if file and failure is None:
                        failure = _write(file, part)
        finally:
            if file:
                file.close()

    def _fail(self, message: str) -> None:
        text = message.encode()
        self._stream.write(_HEAD.pack(b"FAIL", len(text)) + text)


def _write(file: BinaryIO, part: memoryview) -> str | None:
    try:
        file.write(part)
    except OSError as error:
        return f"write failed: {error.strerror}"
    return None


def _stat2(tag: bytes, path: Path, *, follow: bool) -> bytes:
    try:
        found = path.stat() if follow else path.lstat()
    except OSError as error:
        return _STAT2.pack(tag, error.errno or errno.EIO, *(0,) * 10)
    times = (int(found.st_atime), int(found.st_mtime), int(found.st_ctime))
    owner = (found.st_mode, found.st_nlink, found.st_uid, found.st_gid)
    return _STAT2.pack(tag, 0, found.st_dev, found.st_ino, *owner, found.st_size, *times)
