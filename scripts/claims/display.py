"""The claims table for a terminal and for programs."""

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding

from export.console import print_json
from scripts.claims.claim import ClaimRow

_INDENT = 4


def print_claims(rows: Sequence[ClaimRow], as_json: bool) -> None:
    """Each claim with its answer, what was measured and what others published; or one line of JSON."""
    if as_json:
        print_json({"claims": list(rows)})
        return
    console = Console(highlight=False)
    for row in rows:
        answer = f"{row.answer}: {row.condition}" if row.condition else str(row.answer)
        console.print(row.title, style="bold", markup=False)
        lines = [f"-> {answer}", f"tested as: {row.definition}", *(f"measured: {line}" for line in row.measured)]
        lines += [f"published: {each.text} [{each.source}]" for each in row.published]
        for line in lines:
            console.print(Padding(line.replace("[", r"\["), (0, 0, 0, _INDENT)))
        console.print()
