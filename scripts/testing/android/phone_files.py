"""The file commands of a fake phone, on the folder that is its storage."""

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from scripts.testing.android.phone_shell import Command, ShellIo


class FileCommands:
    """`ls`, `rm`, `sha256sum` ...: those that a farm needs, with the options that it uses.

    Args:
        locate: device path -> path on this machine.
        storage_bytes: size of the phone's storage.
        now: the phone's wall clock, in seconds.
    """

    def __init__(self, locate: Callable[[str], Path], storage_bytes: int, now: Callable[[], float]) -> None:
        self._locate, self._storage_bytes, self._now = locate, storage_bytes, now

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {
            "mkdir": self._mkdir, "rm": self._rm, "chmod": self._chmod, "mv": self._mv, "ls": self._ls,
            "cat": self._cat, "stat": self._stat, "touch": self._touch, "sha256sum": self._sha256sum, "df": self._df,
            "du": self._du, "test": self._test, "[": self._test, "date": self._date, "true": lambda _io, _words: 0,
            "false": lambda _io, _words: 1, "echo": _echo, "id": _id,
        }  # fmt: skip

    def used_bytes(self, path: str = "/") -> int:
        """Bytes of all files below a device path."""
        return sum(file.lstat().st_size for file in self._locate(path).rglob("*") if file.is_file())

    def _mkdir(self, io: ShellIo, words: list[str]) -> int:
        options, paths = _split(words)
        for path in paths:
            try:
                self._locate(path).mkdir(parents="p" in options, exist_ok="p" in options)
            except OSError as error:
                io.complain(f"mkdir: '{path}': {error.strerror}")
                return 1
        return 0

    def _rm(self, io: ShellIo, words: list[str]) -> int:
        options, paths = _split(words)
        code = 0
        for path in paths:
            target = self._locate(path)
            if target.is_dir() and not options & set("rR"):
                io.complain(f"rm: {path}: is directory")
                code = 1
            elif target.is_dir():
                shutil.rmtree(target)
            elif target.exists():
                target.unlink()
            elif "f" not in options:
                io.complain(f"rm: {path}: No such file or directory")
                code = 1
        return code

    def _chmod(self, io: ShellIo, words: list[str]) -> int:
        _, (_, *paths) = _split(words)
        return max((self._missing(io, "chmod", path) for path in paths), default=0)

    def _mv(self, io: ShellIo, words: list[str]) -> int:
        _, (source, target) = _split(words)
        if code := self._missing(io, "mv", source):
            return code
        destination = self._locate(target)
        self._locate(source).replace(destination / Path(source).name if destination.is_dir() else destination)
        return 0

    def _ls(self, io: ShellIo, words: list[str]) -> int:
        options, paths = _split(words)
        code = 0
        for path in paths or ["/"]:
            target = self._locate(path)
            if self._missing(io, "ls", path):
                code = 1
            elif target.is_dir() and "d" not in options:
                for child in sorted(target.iterdir()):
                    io.say(child.name)
            else:
                io.say(path)
        return code

    def _cat(self, io: ShellIo, words: list[str]) -> int:
        code = 0
        for path in words:
            target = self._locate(path)
            if target.is_file():
                io.out(target.read_bytes())
            else:
                io.complain(f"cat: {path}: No such file or directory")
                code = 1
        return code

    def _stat(self, io: ShellIo, words: list[str]) -> int:
        if len(words) < 3 or words[0] != "-c":
            io.complain("stat: only -c FORMAT FILE... is understood here")
            return 1
        for path in words[2:]:
            if code := self._missing(io, "stat", path):
                return code
            found = self._locate(path).stat()
            fields = {"%s": str(found.st_size), "%Y": str(int(found.st_mtime)), "%n": path}
            text = words[1]
            for mark, value in fields.items():
                text = text.replace(mark, value)
            io.say(text)
        return 0

    def _touch(self, io: ShellIo, words: list[str]) -> int:
        for path in _split(words)[1]:
            try:
                self._locate(path).touch()
            except OSError as error:
                io.complain(f"touch: '{path}': {error.strerror}")
                return 1
        return 0

    def _sha256sum(self, io: ShellIo, words: list[str]) -> int:
        code = 0
        for path in _split(words)[1]:
            if self._missing(io, "sha256sum", path):
                code = 1
                continue
            with self._locate(path).open("rb") as file:
                io.say(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path}")
        return code

    def _df(self, io: ShellIo, words: list[str]) -> int:
        used = self.used_bytes()
        free = max(0, self._storage_bytes - used)
        io.say("Filesystem     1K-blocks     Used Available Use% Mounted on")
        percent = 100 * used // self._storage_bytes
        io.say(f"/dev/block/dm-9 {self._storage_bytes // 1024} {used // 1024} {free // 1024} {percent}% /data")
        return 0

    def _du(self, io: ShellIo, words: list[str]) -> int:
        for path in _split(words)[1]:
            if code := self._missing(io, "du", path):
                return code
            io.say(f"{self.used_bytes(path) // 1024}\t{path}")
        return 0

    def _test(self, io: ShellIo, words: list[str]) -> int:
        checks = {"-e": Path.exists, "-f": Path.is_file, "-d": Path.is_dir}
        words = [word for word in words if word != "]"]
        if len(words) != 2 or words[0] not in checks:
            io.complain("test: only -e, -f and -d FILE are understood here")
            return 2
        return 0 if checks[words[0]](self._locate(words[1])) else 1

    def _date(self, io: ShellIo, words: list[str]) -> int:
        now = self._now()
        io.say(str(int(now)) if words == ["+%s"] else datetime.fromtimestamp(now, UTC).ctime())
        return 0

    def _missing(self, io: ShellIo, command: str, path: str) -> int:
        if self._locate(path).exists():
            return 0
        io.complain(f"{command}: {path}: No such file or directory")
        return 1


def _split(words: list[str]) -> tuple[set[str], list[str]]:
    """(letters of all options, other words)."""
    options = {letter for word in words if word.startswith("-") for letter in word[1:]}
    return options, [word for word in words if not word.startswith("-")]


def _echo(io: ShellIo, words: list[str]) -> int:
    io.say(" ".join(words))
    return 0


def _id(io: ShellIo, words: list[str]) -> int:
    io.say("2000" if words == ["-u"] else "uid=2000(shell) gid=2000(shell)")
    return 0
