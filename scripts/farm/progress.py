"""A line per device for people: redrawn on a terminal, appended where there is none."""

import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from export.console import Verbosity, say, verbosity
from scripts.farm.events import DeviceEvent, Event, Phase, RunStored
from scripts.records import Failed, RunRecord, Skipped

REFRESH_PER_S = 4
OTHER_COLUMNS_WIDTH = 64
# Phases that pass quickly and often: a log would drown in them.
_QUIET = (Phase.PREPARING, Phase.INSTALLING, Phase.PUSHING, Phase.STORING)


class Display(Protocol):
    """Shows events while it is entered."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None:
        """Take the next event."""
        ...


class Pacer:
    """Guesses when a device will be done, from the runs it has finished since the first one, the canary, was over."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._finished: dict[str, int] = defaultdict(int)

    def count(self, event: RunStored) -> None:
        """One more run is over. The first one only starts the clock: it is shorter than the others and starts cold."""
        if event.device_id not in self._began:
            self._began[event.device_id] = time.monotonic()
            return
        self._finished[event.device_id] += 1

    def eta(self, device_id: str, left: int) -> str:
        """Minutes and seconds; a dash before the second run is over."""
        if not self._finished[device_id] or not left:
            return "-"
        seconds = (time.monotonic() - self._began[device_id]) / self._finished[device_id] * left
        return f"{seconds // 60:.0f}:{seconds % 60:02.0f}"


class LiveDisplay:
    """One line per device, redrawn; finished runs that did not go well scroll by above it."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._pacer = Pacer()
        self._lines: dict[str, DeviceEvent] = {}
        self._live = Live(console=self._console, get_renderable=self._table, refresh_per_second=REFRESH_PER_S)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def show(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, DeviceEvent):
            self._lines[event.device_id] = event
            return
        self._pacer.count(event)
        if not event.record.valid:
            self._console.print(f"{event.device_id}: {describe(event.record)}", markup=False, highlight=False)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for name in ("device", "runs", "phase", "left", "battery"):
            table.add_column(name, no_wrap=True)
        # What is longer than the terminal is cut here, so that every device keeps to its line.
        table.add_column("cell", no_wrap=True, max_width=max(20, self._console.width - OTHER_COLUMNS_WIDTH))
        for event in self._lines.values():
            celsius = "" if event.celsius is None else f"{event.celsius:.1f} C"
            left = self._pacer.eta(event.device_id, event.total - event.done)
            phase = f"{event.phase} {event.step}".rstrip()
            table.add_row(event.device_id, f"{event.done}/{event.total}", phase, left, celsius, event.detail)
        return table


class PlainDisplay:
    """A line with the time for every change of phase and every finished run, for logs."""

    def __init__(self) -> None:
        self._pacer = Pacer()
        self._said: dict[str, tuple[Phase, str] | None] = defaultdict(lambda: None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stderr.flush()

    def show(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, RunStored):
            self._pacer.count(event)
            left = self._pacer.eta(event.device_id, event.total - event.done)
            line = f"{event.done}/{event.total} {describe(event.record)}, left {left}"
        elif event.phase in _QUIET or (now := (event.phase, event.detail)) == self._said[event.device_id]:
            return
        else:
            self._said[event.device_id] = now
            celsius = "" if event.celsius is None else f" at {event.celsius:.1f} C"
            line = f"{event.phase}{celsius} {event.detail}".rstrip()
        clock = datetime.now(UTC).strftime("%H:%M:%S")
        print(f"{clock} {event.device_id}: {line}", file=sys.stderr, flush=True)


class NoDisplay:
    """Shows runs that did not go well, and no progress."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.stderr.flush()

    def show(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, RunStored) and not event.record.valid:
            say(f"{event.device_id}: {describe(event.record)}")


def make_display(tty: bool) -> Display:
    """The live one on a terminal, unless it or all progress is not wanted."""
    if verbosity() is Verbosity.QUIET:
        return NoDisplay()
    return LiveDisplay() if tty and sys.stderr.isatty() else PlainDisplay()


def describe(record: RunRecord) -> str:
    """A finished run in a line."""
    outcome = record.outcome
    text = f"{record.run_id} {outcome.kind}"
    if isinstance(outcome, Failed):
        return f"{text} in {outcome.stage} ({outcome.failure}): {outcome.message}"
    if isinstance(outcome, Skipped):
        return f"{text}: {outcome.message}"
    concerns = ", ".join(f"{concern.code} ({concern.severity})" for concern in record.concerns)
    return f"{text}{f', {concerns}' if concerns else ''}"
