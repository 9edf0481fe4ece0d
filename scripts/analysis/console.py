"""How the commands write: one line, a number, a table that is never folded."""

import math

from rich.console import Console
from rich.table import Table

from scripts.records import DeviceKind

_TABLE_WIDTH = 200


def say(line: str) -> None:
    """One line on standard error."""
    Console(stderr=True).print(line, markup=False, highlight=False, soft_wrap=True)


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
