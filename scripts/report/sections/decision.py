"""Section: what to ship where, why, and how sure that is. In words, computed from the verdicts alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.catalog import PAIRS
from models.shape import describe
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.verdict import ALPHA, POWER, Verdict, Word
from scripts.report.kit.blocks import Card, Column, Group, Prose, Row, Section, Table
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import SetupView
from scripts.report.kit.words import MISSING, change, interval, number, percent, plural, sides
from scripts.report.sections.forest import forest_figure, forest_rows
from scripts.report.sections.headline import headlines, quality_notes
from scripts.report.sections.pairs import one_arm_reason, winner_phrase


class Choice(StrEnum):
    """What the verdicts of one pair in one setup come to."""

    DEEP = "deep"
    WIDE = "wide"
    EITHER = "either"
    BY_CONTEXT = "by context"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Decision:
    """One pair in one setup, over all contexts.

    Attributes:
        rows: its verdicts, by context.
    """

    view: SetupView
    pair: str
    choice: Choice
    rows: tuple[PairVerdict, ...]


def decisions(evidence: Evidence) -> list[Decision]:
    """One for each setup and pair."""
    groups: dict[tuple[str, str], list[PairVerdict]] = {}
    for row in evidence.verdicts:
        groups.setdefault((evidence.views[row.setup].key, row.pair), []).append(row)
    return [
        Decision(evidence.views[rows[0].setup], rows[0].pair, _choice(rows), tuple(rows)) for rows in groups.values()
    ]


def decision_section(evidence: Evidence) -> Section:
    """The first screen: how far to trust the runs, one sentence a pair, one chart; details of each device folded."""
    found = decisions(evidence) if evidence.measured else []
    chart = forest_figure(evidence) if found else None
    return Section(
        "decision",
        "Decision",
        () if found else (_reason(evidence),),
        [*([chart] if chart else []), *([Prose(_context_of(evidence, found))] if found else []), *_details(found)],
        {"verdicts": forest_rows(evidence)} if chart else {},
        headlines=headlines(evidence.verdicts) if found else (),
        notes=quality_notes(evidence),
    )


def decision_card(decision: Decision) -> Card:
    """What to ship, why, and the numbers at each context."""
    return Card(
        title=_headline(decision),
        setup=decision.view,
        lines=(_because(decision.rows), *_modes(decision.rows)),
        tables=(_contexts(decision),),
    )


def _reason(evidence: Evidence) -> str:
    if evidence.measured:
        return one_arm_reason(evidence)
    return "Nothing can be decided: no run is usable. The reasons are listed under device health."


def _context_of(evidence: Evidence, found: Sequence[Decision]) -> tuple[str, ...]:
    """How sure the winners are together, and what each pair is."""
    pairs = {each.pair: each for each in found}
    return tuple(line for line in (_sureness(evidence.verdicts), *map(_budget, pairs.values())) if line)


def _details(found: Sequence[Decision]) -> list[Group]:
    """A group for each device, with what it comes to in its title."""
    devices: dict[tuple[str, str], list[Decision]] = {}
    for each in found:
        devices.setdefault((each.view.device, each.view.warning), []).append(each)
    return [
        Group(_group_title(device, warning, each), [decision_card(one) for one in each])
        for (device, warning), each in devices.items()
    ]


def _group_title(device: str, warning: str, found: Sequence[Decision]) -> str:
    told = "; ".join(headlines([row for each in found for row in each.rows]))
    return f"{device}{f' ({warning})' * bool(warning)}, {told}"


def _choice(rows: Sequence[PairVerdict]) -> Choice:
    if not any(row.verdict.decided for row in rows):
        return Choice.UNDECIDED
    winners = {
        Choice.DEEP if row.verdict.word is Word.FASTER else Choice.WIDE for row in rows if row.verdict.names_winner
    }
    if len(winners) == 2:
        return Choice.BY_CONTEXT
    return winners.pop() if winners else Choice.EITHER


def _headline(decision: Decision) -> str:
    deep, wide = decision.rows[0].deep, decision.rows[0].wide
    match decision.choice:
        case Choice.DEEP:
            return f"{decision.pair}: ship the deep shape, {deep.key.network.shape_name}"
        case Choice.WIDE:
            return f"{decision.pair}: ship the wide shape, {wide.key.network.shape_name}"
        case Choice.EITHER:
            return f"{decision.pair}: no difference in speed shown"
        case Choice.BY_CONTEXT:
            return f"{decision.pair}: it depends on the context"
        case Choice.UNDECIDED:
            few = any(row.verdict.word is Word.NOT_ENOUGH for row in decision.rows)
            return f"{decision.pair}: not decided{', more runs are needed' * few}"


def _because(rows: Sequence[PairVerdict]) -> str:
    """The strongest row in a sentence: the longest context at which a winner is named, else the longest of all."""
    named = [row for row in rows if row.verdict.names_winner]
    row = (named or list(rows))[-1]
    verdict, at = row.verdict, f"At context {row.at}"
    if not verdict.decided:
        return f"{at}: {verdict.reason}."
    spread = (
        f"95 % interval {interval(verdict.low, verdict.high)}, which is {change(verdict.low, verdict.high)}; "
        f"n {sides((verdict.n_a, verdict.n_b))} runs"
    )
    times = f"{number(verdict.ratio)} times as long as the wide one ({spread})"
    if not verdict.names_winner:
        return f"{at} the deep shape took {times}. That shows no difference, not that there is none{_power(verdict)}."
    silent = [str(each.at) for each in rows if not each.verdict.names_winner]
    only = f" No winner is named at context {', '.join(silent)}." if silent else ""
    return f"{at} the deep shape takes {times}.{only}"


def _power(verdict: Verdict) -> str:
    """What such runs would have shown."""
    if math.isnan(verdict.minimum_effect):
        return ""
    return f": such runs show one of {percent(verdict.minimum_effect)} in {POWER:.0%} of repetitions"


def _modes(rows: Sequence[PairVerdict]) -> tuple[str, ...]:
    """What was done where runs fall into two modes."""
    return tuple(f"Context {row.at}: {row.verdict.reason}." for row in rows if row.verdict.modes)


def _contexts(decision: Decision) -> Table:
    titles = ("context", "deep ms", "wide ms", "deep / wide", "95 % interval", "n")
    return Table(
        "Milliseconds a token, medians over runs; deep / wide by Hodges-Lehmann, its interval inverts the test",
        (*(Column(title, numeric=True) for title in titles), Column("verdict")),
        [_context_row(row) for row in decision.rows],
    )


def _context_row(row: PairVerdict) -> Row:
    verdict = row.verdict
    deep, wide = row.deep.median(row.metric, row.at), row.wide.median(row.metric, row.at)
    spread = interval(verdict.low, verdict.high) if verdict.n_a and verdict.n_b else MISSING
    n = sides((verdict.n_a, verdict.n_b))
    return Row((str(row.at), number(deep), number(wide), number(verdict.ratio), spread, n, winner_phrase(row)))


def _sureness(rows: Sequence[PairVerdict]) -> str:
    named = [row for row in rows if row.verdict.names_winner]
    if not named:
        return ""
    worst = max(row.p_all for row in named)
    told = f"Corrected over all {plural(len(rows), 'comparison')} of this page, the largest p of a winner is"
    if worst <= ALPHA:
        return f"{told} {number(worst, 2)}."
    return (
        f"{told} {number(worst, 2)}: each winner holds for its setup taken by itself; repeat it before you pick the "
        "best row of a long table."
    )


def _budget(decision: Decision) -> str:
    row = decision.rows[0]
    shapes = f"{decision.pair}: deep is {describe(row.deep.shape)}; wide is {describe(row.wide.shape)}."
    pair = PAIRS.get(decision.pair)
    if pair is None:
        return shapes
    if not pair.matched:
        return f"{shapes} The arms hold no common budget: {pair.note}."
    budget = pair.budget.replace("-", " ")
    return f"{shapes} Both hold equal {budget} within {percent(pair.tolerance)}; accuracy was not measured."
