"""Reads what `am instrument -w -r` prints.

The format, from Android's `cmds/am/Instrument.java`: `INSTRUMENTATION_STATUS: key=value` lines, closed by
`INSTRUMENTATION_STATUS_CODE: n`; at the end `INSTRUMENTATION_RESULT: key=value` lines and `INSTRUMENTATION_CODE: n`.
Values may go on over lines. A process that dies gives `INSTRUMENTATION_RESULT: shortMsg=Process crashed.` and code 0;
a harness that cannot be started gives `INSTRUMENTATION_FAILED`; a system that dies, `INSTRUMENTATION_ABORTED`.
"""

from dataclasses import dataclass, field

from scripts.farm.device import Progress
from scripts.records import Stage
from scripts.records.vocabulary import Refusal

CODE_OK = -1
MAX_VALUE_CHARS = 64 << 10
_PREFIX = "INSTRUMENTATION_"
_STATUS, _RESULT = "STATUS: ", "RESULT: "
_STATUS_CODE, _CODE = "STATUS_CODE: ", "CODE: "
_REFUSED = ("FAILED: ", "ABORTED: ")


@dataclass(slots=True)
class InstrumentationResult:
    """What is known at the end.

    Attributes:
        code: -1 finished, 0 refused or crashed; None: the output ended before it.
        values: of the `INSTRUMENTATION_RESULT` lines.
        refused: text of `INSTRUMENTATION_FAILED`, `INSTRUMENTATION_ABORTED` or of a status that is an error.
    """

    code: int | None = None
    values: dict[str, str] = field(default_factory=dict)
    refused: str | None = None

    @property
    def crash(self) -> str | None:
        """Android's words where the process died."""
        short = self.values.get("shortMsg")
        return None if short is None else " ".join([short, self.values.get("longMsg", "")]).strip()

    @property
    def refusal(self) -> Refusal:
        """The app's code; harnesses that give none, or one of a later version, are taken to refuse the request."""
        code = self.values.get("refusal", "")
        return Refusal(code) if code in set(Refusal) else Refusal.REQUEST


class InstrumentationParser:
    """Takes lines as they come.

    Attributes:
        result: filled as the lines tell.
    """

    def __init__(self) -> None:
        self.result = InstrumentationResult()
        self._status: dict[str, str] = {}
        self._open: tuple[dict[str, str], str] | None = None

    def feed(self, line: str) -> dict[str, str] | None:
        """One line, with or without its end.

        Returns:
            the values of a status when its code closes it, else None.
        """
        line = line.rstrip("\r\n")
        if not line.startswith(_PREFIX):
            self._go_on(line)
            return None
        self._open = None
        rest = line.removeprefix(_PREFIX)
        if rest.startswith(_STATUS_CODE):
            return self._close_status(rest.removeprefix(_STATUS_CODE))
        if rest.startswith(_CODE):
            self.result.code = _integer(rest.removeprefix(_CODE))
        elif rest.startswith(_STATUS):
            self._begin(self._status, rest.removeprefix(_STATUS))
        elif rest.startswith(_RESULT):
            self._begin(self.result.values, rest.removeprefix(_RESULT))
        elif rest.startswith(_REFUSED):
            self.result.refused = line
        return None

    def _begin(self, values: dict[str, str], text: str) -> None:
        key, _, value = text.partition("=")
        values[key] = value
        self._open = (values, key)

    def _go_on(self, line: str) -> None:
        if self._open:
            values, key = self._open
            values[key] = f"{values[key]}\n{line}"[:MAX_VALUE_CHARS]

    def _close_status(self, code: str) -> dict[str, str]:
        status, self._status = self._status, {}
        if (_integer(code) or 0) < 0 and "Error" in status:
            self.result.refused = status["Error"]
        return status


def progress_of(status: dict[str, str]) -> Progress | None:
    """The harness's progress in a status; None where it is no progress."""
    try:
        return Progress(Stage(status["stage"]), int(status["done"]), int(status["total"]))
    except (KeyError, ValueError):
        return None


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
