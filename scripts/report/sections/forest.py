"""The chart of the decision: deep / wide with its interval, for every pair, setup and context."""

import math
from collections.abc import Sequence

import altair as alt

from scripts.analysis.pairs import PairVerdict
from scripts.analysis.verdict import Word
from scripts.report.kit.blocks import DataRow, Figure, Table
from scripts.report.kit.charts import Spec, band_names, finish_bands, in_band, named, slot, tooltip
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.palette import css
from scripts.report.kit.setups import tags
from scripts.report.kit.words import number, sides
from scripts.report.sections.pairs import winner_phrase

# Room for the labels, as a share of what the intervals span.
_MARGIN, _LABELS = 0.04, 0.45
_WINNERS = alt.Scale(
    domain=["deep faster", "wide faster", "no winner named"], range=[css("deep"), css("wide"), css("sweep")]
)
_TIPS = (
    ("band:N", "pair"),
    ("context:Q", "context"),
    ("ratio:Q", "deep / wide"),
    ("low:Q", "from"),
    ("high:Q", "to"),
    ("word:N", "verdict"),
    ("reason:N", "because"),
)
# Beyond this ratio of the largest to the smallest end the small differences would be squeezed together.
_LOGARITHMIC = 4.0


def forest_figure(evidence: Evidence) -> Figure | None:
    """None where no comparison has runs on both sides."""
    rows = forest_rows(evidence)
    if not rows:
        return None
    slots = list(dict.fromkeys(str(row["slot"]) for row in sorted(rows, key=_context)))
    return Figure(
        name="verdicts",
        question="Which arm is faster, by how much, and how sure is that?",
        spec=_spec(rows, slots),
        note="Mark: time of the deep arm / time of the wide arm (Hodges-Lehmann); line: 95 % interval that inverts the "
        "test. Left of 1 the deep arm is faster, right of it the wide one. Filled: a winner is named; hollow: none is. "
        "Beside the mark: context, ratio, and n, the runs deep + wide that were judged.",
        table=Table("The same numbers are in the tables below", (), ()),
        all_contexts=True,
    )


def forest_rows(evidence: Evidence) -> list[DataRow]:
    """The data set `verdicts`."""
    return [_row(evidence, row) for row in evidence.verdicts if math.isfinite(row.verdict.ratio)]


def _context(row: DataRow) -> float:
    return float(row["context"] or 0)


def _spec(rows: Sequence[DataRow], slots: Sequence[str]) -> Spec:
    y, place = in_band(), slot("slot", slots)
    x = alt.X("ratio:Q", title="deep / wide, ms per token", scale=_scale(rows))
    legend = alt.Legend(title=None, orient="top")
    color = alt.Color("winner:N", legend=legend, scale=_WINNERS)
    fill = alt.Fill("winner:N", legend=legend, scale=_WINNERS)
    one = alt.Chart(alt.InlineData([{"ratio": 1}])).mark_rule(strokeWidth=1.2, color=css("ink")).encode(x="ratio:Q")
    line = named("verdicts").mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, yOffset=place, color=color)
    point = (
        named("verdicts")
        .mark_point(size=70, strokeWidth=2, opacity=1)
        .encode(
            x=x,
            y=y,
            yOffset=place,
            color=color,
            tooltip=tooltip(*_TIPS),
            fill=alt.condition("datum.named", fill, alt.value(css("paper"))),
        )
    )
    label = (
        named("verdicts")
        .mark_text(align="left", baseline="middle", dx=8, fontSize=10.5, color=css("soft"))
        .encode(x="end:Q", y=y, yOffset=place, text="label:N")
    )
    return finish_bands([one, line, point, label, *band_names("verdicts", slots)], len(slots))


def _scale(rows: Sequence[DataRow]) -> alt.Scale:
    ends = [float(row[key] or 1) for row in rows for key in ("low", "high", "ratio")]
    low, high = min(1.0, *ends), max(1.0, *ends)
    if high > _LOGARITHMIC * low:
        span = high / low
        return alt.Scale(type="log", domain=[low / span**_MARGIN, high * span**_LABELS], nice=False)
    span = max(high - low, 0.02)
    return alt.Scale(domain=[low - _MARGIN * span, high + _LABELS * span], zero=False, nice=False)


def _row(evidence: Evidence, row: PairVerdict) -> DataRow:
    view, verdict = evidence.views[row.setup], row.verdict
    winner = "no winner named"
    if verdict.names_winner:
        winner = "deep faster" if verdict.word in (Word.FASTER, Word.SMALLER) else "wide faster"
    return {
        **tags(view),
        "pair": row.pair,
        "context": row.at,
        "slot": f"context {row.at}",
        "band": f"{view.full_label} · {row.pair}",
        "ratio": _finite(verdict.ratio),
        "low": _finite(verdict.low),
        "high": _finite(verdict.high),
        "end": _finite(verdict.high) or _finite(verdict.ratio),
        "word": winner_phrase(row),
        "winner": winner,
        "named": verdict.names_winner,
        "reason": verdict.reason,
        "label": f"{row.at}: {number(verdict.ratio)}, n {sides((verdict.n_a, verdict.n_b))}",
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None
