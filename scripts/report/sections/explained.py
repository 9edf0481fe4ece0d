"""What measured differences are made of, and whether the winner depends on what "the same budget" means."""

from collections.abc import Mapping, Sequence
from functools import cache

from export.quantization import Scheme
from export.targets.base import TargetName
from models.audit import AuditRow
from models.audit import audit as match_budgets
from models.errors import UserError
from models.shape import TransformerShape
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.price.budget import BudgetVerdict, judge_budgets
from scripts.analysis.price.explain import Explanation, size_share
from scripts.analysis.price.pair_explanations import explanations, measured_amounts
from scripts.analysis.price.price import PriceFit
from scripts.analysis.price.sweep import SetupPrice, storage_for, storage_of
from scripts.records.comparable import Setup
from scripts.report.kit.blocks import Block, Card, Column, Row, Table
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import SetupView
from scripts.report.kit.words import MISSING, interval, number, percent

Fits = Mapping[Setup, PriceFit]
AUDIT_CONTEXT = 512
_NS_PER_MS = 1e6


def explained_blocks(evidence: Evidence, prices: Sequence[SetupPrice]) -> list[Block]:
    """A table of shares, and a budget audit for each measured pair of decoders in a setup that has a price."""
    fits = {price.setup: price.outcome for price in prices if isinstance(price.outcome, PriceFit)}
    told = explanations(evidence.verdicts, prices)
    found = (
        _explained(row, each, evidence.views[row.setup]) for row, each in zip(evidence.verdicts, told, strict=True)
    )
    rows = [row for row in found if row]
    blocks: list[Block] = [_table(rows)] if rows else []
    seen: dict[tuple[Setup, str], PairVerdict] = {(each.setup, each.pair): each for each in evidence.verdicts}
    for (setup, _), verdict in seen.items():
        if setup in fits:
            blocks += _audit(verdict, fits[setup], evidence.views[setup])
    return blocks


def _table(rows: Sequence[Row]) -> Table:
    terms = ("deep - wide µs", "weights of layers", "head", "cache", "number of layers", "rest")
    titles = ("context", *terms, "bytes, larger / smaller", "of the ratio explained by size")
    return Table(
        "What each difference is made of, in µs a token: by the setup's own fit; the rest is what no term explains",
        (Column("setup"), Column("pair"), *(Column(title, numeric=True) for title in titles)),
        rows,
    )


def _explained(row: PairVerdict, told: Explanation | None, view: SetupView) -> Row | None:
    """A row of terms; without a price of a layer in the setup only what size explains."""
    head = (view.full_label, row.pair, str(row.at))
    if told:
        parts = (told.difference_ns, told.body_ns, told.head_ns, told.kv_ns, told.layers_ns, told.rest_ns)
        size = (number(told.bytes_ratio), percent(told.explained_by_size, 0))
        return Row((*head, *map(_micro, parts), *size), view, row.at)
    deep_ms, wide_ms = row.deep.median(row.metric, row.at), row.wide.median(row.metric, row.at)
    if deep_ms is None or wide_ms is None or row.at is None:
        return None
    arms = (measured_amounts(row.deep, row.at), measured_amounts(row.wide, row.at))
    ratio, share = size_share(*arms, deep_ms, wide_ms)
    difference = _micro((deep_ms - wide_ms) * _NS_PER_MS)
    return Row((*head, difference, *[MISSING] * 5, number(ratio), percent(share, 0)), view, row.at)


def _audit(row: PairVerdict, fit: PriceFit, view: SetupView) -> list[Block]:
    deep, wide = row.deep.shape, row.wide.shape
    if not isinstance(deep, TransformerShape) or not isinstance(wide, TransformerShape):
        return []
    title = f"{row.pair}: would another meaning of “the same budget” change the winner?"
    try:
        matched = _matched(deep, wide.num_layers, row.setup.target, row.setup.scheme)
        audit = judge_budgets(fit, matched, storage_of(row.setup), AUDIT_CONTEXT)
    except UserError as error:
        return [Card(title, (f"No audit: {error}.",), view)]
    words = f"Yes, {audit.warning}." if audit.warning else f"No: {audit.verdicts[0].winner} under all of them."
    table = Table(
        f"Deep arm of {deep.num_layers} layers against {wide.num_layers} layers matched under each budget; times by "
        f"the fit at context {audit.context}",
        (
            Column("budget"),
            Column("tables"),
            Column("bytes deep / wide", True),
            Column("time deep / wide", True),
            Column("95 % interval", True),
            Column("faster"),
        ),
        [_budget_row(each) for each in audit.verdicts],
    )
    return [Card(title, (words,), view, tables=(table,))]


@cache
def _matched(deep: TransformerShape, wide_layers: int, target: TargetName, scheme: Scheme) -> tuple[AuditRow, ...]:
    """Every device asks for the same arms."""
    return tuple(match_budgets(deep, wide_layers, storage_for(target, scheme)))


def _budget_row(each: BudgetVerdict) -> Row:
    return Row(
        (
            str(each.row.budget).replace("-", " "),
            "tied" if each.row.tied else "untied",
            number(each.row.ratio),
            number(each.ratio.value),
            interval(each.ratio.low, each.ratio.high),
            str(each.winner),
        )
    )


def _micro(nanoseconds: float) -> str:
    return number(nanoseconds / 1e3)
