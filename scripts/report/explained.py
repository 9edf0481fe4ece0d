"""What measured differences are made of, and whether the winner depends on what "the same budget" means."""

from collections.abc import Mapping, Sequence

from models.errors import UserError
from models.shape import TransformerShape
from scripts.analysis.budget import BudgetVerdict, audit_budgets
from scripts.analysis.cells import Setup
from scripts.analysis.explain import Calibration, amounts, explain, size_share
from scripts.analysis.metrics import mean_context
from scripts.analysis.pair_verdicts import PairVerdict
from scripts.analysis.price import PriceFit
from scripts.analysis.sweep_price import SetupPrice, storage_of
from scripts.report.blocks import Block, Card, Column, Row, Table
from scripts.report.evidence import Evidence
from scripts.report.setups import SetupView
from scripts.report.words import MISSING, interval, number, percent

Fits = Mapping[Setup, PriceFit]
AUDIT_CONTEXT = 512


def explained_blocks(evidence: Evidence, prices: Sequence[SetupPrice]) -> list[Block]:
    """A table of shares, and a budget audit for each measured pair of decoders in a setup that has a price."""
    fits = {price.setup: price.outcome for price in prices if isinstance(price.outcome, PriceFit)}
    rows = [
        row for each in evidence.verdicts if (row := _explained(each, fits.get(each.setup), evidence.views[each.setup]))
    ]
    blocks: list[Block] = [_table(rows)] if rows else []
    seen: dict[tuple[Setup, str], PairVerdict] = {(each.setup, each.pair): each for each in evidence.verdicts}
    for (setup, _), verdict in seen.items():
        if setup in fits:
            blocks += _audit(verdict, fits[setup], evidence.views[setup])
    return blocks


def _table(rows: Sequence[Row]) -> Table:
    titles = ("context", "deep - wide µs", "weights of layers", "head", "cache", "number of layers", "rest")
    return Table(
        "What each difference is made of, in µs a token: by the setup's own fit; the rest is what no term explains",
        (Column("setup"), Column("pair"), *(Column(title, numeric=True) for title in titles), Column("in words")),
        rows,
    )


def _explained(row: PairVerdict, fit: PriceFit | None, view: SetupView) -> Row | None:
    deep_ms, wide_ms = row.deep.median(row.metric, row.at), row.wide.median(row.metric, row.at)
    if deep_ms is None or wide_ms is None or row.at is None:
        return None
    context = round(mean_context(row.at, row.setup.protocol.decode_steps))
    deep, wide = (amounts(cell.shape, storage_of(row.setup), context) for cell in (row.deep, row.wide))
    head = (view.full_label, row.pair, str(row.at))
    if fit is None:
        ratio, share = size_share(deep, wide, deep_ms * 1e6, wide_ms * 1e6)
        words = f"bytes differ {number(ratio)} times: {percent(share, 0)} of the ratio; no price of a layer here"
        return Row((*head, _micro((deep_ms - wide_ms) * 1e6), *[MISSING] * 5, words), view, row.at)
    told = explain(deep, wide, deep_ms * 1e6, wide_ms * 1e6, Calibration.of(fit))
    parts = (told.difference_ns, told.body_ns, told.head_ns, told.kv_ns, told.layers_ns, told.rest_ns)
    return Row((*head, *map(_micro, parts), told.sentence), view, row.at)


def _audit(row: PairVerdict, fit: PriceFit, view: SetupView) -> list[Block]:
    deep, wide = row.deep.shape, row.wide.shape
    if not isinstance(deep, TransformerShape) or not isinstance(wide, TransformerShape):
        return []
    title = f"{row.pair}: would another meaning of “the same budget” change the winner?"
    try:
        audit = audit_budgets(fit, deep, wide.num_layers, storage_of(row.setup), AUDIT_CONTEXT)
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
