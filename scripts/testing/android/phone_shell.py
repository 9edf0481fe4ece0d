"""The shell of a fake phone: lists of simple commands, run by Python functions; nothing reaches this machine's shell.

Understood: words and quotes, `;`, `&&`, `||`, `$?`, `2>&1`, `2>/dev/null`, `>/dev/null`, `</dev/null`. Everything else
is a syntax error: a farm that needs more should say so here.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

NOT_FOUND, SYNTAX = 127, 2
_ERRORS_TO_OUTPUT, _NO_ERRORS, _NO_OUTPUT = "\0errors-to-output", "\0no-errors", "\0no-output"
_REDIRECTIONS = (
    (r"\s2>&1", _ERRORS_TO_OUTPUT),
    (r"\s2>\s*/dev/null", _NO_ERRORS),
    (r"\s1?>\s*/dev/null", _NO_OUTPUT),
)


@dataclass(frozen=True, slots=True)
class ShellIo:
    """Where a command's text goes, and where its input comes from.

    Attributes:
        read_some: up to that many bytes of standard input.
    """

    out: Callable[[bytes], None]
    err: Callable[[bytes], None]
    read_some: Callable[[int], memoryview]

    def say(self, text: str) -> None:
        """A line of output."""
        self.out(f"{text}\n".encode())

    def complain(self, text: str) -> None:
        """A line of errors."""
        self.err(f"{text}\n".encode())


Command = Callable[[ShellIo, list[str]], int]


def run_line(line: str, commands: Mapping[str, Command], io: ShellIo) -> int:
    """Run a command line and return its exit code."""
    code = 0
    try:
        for connector, words in _simple_commands(line):
            if (connector == "&&" and code) or (connector == "||" and not code):
                continue
            code = _run([word.replace("$?", str(code)) for word in words], commands, io)
    except ValueError as error:
        io.complain(f"sh: syntax error: {error}")
        return SYNTAX
    return code


def _simple_commands(line: str) -> Iterator[tuple[str, list[str]]]:
    """(connector before it, words) of each simple command."""
    line = re.sub(r"\s<\s*/dev/null", " ", line)
    for pattern, mark in _REDIRECTIONS:
        line = re.sub(pattern + r"(?=\s|;|&|\||$)", f" '{mark}'", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    connector, words = ";", list[str]()
    for token in lexer:
        if token in (";", "&&", "||"):
            if words:
                yield connector, words
            connector, words = token, []
        elif set(token) <= set(";&|<>()") or "$(" in token or "`" in token:
            raise ValueError(f"{token!r} is not understood here")
        else:
            words.append(token)
    if words:
        yield connector, words


def _run(words: list[str], commands: Mapping[str, Command], io: ShellIo) -> int:
    marks = {word for word in words if word.startswith("\0")}
    plain = [word for word in words if not word.startswith("\0")]
    out = _discard if _NO_OUTPUT in marks else io.out
    err = out if _ERRORS_TO_OUTPUT in marks else _discard if _NO_ERRORS in marks else io.err
    inner = ShellIo(out, err, io.read_some)
    if plain[0] == "exec":
        plain = plain[1:]
    name = plain[0].rpartition("/")[2]
    if name not in commands:
        inner.complain(f"/system/bin/sh: {name}: inaccessible or not found")
        return NOT_FOUND
    return commands[name](inner, plain[1:])


def _discard(_: bytes) -> None:
    pass
