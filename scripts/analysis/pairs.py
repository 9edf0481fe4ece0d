"""Verdicts of all pairs in a set of records: the deep arm against the wide one, setup by setup."""

from collections.abc import Iterable
from dataclasses import dataclass

from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import METRICS, At, MetricName
from scripts.analysis.verdict import Verdict, adjust, compare, holm_tested
from scripts.records.comparable import Setup


@dataclass(frozen=True, kw_only=True, slots=True)
class PairVerdict:
    """The deep arm against the wide arm in one setup.

    Attributes:
        at: cache context or prompt length of the metric; None where it has none.
        verdict: of the deep arm; its family is the setup.
        p_all: p corrected by Holm over all pairs, contexts and setups of the call that have enough runs; else 1.
    """

    setup: Setup
    pair: str
    metric: MetricName
    at: int | None
    deep: Cell
    wide: Cell
    verdict: Verdict
    p_all: float


def pair_verdicts(cells: Iterable[Cell], metric: MetricName = MetricName.DECODE_P50_MS) -> list[PairVerdict]:
    """Every pair whose arms share a setup, at every context or prompt length both measured.

    Where a setup holds several exports of an arm, the one that ran last counts.
    """
    rows = [row for deep, wide in _matched(cells) for row in _rows(deep, wide, metric)]
    families: dict[Setup, list[int]] = {}
    for index, row in enumerate(rows):
        families.setdefault(row.setup, []).append(index)
    overall = holm_tested([row.verdict for row in rows])
    worded: dict[int, Verdict] = {}
    for indices in families.values():
        worded |= zip(indices, adjust([rows[i].verdict for i in indices], METRICS[metric]), strict=True)
    return [_with(row, worded[index], overall[index]) for index, row in enumerate(rows)]


def _matched(cells: Iterable[Cell]) -> list[tuple[Cell, Cell]]:
    arms: dict[tuple[Setup, str], dict[Arm, Cell]] = {}
    for cell in sorted(cells, key=_last_start):
        if cell.key.network.arm is not None:
            arms.setdefault((cell.key.setup, cell.key.network.pair), {})[cell.key.network.arm] = cell
    return [(found[Arm.DEEP], found[Arm.WIDE]) for found in arms.values() if len(found) == len(Arm)]


def _rows(deep: Cell, wide: Cell, metric: MetricName) -> list[PairVerdict]:
    rows: list[PairVerdict] = []
    for at in _places(deep, metric):
        (a, b), paired = _sides(deep, wide, metric, at)
        rows.append(
            PairVerdict(
                setup=deep.key.setup, pair=deep.key.network.pair, metric=metric, at=at, deep=deep, wide=wide,
                verdict=compare(a, b, METRICS[metric], paired=paired), p_all=1.0,
            )
        )  # fmt: skip
    return rows


def _places(cell: Cell, metric: MetricName) -> list[int | None]:
    """Contexts or prompt lengths that the protocol asked for; those of runs where there are some."""
    if METRICS[metric].at is At.RUN:
        return [None]
    measured = {value.at for run in cell.metrics for value in run.values if value.metric is metric}
    if measured or METRICS[metric].at is At.PROMPT:
        return sorted(measured, key=lambda at: at or 0)
    return list(cell.key.setup.protocol.contexts)


def _sides(deep: Cell, wide: Cell, metric: MetricName, at: int | None) -> tuple[tuple[list[float], list[float]], bool]:
    """The numbers of both arms; as pairs where every usable run has its neighbour of the same repetition."""
    a, b = _by_repetition(deep, metric, at), _by_repetition(wide, metric, at)
    if a is not None and b is not None and a.keys() == b.keys():
        return ([a[key] for key in a], [b[key] for key in a]), True
    return (deep.values(metric, at), wide.values(metric, at)), False


def _by_repetition(cell: Cell, metric: MetricName, at: int | None) -> dict[tuple[str, str, int], float] | None:
    """Value by (campaign, block, repetition); None where a run has no plan or no number, or two share a place."""
    found: dict[tuple[str, str, int], float] = {}
    for run, metrics in zip(cell.runs, cell.metrics, strict=True):
        plan, value = run.request.plan, metrics.get(metric, at)
        if plan is None or value is None or (plan.campaign, plan.block, plan.repetition) in found:
            return None
        found[plan.campaign, plan.block, plan.repetition] = value
    return found


def _last_start(cell: Cell) -> str:
    return max((run.started_utc for run in cell.runs), default="")


def _with(row: PairVerdict, verdict: Verdict, p_all: float) -> PairVerdict:
    return PairVerdict(
        setup=row.setup, pair=row.pair, metric=row.metric, at=row.at, deep=row.deep, wide=row.wide, verdict=verdict,
        p_all=p_all,
    )  # fmt: skip
