"""Tables for people, in Markdown so that they can be pasted, and the same with all raw figures as JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from rich import box
from rich.console import Console
from rich.table import Table

from scripts.bench.decode import Figures, Session
from scripts.bench.exports import ExportRecord
from scripts.bench.machine import Machine
from scripts.bench.spread import spread
from scripts.bench.subjects import Subject

_MB = 1e6
# Wide enough that no cell is wrapped or cut, whatever the terminal.
_WIDTH = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeReport:
    """What `decode --out` writes."""

    machine: Machine
    subjects: tuple[Subject, ...]
    baselines: tuple[str, ...]
    figures: tuple[Figures, ...]
    session: Session


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportReport:
    """What `export --out` writes."""

    machine: Machine
    records: tuple[ExportRecord, ...]


def say(line: str) -> None:
    """One line on standard error."""
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


def write_report(report: DecodeReport | ExportReport, path: Path) -> None:
    """Write a report as JSON."""
    adapter: TypeAdapter[Any] = TypeAdapter(type(report))
    text = json.dumps(adapter.dump_python(report, mode="json"), indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def print_decode(machine: Machine, figures: Sequence[Figures], rounds: int, session: Session) -> None:
    """One table of figures and one of paired speeds for each number of threads."""
    for count in dict.fromkeys(row.num_threads for row in figures):
        rows = [row for row in figures if row.num_threads == count]
        best = max(probe.bytes_per_s for probe in session.probes if probe.num_threads == count)
        _print(
            f"{count} thread(s), median [min..max] of {rounds} rounds; best read bandwidth {best / 1e9:.1f} GB/s; "
            f"{machine.summary()}"
        )
        _print(_figures_table(rows))
        if any(window.speed for row in rows for window in row.windows):
            _print(_speed_table(rows))


def print_exports(machine: Machine, records: Sequence[ExportRecord]) -> None:
    """One row per tool."""
    _print(f"whole processes, median [min..max]; {machine.summary()}")
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
    _print(table)


def _figures_table(rows: Sequence[Figures]) -> Table:
    windows = [window.window for window in rows[0].windows]
    per_window = [title for w in windows for title in (f"ms @{w.start}", f"tok/s @{w.start}", f"MBU @{w.start}")]
    table = _table("artifact", *per_window, "prefill tok/s", "load s", "RSS above imports MB", "files MB")
    for row in rows:
        cells = [
            cell
            for window in row.windows
            for cell in (f"{window.p50_ms:.2f}", f"{window.tokens_per_s:.0f}", f"{window.bandwidth_utilization:.2f}")
        ]
        table.add_row(
            row.subject, *cells, f"{row.prefill_tokens_per_s:.0f}", f"{row.load_s:.2f}",
            f"{row.working_memory_bytes / _MB:.0f}", f"{row.file_bytes / _MB:.1f}",
        )  # fmt: skip
    return table


def _speed_table(rows: Sequence[Figures]) -> Table:
    baselines = list(dict.fromkeys(name for row in rows for window in row.windows for name in window.speed))
    windows = [window.window.start for window in rows[0].windows]
    titles = [f"times as fast as {name} @{start}" for name in baselines for start in windows]
    table = _table("artifact", *titles)
    for row in rows:
        table.add_row(
            row.subject,
            *[
                f"{window.speed[name]:.2f}" if name in window.speed else "1"
                for name in baselines
                for window in row.windows
            ],
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.MARKDOWN)
    table.add_column(first)
    for title in others:
        table.add_column(title, justify="right")
    return table


def _print(what: str | Table) -> None:
    Console(width=_WIDTH).print(what, markup=False, highlight=False)
