"""What a section is made of: prose, tables and figures. A figure always carries the question that it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.report.kit.setups import SetupView

# A chart's rows: one mapping per mark, keys as in the chart's encoding.
DataRow = Mapping[str, str | float | int | bool | None]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; numbers are set right-aligned."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        setup: what the filters look at; None for rows that belong to no setup and are always shown.
        context: cache context, looked at by the context filter; None for rows of all contexts.
    """

    cells: tuple[str, ...]
    setup: SetupView | None = None
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a caption that says what it holds, units and interval included."""

    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart.

    Attributes:
        name: of its element and file.
        question: printed above the chart.
        spec: Vega-Lite, colours as CSS variables, data by name.
        note: units, interval and n.
        table: the same numbers for those who do not see the chart.
        one_setup: whether it shows the setup chosen in the page instead of all that pass the filters.
        one_pair: whether it shows only the chosen pair in it.
        all_contexts: whether the context filter leaves it alone.
    """

    name: str
    question: str
    spec: Mapping[str, object]
    note: str
    table: Table
    one_setup: bool = False
    one_pair: bool = False
    all_contexts: bool = False


@dataclass(frozen=True, slots=True)
class Fold:
    """Lines below a summary, opened on demand and on paper."""

    summary: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A short block of prose about one setup, pair or claim.

    Attributes:
        strong: whether the first line is the answer that the eye looks for.
    """

    title: str
    lines: tuple[str, ...]
    setup: SetupView | None = None
    tables: tuple[Table, ...] = ()
    folds: tuple[Fold, ...] = ()
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Prose:
    """Sentences between other blocks."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Blocks below a summary, opened on demand and on paper.

    Attributes:
        title: says what is inside and, where it can, what comes out of it.
    """

    title: str
    blocks: Sequence["Block"]


Block = Table | Figure | Card | Prose | Group


def figures_in(blocks: Sequence[Block]) -> list[Figure]:
    """All charts, also those in groups, in order."""
    found: list[Figure] = []
    for block in blocks:
        if isinstance(block, Group):
            found += figures_in(block.blocks)
        elif isinstance(block, Figure):
            found.append(block)
    return found


def in_group(title: str, blocks: Sequence[Block]) -> list[Block]:
    """The group, or nothing where there is nothing in it."""
    return [Group(title, blocks)] if blocks else []


@dataclass(frozen=True, slots=True)
class Section:
    """A chapter of the page.

    Attributes:
        headlines: what comes out of it, one sentence each, in large type.
        notes: short facts above the headlines.
        lead: what to know before the figures; also what is said when there is nothing to show.
        data: the rows of its charts, by data set.
    """

    anchor: str
    title: str
    lead: tuple[str, ...]
    blocks: Sequence[Block] = ()
    data: Mapping[str, Sequence[DataRow]] = field(default_factory=dict[str, Sequence[DataRow]])
    headlines: tuple[str, ...] = ()
    notes: Sequence["Note"] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A fact in a few words.

    Attributes:
        doubt: whether it is a reason to trust the numbers less.
    """

    text: str
    doubt: bool = False


def kind_of(block: Block) -> str:
    """`table`, `figure`, `card`, `prose` or `group`: which macro of the template draws it."""
    return type(block).__name__.lower()
