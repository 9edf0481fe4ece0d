"""Section: what to ship where, why, and how sure that is. In words, computed from the verdicts alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.catalog import PAIRS
from models.shape import describe
from scripts.analysis.cells import RunState
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.verdict import ALPHA, Word
from scripts.records import DeviceKind
from scripts.report.kit.blocks import Block, Card, Column, Row, Section, Table
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import SetupView
from scripts.report.kit.words import MISSING, interval, number, percent, plural, sides
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
    """The summary at the top of the page."""
    found = decisions(evidence) if evidence.measured else []
    lead = [_runs_sentence(evidence)]
    if note := _phones_sentence(evidence):
        lead.append(note)
    if not found:
        lead.append(
            one_arm_reason(evidence)
            if evidence.measured
            else "Nothing can be decided: no run is usable. The reasons are listed under device health."
        )
    blocks: list[Block] = [decision_card(each) for each in found]
    return Section("decision", "Decision", tuple(lead), blocks)


def decision_card(decision: Decision) -> Card:
    """What to ship, why, and how sure."""
    lines = (_because(decision.rows), _sureness(decision), _budget(decision))
    return Card(
        title=_headline(decision),
        setup=decision.view,
        lines=tuple(line for line in lines if line),
        tables=(_contexts(decision),),
    )


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
        f"95 % interval {number(verdict.low)} to {number(verdict.high)}, n {sides((verdict.n_a, verdict.n_b))} runs"
    )
    times = f"{number(verdict.ratio)} times as long as the wide one ({spread})"
    if not verdict.names_winner:
        widest = max(abs(verdict.low - 1), abs(verdict.high - 1))
        return (
            f"{at} the deep shape took {times}, which shows no difference; it does not show that there is none: up to "
            f"{percent(widest, 0)} either way is possible."
        )
    silent = [str(each.at) for each in rows if not each.verdict.names_winner]
    only = f" No winner is named at context {', '.join(silent)}." if silent else ""
    return f"{at} the deep shape takes {times}.{only}"


def _contexts(decision: Decision) -> Table:
    titles = ("context", "deep ms", "wide ms", "deep / wide", "95 % interval", "n")
    return Table(
        "Milliseconds a token, medians over runs",
        (*(Column(title, numeric=True) for title in titles), Column("verdict")),
        [_context_row(row) for row in decision.rows],
    )


def _context_row(row: PairVerdict) -> Row:
    verdict = row.verdict
    deep, wide = row.deep.median(row.metric, row.at), row.wide.median(row.metric, row.at)
    spread = interval(verdict.low, verdict.high) if verdict.n_a and verdict.n_b else MISSING
    n = sides((verdict.n_a, verdict.n_b))
    return Row((str(row.at), number(deep), number(wide), number(verdict.ratio), spread, n, winner_phrase(row)))


def _sureness(decision: Decision) -> str:
    named = [row for row in decision.rows if row.verdict.names_winner]
    if not named:
        return ""
    worst = max(row.p_all for row in named)
    if worst <= ALPHA:
        return f"Sure even among all comparisons of this page: corrected over every row, p is {number(worst, 2)}."
    return (
        f"Sure for this device taken by itself; corrected over all comparisons of this page, p is {number(worst, 2)}, "
        "so repeat it before you pick the best row of a long table."
    )


def _budget(decision: Decision) -> str:
    row = decision.rows[0]
    shapes = f"Deep is {describe(row.deep.shape)}; wide is {describe(row.wide.shape)}."
    pair = PAIRS.get(decision.pair)
    if pair is None:
        return shapes
    if not pair.matched:
        return f"{shapes} The arms hold no common budget: {pair.note}."
    budget = pair.budget.replace("-", " ")
    return f"{shapes} Both hold equal {budget} within {percent(pair.tolerance)}; accuracy was not measured."


def _runs_sentence(evidence: Evidence) -> str:
    total, usable = len(evidence.records), evidence.count(RunState.USABLE)
    devices = len({view.device for view in evidence.views.values()})
    others = [
        f"{count} {state}" for state in RunState if state is not RunState.USABLE and (count := evidence.count(state))
    ]
    unreadable = len(evidence.loaded.unreadable)
    if unreadable:
        others.append(f"{unreadable} unreadable")
    left = f" Not used: {', '.join(others)}." if others else " Every run is usable."
    return f"{plural(total, 'run')} on {plural(devices, 'device')}, {usable} of them usable.{left}"


def _phones_sentence(evidence: Evidence) -> str:
    kinds = evidence.kinds
    if not kinds or kinds == {DeviceKind.PHONE}:
        return ""
    names = ", ".join(sorted(str(kind) for kind in kinds - {DeviceKind.PHONE}))
    if DeviceKind.PHONE in kinds:
        return (
            f"Rows marked “not a phone” ({names}) are never compared with phones; do not quote them as phone numbers."
        )
    return f"Not a phone: every number of this page comes from {names}. Nothing here may be quoted as a phone number."
