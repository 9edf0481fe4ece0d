"""Section: the deep arm of each pair against the wide one."""

from collections.abc import Sequence

from scripts.analysis.pairs import PairVerdict
from scripts.report.kit.blocks import Block, Column, Row, Section, Table, in_group
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.words import MISSING, interval, number, sides

_RULE = (
    "A winner is named only with at least 5 usable runs of each arm, if the test holds at 5 % after Holm's correction "
    "over the setup's comparisons, and if the ratio differs from 1 by more than the metric's floor. One run gives one "
    "number; steps of different runs are never pooled."
)


def pairs_section(evidence: Evidence, explained: Sequence[Block]) -> Section:
    """Verdicts, then what explains them."""
    if not evidence.verdicts:
        return Section("pairs", "Deep against wide", (one_arm_reason(evidence),))
    verdicts = in_group("All verdicts, with p and reasons", [_table(evidence)])
    made_of = in_group("What the differences are made of, and other meanings of the same budget", explained)
    return Section("pairs", "Deep against wide", (_RULE,), [*verdicts, *made_of])


def one_arm_reason(evidence: Evidence) -> str:
    """Why there is no verdict, in words."""
    arms = sorted({f"{c.key.network.pair} {c.key.network.arm}" for c in evidence.measured if c.key.network.arm})
    if not arms:
        return "No verdict: no usable run is of an arm of a pair."
    return f"No verdict: no setup has both arms of a pair. Arms with usable runs: {', '.join(arms)}."


def winner_phrase(row: PairVerdict) -> str:
    """The verdict's word with the arm it belongs to."""
    if row.verdict.names_winner:
        return f"deep is {row.verdict.word}"
    return str(row.verdict.word)


def _table(evidence: Evidence) -> Table:
    columns = (
        Column("setup"),
        Column("pair"),
        Column("context", True),
        Column("deep ms", True),
        Column("wide ms", True),
        Column("deep / wide", True),
        Column("95 % interval", True),
        Column("verdict"),
        Column("runs", True),
        Column("p", True),
        Column("p, all rows", True),
        Column("because"),
    )
    rows = [_table_row(evidence, row) for row in evidence.verdicts]
    return Table(
        "Verdicts on decode p50; p is corrected over the setup, “p, all rows” over everything shown here", columns, rows
    )


def _table_row(evidence: Evidence, row: PairVerdict) -> Row:
    verdict, view = row.verdict, evidence.views[row.setup]
    known = bool(verdict.n_a and verdict.n_b)
    cells = (
        view.full_label,
        row.pair,
        MISSING if row.at is None else str(row.at),
        number(row.deep.median(row.metric, row.at)),
        number(row.wide.median(row.metric, row.at)),
        number(verdict.ratio, 4),
        interval(verdict.low, verdict.high) if known else MISSING,
        winner_phrase(row),
        sides((verdict.n_a, verdict.n_b)),
        number(verdict.p_adjusted, 2),
        number(row.p_all, 2),
        verdict.reason,
    )
    return Row(cells, view, row.at)
