"""Section: the seed article's claims."""

from collections.abc import Sequence

from scripts.claims.claim import Answer, ClaimRow
from scripts.report.kit.blocks import Card, Column, Fold, Row, Section, Table, in_group
from scripts.report.kit.words import plural

# Longer explanations go below a fold, so that twelve answers can be read at a glance.
_LONG = 160


def claims_section(claims: Sequence[ClaimRow]) -> Section:
    """A table of answers, and a card for each claim below a fold."""
    lead = (
        "What is often said of deep-narrow networks, as something that can fail. Answers rest on what was measured in "
        "these records; published findings stand beside them and decide nothing.",
    )
    columns = (Column("claim"), Column("answer"))
    table = Table("Answers", columns, [Row((row.title, str(row.answer))) for row in claims])
    details = in_group("Definitions, findings and what others published", [_card(row) for row in claims])
    return Section("claims", "Claims", lead, [table, *details])


def _card(row: ClaimRow) -> Card:
    short = row.condition if len(row.condition) <= _LONG else ""
    line = f"{row.answer}: {short}" if short else str(row.answer)
    # Without this word the reader of "depends on" would look for what it depends on here.
    line += " (see below)" if row.answer is Answer.DEPENDS and not short else ""
    folds = [
        Fold("On what", (row.condition,)) if row.condition and not short else None,
        Fold(f"Measured here: {plural(len(row.measured), 'finding')}", row.measured) if row.measured else None,
        Fold("Published", tuple(f"{each.text} [{each.source}]" for each in row.published)) if row.published else None,
    ]
    return Card(
        row.title, (line, f"Tested as: {row.definition}"), folds=tuple(fold for fold in folds if fold), strong=True
    )
