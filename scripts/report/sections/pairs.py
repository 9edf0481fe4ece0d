"""Section: the deep arm of each pair against the wide one."""

from collections.abc import Sequence

import altair as alt

from scripts.analysis.pairs import PairVerdict
from scripts.analysis.verdict import Word
from scripts.report.kit.blocks import Block, Column, DataRow, Figure, Row, Section, Table
from scripts.report.kit.charts import Spec, finish, named, row_names, rows_of, tooltip
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.palette import css
from scripts.report.kit.setups import tags
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
    blocks: list[Block] = []
    if any(row.verdict.n_a and row.verdict.n_b for row in evidence.verdicts):
        blocks.append(_forest(evidence))
    return Section(
        "pairs", "Deep against wide", (_RULE,), [*blocks, _table(evidence), *explained], {"verdicts": _rows(evidence)}
    )


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


def _forest(evidence: Evidence) -> Figure:
    return Figure(
        name="verdicts",
        question="Which arm is faster, by how much, and how sure is that?",
        spec=_forest_spec(),
        note="Mark: time of the deep arm / time of the wide arm; line: 95 % bootstrap interval over runs. Left of 1 "
        "the deep arm is faster, right of it the wide one. Filled: a winner is named; hollow: none is. n: usable runs, "
        "deep + wide. At the chosen context.",
        table=Table("The same numbers are in the table of verdicts below", (), ()),
    )


def _forest_spec() -> Spec:
    y = rows_of()
    x = alt.X("ratio:Q", title="deep / wide, ms per token", scale=alt.Scale(zero=False, nice=True, padding=12))
    scale = alt.Scale(
        domain=["deep faster", "wide faster", "no winner named"], range=[css("deep"), css("wide"), css("sweep")]
    )
    color = alt.Color("winner:N", legend=alt.Legend(title=None, orient="top"), scale=scale)
    fill = alt.Fill("winner:N", legend=alt.Legend(title=None, orient="top"), scale=scale)
    tips = tooltip(
        ("row:N", "pair"),
        ("ratio:Q", "deep / wide"),
        ("low:Q", "from"),
        ("high:Q", "to"),
        ("word:N", "verdict"),
        ("reason:N", "because"),
    )
    one = alt.Chart(alt.InlineData([{"ratio": 1}])).mark_rule(strokeWidth=1.2, color=css("ink")).encode(x="ratio:Q")
    line = named("verdicts").mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, color=color)
    point = (
        named("verdicts")
        .mark_point(size=75, strokeWidth=2, opacity=1)
        .encode(
            x=x,
            y=y,
            color=color,
            tooltip=tips,
            fill=alt.condition("datum.named", fill, alt.value(css("paper"))),
        )
    )
    label = (
        named("verdicts")
        .mark_text(align="left", dx=6, fontSize=10, color=css("soft"))
        .encode(x="high:Q", y=y, text="n_label:N")
    )
    return finish([one, line, point, label, *row_names("verdicts")])


def _rows(evidence: Evidence) -> list[DataRow]:
    return [_row(evidence, row) for row in evidence.verdicts if row.verdict.n_a and row.verdict.n_b]


def _row(evidence: Evidence, row: PairVerdict) -> DataRow:
    view, verdict = evidence.views[row.setup], row.verdict
    winner = "no winner named"
    if verdict.names_winner:
        winner = "deep faster" if verdict.word in (Word.FASTER, Word.SMALLER) else "wide faster"
    return {
        **tags(view),
        "pair": row.pair,
        "context": row.at,
        "row": f"{view.full_label} · {row.pair}",
        "name": row.pair,
        "ratio": round(verdict.ratio, 4),
        "low": round(verdict.low, 4),
        "high": round(verdict.high, 4),
        "word": winner_phrase(row),
        "winner": winner,
        "named": verdict.names_winner,
        "reason": verdict.reason,
        "n_label": f"n {verdict.n_a} + {verdict.n_b}",
    }


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
