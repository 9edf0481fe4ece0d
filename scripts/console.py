"""Tables and numbers for people, on standard output.

How a line, JSON and an error are printed and how a command ends is in `export.console`, since `export` needs it, too.
"""

import math
import shutil
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from scripts.records import DeviceKind

_TABLE_WIDTH = 200
_FOLDED_WIDTH = 240


def kind_note(kind: DeviceKind) -> str:
    """What a label says beside a device that is no phone."""
    return "" if kind is DeviceKind.PHONE else f" [{kind}]"


def shown(value: float) -> str:
    """Three digits; empty for NaN."""
    if math.isnan(value):
        return ""
    return "unbounded" if math.isinf(value) else f"{value:.3g}"


def new_table(*columns: str) -> Table:
    """A table without lines; a column that starts with `>` holds numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    return table


def show(what: object) -> None:
    """A line or a table on standard output."""
    # Rows are never cut or folded to the terminal's width: numbers would be lost.
    console = Console(width=_TABLE_WIDTH) if isinstance(what, Table) else Console()
    console.print(what, markup=False, highlight=False, soft_wrap=isinstance(what, str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows of any values, `-` for None; folded to a terminal's width, and hardly ever elsewhere."""
    table = new_table(*columns)
    for column in table.columns:
        column.no_wrap, column.overflow = False, "fold"
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    width = None if sys.stdout.isatty() else max(_FOLDED_WIDTH, shutil.get_terminal_size().columns)
    Console(width=width, markup=False, highlight=False).print(table)
