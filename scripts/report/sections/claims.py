"""Section: the seed article's claims."""

from collections.abc import Sequence

from scripts.claims.claim import Answer, ClaimRow
from scripts.report.kit.blocks import Card, Fold, Section
from scripts.report.kit.words import plural

# Longer explanations go below a fold, so that twelve answers can be read at a glance.
_LONG = 160


def claims_section(claims: Sequence[ClaimRow]) -> Section:
    """One card per claim."""
    lead = (
        "What is often said of deep-narrow networks, as something that can fail. Answers rest on what was measured in "
        "these records; published findings stand beside them and decide nothing.",
    )
    return Section("claims", "Claims", lead, [_card(row) for row in claims])


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
