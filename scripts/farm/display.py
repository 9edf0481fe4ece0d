"""What the commands print: tables for people on standard output, or one line of JSON."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from scripts.farm.device import Problem

MIN_WIDTH = 240


def say(line: str) -> None:
    """One line on standard error."""
    print(line, file=sys.stderr, flush=True)


def print_json(value: object) -> None:
    """One compact line on standard output."""
    print(json.dumps(value, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table; columns whose name begins with `>` are right-aligned."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else max(MIN_WIDTH, shutil.get_terminal_size().columns)
    Console(width=width, markup=False, highlight=False).print(table)


def print_problems(problems: Sequence[Problem]) -> None:
    """What is wrong and what to do about it, or that nothing is."""
    if not problems:
        print("no fault found")
        return
    print_table(("who", "what is wrong", "what to do"), [(each.who, each.what, each.what_to_do) for each in problems])
