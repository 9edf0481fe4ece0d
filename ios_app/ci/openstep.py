"""Reader of old-style property lists, as `project.pbxproj` is one: dictionaries, arrays, strings and comments."""

import re

Plist = str | list["Plist"] | dict[str, "Plist"]

_TOKEN = re.compile(
    r"""\s+ | /\*.*?\*/ | //[^\n]* | (?P<mark>[{}()=;,]) | "(?P<quoted>(?:[^"\\]|\\.)*)"
    | (?P<word>[\w.$/:<>@+~*-]+?(?=\s|/\*|[{}()=;,"]|$))""",
    re.VERBOSE | re.DOTALL,
)


class PlistSyntaxError(ValueError):
    """The text is not a property list; the message names the line."""


class _Tokens:
    def __init__(self, text: str) -> None:
        self._text = text
        self._place = 0

    def next(self) -> tuple[str, str]:
        """A kind (`mark`, `text` or `end`) and its characters."""
        while self._place < len(self._text):
            found = _TOKEN.match(self._text, self._place)
            if found is None:
                raise self.problem(f"unexpected {self._text[self._place : self._place + 10]!r}")
            self._place = found.end()
            if (mark := found["mark"]) is not None:
                return "mark", mark
            if (quoted := found["quoted"]) is not None:
                return "text", re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
            if (word := found["word"]) is not None:
                return "text", word
        return "end", ""

    def problem(self, what: str) -> PlistSyntaxError:
        return PlistSyntaxError(f"line {self._text.count(chr(10), 0, self._place) + 1}: {what}")


def loads(text: str) -> Plist:
    """Parse a whole document.

    Raises:
        PlistSyntaxError: it is none, or a dictionary has a key twice.
    """
    tokens = _Tokens(text)
    value = _value(tokens, *tokens.next())
    if tokens.next() != ("end", ""):
        raise tokens.problem("text after the end")
    return value


def _value(tokens: _Tokens, kind: str, text: str) -> Plist:
    if kind == "text":
        return text
    if text == "{":
        return _dictionary(tokens)
    if text == "(":
        return _array(tokens)
    raise tokens.problem(f"a value was expected, not {text or 'the end'!r}")


def _dictionary(tokens: _Tokens) -> dict[str, Plist]:
    found: dict[str, Plist] = {}
    while True:
        kind, key = tokens.next()
        if (kind, key) == ("mark", "}"):
            return found
        if kind != "text" or tokens.next() != ("mark", "="):
            raise tokens.problem("`key = value;` was expected")
        if key in found:
            raise tokens.problem(f"{key} is there twice")
        found[key] = _value(tokens, *tokens.next())
        if tokens.next() != ("mark", ";"):
            raise tokens.problem(f"`;` is missing after {key}")


def _array(tokens: _Tokens) -> list[Plist]:
    found: list[Plist] = []
    while True:
        kind, text = tokens.next()
        if (kind, text) == ("mark", ")"):
            return found
        found.append(_value(tokens, kind, text))
        kind, text = tokens.next()
        if (kind, text) == ("mark", ")"):
            return found
        if (kind, text) != ("mark", ","):
            raise tokens.problem("`,` or `)` was expected")
