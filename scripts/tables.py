"""Tables of results, described once and written for a terminal, for a pull request or for a spreadsheet.

JSON is no table: each command has its own, of the same numbers unrounded and with more around them.
"""

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from export.console import say
from models.errors import UserError
from scripts.console import kind_note, new_table, show
from scripts.records import DeviceKind

Value = str | int | float | None


class TableFormat(StrEnum):
    """How a command prints its result."""

    TABLE = "table"  # for a terminal
    MARKDOWN = "md"  # for a pull request
    CSV = "csv"
    JSON = "json"


FormatOption = Annotated[
    TableFormat | None,
    typer.Option("--format", help="For a terminal, a pull request, a spreadsheet or a program. Default: table."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Short form of --format json.")]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        heading: for people; one that starts with `>` is of numbers and stands to the right.
        names: in CSV, with units; several where a cell holds several values, such as an interval. None in tables
            that are not in CSV.
    """

    heading: str
    names: tuple[str, ...] = ()

    @property
    def is_number(self) -> bool:
        """Whether it stands to the right."""
        return self.heading.startswith(">")

    @property
    def label(self) -> str:
        """What stands above it."""
        return self.heading.removeprefix(">")


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell of a table.

    Attributes:
        text: for people, rounded.
        values: for CSV, not rounded, one for each of the column's names; None where there is none.
    """

    text: str
    values: tuple[Value, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultTable:
    """A table with what is needed to understand it alone.

    Attributes:
        title: what the rows share, such as a setup.
        kind: of device; None where the title stands below another table of the same device, or it is unknown.
        notes: sentences below.
    """

    title: str
    kind: DeviceKind | None
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def in_csv(self) -> bool:
        """Whether it has a place there: a file of CSV holds tables of the same columns only."""
        return all(column.names for column in self.columns)


def wanted_format(given: TableFormat | None, as_json: bool) -> TableFormat:
    """The format that the options ask for.

    Raises:
        UserError: they contradict each other.
    """
    if as_json and given not in (None, TableFormat.JSON):
        raise UserError(f"--json is short for --format json and excludes --format {given}; give one of them")
    return TableFormat.JSON if as_json else given or TableFormat.TABLE


def text(value: str | int | None) -> Entry:
    """Something that is the same for people and in CSV."""
    return Entry("" if value is None else str(value), (value,))


def number(shown: str, value: float | None) -> Entry:
    """A rounded number and the number itself."""
    return Entry(shown, (value,))


def write_tables(tables: Sequence[ResultTable], form: TableFormat, notes: Sequence[str] = ()) -> None:
    """Write tables to standard output.

    Args:
        tables: in their order.
        form: any but JSON.
        notes: sentences about all of them. CSV has none in it, so they go to standard error there.
    """
    match form:
        case TableFormat.TABLE:
            _write_terminal(tables, notes)
        case TableFormat.MARKDOWN:
            print("\n".join(_markdown(tables, notes)))
        case TableFormat.CSV:
            _write_csv([table for table in tables if table.in_csv])
            beside = dict.fromkeys(table.title for table in tables if not table.in_csv)
            if beside:
                say(f"not in CSV, see --format json: {'; '.join(beside)}")
            for note in notes:
                say(note)
        case TableFormat.JSON:
            raise ValueError("JSON is printed by the command itself")


def _write_terminal(tables: Sequence[ResultTable], notes: Sequence[str]) -> None:
    for table in tables:
        show(f"\n{table.title}{'' if table.kind is None else kind_note(table.kind)}")
        drawn = new_table(*(column.heading for column in table.columns))
        for row in table.rows:
            drawn.add_row(*(entry.text for entry in row))
        if table.rows:
            show(drawn)
        for note in table.notes:
            show(f"  {note}")
    for note in notes:
        show(note)


def _markdown(tables: Sequence[ResultTable], notes: Sequence[str]) -> Iterator[str]:
    """Lines of GitHub's pipe tables. The kind of device is always named: such text is read far from its page."""
    for table in tables:
        yield f"**{_escaped(table.title)}**{'' if table.kind is None else f' (kind of device: {table.kind})'}\n"
        if table.rows:
            yield _pipes([column.label for column in table.columns])
            yield "|" + "|".join("---:" if column.is_number else ":---" for column in table.columns) + "|"
            yield from (_pipes([entry.text for entry in row]) for row in table.rows)
            yield ""
        if table.notes:
            yield from (f"- {_escaped(note)}" for note in table.notes)
            yield ""
    yield from (f"{_escaped(note)}\n" for note in notes)


def _pipes(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(words: str) -> str:
    """Text that Markdown shows as it is: a record may hold any name."""
    for special in "\\|*_`<[":
        words = words.replace(special, f"\\{special}")
    return " ".join(words.split())


def _write_csv(tables: Sequence[ResultTable]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if not tables:
        return
    names = [name for column in tables[0].columns for name in column.names]
    # Setups of one label may differ, say in the OS build: the number of the table keeps their rows apart.
    writer.writerow(["table", "setup", "device_kind", *names])
    for position, table in enumerate(tables, start=1):
        assert [name for column in table.columns for name in column.names] == names, table.title
        for row in table.rows:
            values = [_csv_value(value) for entry in row for value in entry.values]
            writer.writerow([position, table.title, table.kind or "", *values])


def _csv_value(value: Value) -> Value:
    return None if isinstance(value, float) and math.isnan(value) else value
