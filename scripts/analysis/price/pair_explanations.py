"""Explanations of pair verdicts, by the price of a layer in the same setup where there is one, else by size alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.analysis.cells import Cell
from scripts.analysis.metrics import MetricName, mean_context
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.price.explain import (
    Amounts,
    Calibration,
    Explanation,
    explain,
    queries_per_key,
    size_sentence,
    size_share,
)
from scripts.analysis.price.price import PriceFit
from scripts.analysis.price.sweep import SetupPrice

_NS_PER_MS = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeExplanation:
    """What bytes alone say of a measured difference; the attributes are those of `Explanation`."""

    bytes_ratio: float
    explained_by_size: float
    sentence: str


def explanations(rows: Sequence[PairVerdict], prices: Sequence[SetupPrice]) -> list[Explanation | None]:
    """What each measured difference is made of; None without a fitted price, or for other metrics.

    The price is that of the row's own setup, else one of another campaign under the same conditions.

    A price is one of decoders' layers; an MLP's are others, so MLPs get none.
    """
    fits = {each.setup: each.outcome for each in prices if isinstance(each.outcome, PriceFit)}
    alike = {setup.conditions: fit for setup, fit in fits.items()}
    found = [fits.get(row.setup) or alike.get(row.setup.conditions) for row in rows]
    return [_explain(row, fit) if fit else None for row, fit in zip(rows, found, strict=True)]


def size_explanations(rows: Sequence[PairVerdict]) -> list[SizeExplanation | None]:
    """How much of each measured difference bytes account for, which needs no price; None for other metrics."""
    found: list[SizeExplanation | None] = []
    for row in rows:
        sides = _sides(row)
        if sides is None:
            found.append(None)
            continue
        ratio, share = size_share(*sides)
        found.append(SizeExplanation(bytes_ratio=ratio, explained_by_size=share, sentence=size_sentence(*sides)))
    return found


def measured_amounts(cell: Cell, context: int) -> Amounts:
    """What the cell's artifact reads for the average timed step at a context."""
    artifact, protocol = cell.artifact, cell.key.setup.protocol
    shape, roles = cell.shape, artifact.bytes_by_role
    attended = mean_context(context, protocol.decode_steps)
    return Amounts(
        num_layers=shape.num_layers if shape.family == "mlp" else shape.num_passes, layer_bytes=roles.layers,
        head_bytes=artifact.weight_bytes_read - roles.layers, kv_bytes=round(artifact.kv_bytes_per_position * attended),
        query_bytes=artifact.kv_bytes_per_position * attended * queries_per_key(shape),
    )  # fmt: skip


def _explain(row: PairVerdict, fit: PriceFit) -> Explanation | None:
    sides = _sides(row)
    if sides is None or row.deep.shape.family == "mlp":
        return None
    return explain(*sides, Calibration.of(fit))


def _sides(row: PairVerdict) -> tuple[Amounts, Amounts, float, float] | None:
    """Amounts and times in ns, deep and wide; None where it is not about decode latency, or an arm has no number."""
    if row.metric is not MetricName.DECODE_P50_MS or row.at is None:
        return None
    deep, wide = row.deep.median(row.metric, row.at), row.wide.median(row.metric, row.at)
    if not deep or not wide:
        return None
    arms = measured_amounts(row.deep, row.at), measured_amounts(row.wide, row.at)
    return *arms, deep * _NS_PER_MS, wide * _NS_PER_MS
