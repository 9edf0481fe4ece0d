"""What the page comes to: one sentence for each pair, and how far its runs can be trusted, in a line above it."""

from collections.abc import Sequence

from scripts.analysis.cells import RunState, run_state
from scripts.analysis.health import DeviceHealth, Grade, device_health
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.verdict import Word
from scripts.records import ConcernCode, DeviceKind, RunRecord
from scripts.report.kit.blocks import Note
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import device_name
from scripts.report.kit.words import number, percent, plural

# More devices than this are counted by their grade.
_NAMED_DEVICES = 3


def headlines(rows: Sequence[PairVerdict]) -> tuple[str, ...]:
    """One sentence for each pair, such as `wide is faster in 4 of 4 comparisons, 1.21 to 1.38 times`."""
    pairs = list(dict.fromkeys(row.pair for row in rows))
    return tuple(f"{pair}: {outcome([row for row in rows if row.pair == pair])}" for pair in pairs)


def outcome(rows: Sequence[PairVerdict]) -> str:
    """What the comparisons of one pair come to, without its name."""
    deep = [1 / row.verdict.ratio for row in rows if _winner(row) is Word.FASTER]
    wide = [row.verdict.ratio for row in rows if _winner(row) is Word.SLOWER]
    open_rows = sum(not row.verdict.decided for row in rows)
    if open_rows == len(rows):
        few = any(row.verdict.word is Word.NOT_ENOUGH for row in rows)
        return "not decided" + ", more runs are needed" * few
    if not deep and not wide:
        return f"no difference in speed is shown in {len(rows) - open_rows} of {_comparisons(len(rows))}"
    sides = [("wide", wide), ("deep", deep)]
    told = [
        f"{arm} is faster in {len(found)} of {_comparisons(len(rows))}, {_times(found)}"
        for arm, found in sides
        if found
    ]
    silent = len(rows) - len(deep) - len(wide)
    return "; ".join(told) + f"; no winner in {silent}" * bool(silent)


def quality_notes(evidence: Evidence) -> list[Note]:
    """What to know before the headline: kind of device, usable and busy runs, steadiness."""
    if not evidence.records:
        return []
    return [
        *_kinds(evidence),
        _usable(evidence),
        *_busy(evidence),
        *_steadiness(device_health(evidence.cells)),
        *_modes(evidence.verdicts),
    ]


def busy_runs(records: Sequence[RunRecord]) -> int:
    """Usable runs during which other processes kept cores busy."""
    return sum(
        run_state(record) is RunState.USABLE and any(c.code is ConcernCode.BUSY_MACHINE for c in record.concerns)
        for record in records
    )


def _winner(row: PairVerdict) -> Word | None:
    return row.verdict.word if row.verdict.names_winner else None


def _comparisons(count: int) -> str:
    return plural(count, "comparison")


def _times(ratios: Sequence[float]) -> str:
    low, high = number(min(ratios)), number(max(ratios))
    return f"{low} times" if low == high else f"{low} to {high} times"


def _kinds(evidence: Evidence) -> list[Note]:
    others = sorted(str(kind) for kind in evidence.kinds - {DeviceKind.PHONE})
    if not others:
        return []
    if DeviceKind.PHONE in evidence.kinds:
        return [Note(f"rows marked “not a phone” ({', '.join(others)}) are no phone numbers", doubt=True)]
    return [Note(f"not a phone: everything here was measured on {', '.join(others)}", doubt=True)]


def _usable(evidence: Evidence) -> Note:
    total, usable = len(evidence.records), evidence.count(RunState.USABLE)
    others = [
        f"{evidence.count(state)} {state}"
        for state in RunState
        if state is not RunState.USABLE and evidence.count(state)
    ]
    return Note(f"{usable} of {plural(total, 'run')} usable" + f" ({', '.join(others)})" * bool(others), usable < total)


def _busy(evidence: Evidence) -> list[Note]:
    busy = busy_runs(evidence.records)
    return [Note(f"{busy} of them on a busy machine", doubt=True)] if busy else []


def _modes(rows: Sequence[PairVerdict]) -> list[Note]:
    found = [row.verdict.modes for row in rows if row.verdict.modes]
    if not found:
        return []
    most = max(sum(side) / len(side) for modes in found for side in (modes.slow_a, modes.slow_b))
    told = (
        f"two modes of runs in {len(found)} of {_comparisons(len(rows))}: up to {percent(most, 0)} of an arm's are slow"
    )
    return [Note(told, doubt=True)]


def _steadiness(devices: Sequence[DeviceHealth]) -> list[Note]:
    if len(devices) <= _NAMED_DEVICES:
        return [Note(_steady(each, len(devices) > 1), _doubtful(each.grade)) for each in devices]
    grades = [each.grade for each in devices]
    counts = ", ".join(f"{grades.count(grade)} {grade}" for grade in Grade if grade in grades)
    return [Note(f"steadiness of {plural(len(devices), 'device')}: {counts}", any(map(_doubtful, grades)))]


def _steady(each: DeviceHealth, named: bool) -> str:
    who = f"{device_name(each.device)}: " if named else ""
    return f"{who}steadiness {each.grade}" + (f", {each.score:.0f} of 100" if each.score is not None else "")


def _doubtful(grade: Grade) -> bool:
    return grade not in (Grade.EXCELLENT, Grade.GOOD)
