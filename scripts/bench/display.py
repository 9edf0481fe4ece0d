"""Tables for people, in Markdown so that they can be pasted, and the same with all raw figures as JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from rich import box
from rich.console import Console
from rich.table import Table

from scripts.analysis.spread import spread
from scripts.bench.contenders import Contender
from scripts.bench.decode import Figures, Session
from scripts.bench.exports import ExportRecord
from scripts.host.machine import Machine

_MB = 1e6
# Wide enough that no cell is wrapped or cut, whatever the terminal.
_WIDTH = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeReport:
    """What `decode --out` writes."""

    machine: Machine
    contenders: tuple[Contender, ...]
    baselines: tuple[str, ...]
    figures: tuple[Figures, ...]
    session: Session


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportReport:
    """What `export --out` writes."""

    machine: Machine
    records: tuple[ExportRecord, ...]


def write_report(report: DecodeReport | ExportReport, path: Path) -> None:
    """Write a report as JSON."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(report))
    text = json.dumps(adapter.dump_python(report, mode="json"), indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def print_decode(machine: Machine, figures: Sequence[Figures], rounds: int, session: Session) -> None:
    """For each number of threads: single tokens, speeds beside the baselines, the rest; usually in 80 columns."""
    _print_text(machine.summary())
    _print_text(
        f"Median [min..max] of {rounds} rounds. context: tokens before the first timed one. MBU: bytes of weights and "
        "cache that a token reads / (time * best read bandwidth). RAM: peak above that of the imported packages."
    )
    for count in dict.fromkeys(row.num_threads for row in figures):
        rows = [row for row in figures if row.num_threads == count]
        best = max(probe.bytes_per_s for probe in session.probes if probe.num_threads == count)
        _print_text(f"\n{count} thread{'s' * (count > 1)}, best read bandwidth {best / 1e9:.1f} GB/s")
        _print_table(_step_table(rows))
        if any(window.speed for row in rows for window in row.windows):
            _print_text("Times as fast as each baseline, paired by round:")
            _print_table(_speed_table(rows))
        _print_table(_load_table(rows))


def print_exports(machine: Machine, records: Sequence[ExportRecord]) -> None:
    """One row per tool."""
    _print_text(f"Whole processes, median [min..max]; {machine.summary()}")
    table = _table("tool", "wall s", "processor s", "peak RSS MB", "folder MB", "verified")
    for tool in dict.fromkeys(record.tool for record in records):
        mine = [record for record in records if record.tool == tool]
        table.add_row(
            tool,
            f"{spread(record.effort.wall_s for record in mine):.1f}",
            f"{spread(record.effort.cpu_s for record in mine):.1f}",
            f"{max(record.effort.peak_rss_bytes for record in mine) / _MB:.0f}",
            f"{mine[-1].file_bytes / _MB:.1f}",
            "yes" if mine[-1].verified else "no",
        )
    _print_table(table)


def _step_table(rows: Sequence[Figures]) -> Table:
    """Rows of one context stand together: they are what is compared."""
    table = _table("artifact", "context", "ms per token", "tok/s", "MBU")
    for index in range(len(rows[0].windows)):
        for row in rows:
            figures = row.windows[index]
            table.add_row(
                row.contender, str(figures.window.start), f"{figures.p50_ms:.2f}", f"{figures.tokens_per_s:.1f}",
                f"{figures.bandwidth_utilization:.2f}",
            )  # fmt: skip
    return table


def _speed_table(rows: Sequence[Figures]) -> Table:
    baselines = list(dict.fromkeys(name for row in rows for window in row.windows for name in window.speed))
    table = _table("artifact", "context", *baselines)
    for index in range(len(rows[0].windows)):
        for row in rows:
            speed = row.windows[index].speed
            cells = [f"{speed[name]:.2f}" if name in speed else "1" for name in baselines]
            table.add_row(row.contender, str(row.windows[index].window.start), *cells)
    return table


def _load_table(rows: Sequence[Figures]) -> Table:
    table = _table("artifact", "prefill tok/s", "load s", "RAM MB", "file MB")
    for row in rows:
        table.add_row(
            row.contender, f"{row.prefill_tokens_per_s:.0f}", f"{row.load_s.median:.2f}",
            f"{row.working_memory_bytes / _MB:.0f}", f"{row.file_bytes / _MB:.1f}",
        )  # fmt: skip
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table


def _print_text(line: str) -> None:
    """Wrapped at words on a terminal, one line in a file or a pipe."""
    console = Console()
    console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _print_table(table: Table) -> None:
    """At its own width, without the blanks that a narrow terminal would wrap."""
    console = Console(width=_WIDTH)
    with console.capture() as capture:
        console.print(table, markup=False, highlight=False)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
