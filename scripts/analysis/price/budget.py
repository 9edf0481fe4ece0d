"""The verdict of a fit under every meaning of "the same budget"."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.audit import AuditRow, audit
from models.shape import TransformerShape
from models.storage import Storage
from scripts.analysis.price.model import Workload, workload
from scripts.analysis.price.price import Interval, PriceFit

# Closer than this the model names no winner.
FLOOR = 0.02


class Winner(StrEnum):
    """Which arm a token is faster through, by the model."""

    DEEP = "deep"
    WIDE = "wide"
    NEITHER = "neither"


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetVerdict:
    """One budget.

    Attributes:
        row: the two shapes that hold it, and what they read.
        ratio: deep time / wide time; its interval holds the noise of the runs and the model's own error.
        winner: neither if the interval holds 1, the ratio is within 2 % of it, or no shape was run twice.
    """

    row: AuditRow
    ratio: Interval
    winner: Winner


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetAudit:
    """All budgets, tied and untied, at one context.

    Attributes:
        warning: says that the winner depends on what "the same budget" means; None if it does not.
    """

    context: int
    verdicts: tuple[BudgetVerdict, ...]
    warning: str | None


def audit_budgets(
    fit: PriceFit, deep: TransformerShape, wide_layers: int, storage: Storage, context: int = 512
) -> BudgetAudit:
    """Match `deep` to `wide_layers` layers under all budgets and predict both arms.

    Raises:
        UserError: under some budget no shape of that depth exists.
    """
    return judge_budgets(fit, audit(deep, wide_layers, storage), storage, context)


def judge_budgets(fit: PriceFit, rows: Sequence[AuditRow], storage: Storage, context: int = 512) -> BudgetAudit:
    """The same for arms that `models.audit.audit` matched before; the search for them does not depend on the fit."""
    verdicts = tuple(_verdict(fit, row, storage, context) for row in rows)
    return BudgetAudit(context=context, verdicts=verdicts, warning=_warning(verdicts))


def _verdict(fit: PriceFit, row: AuditRow, storage: Storage, context: int) -> BudgetVerdict:
    ratio = fit.ratio(*(_load(arm.shape, storage, context) for arm in (row.deep, row.wide)))
    if not fit.has_intervals or ratio.low <= 1 <= ratio.high or abs(ratio.value - 1) < FLOOR:
        winner = Winner.NEITHER
    else:
        winner = Winner.DEEP if ratio.value < 1 else Winner.WIDE
    return BudgetVerdict(row=row, ratio=ratio, winner=winner)


def _load(shape: object, storage: Storage, context: int) -> Workload:
    assert isinstance(shape, TransformerShape)
    return workload("", shape, storage, context)


def _warning(verdicts: Sequence[BudgetVerdict]) -> str | None:
    winners: dict[Winner, list[str]] = {}
    for each in verdicts:
        name = f"{each.row.budget} {'tied' if each.row.tied else 'untied'}"
        winners.setdefault(each.winner, []).append(name)
    if len(winners) == 1:
        return None
    told = "; ".join(f"{winner}: {', '.join(names)}" for winner, names in winners.items())
    return f"the winner depends on what the same budget means: {told}"
