"""Explanations of pair verdicts, by the price of a layer in the same setup where there is one."""

from collections.abc import Sequence

import numpy as np

from scripts.analysis.cells import Cell
from scripts.analysis.explain import Amounts, Calibration, Explanation, explain, queries_per_key
from scripts.analysis.metrics import MetricName, mean_context
from scripts.analysis.pair_verdicts import PairVerdict
from scripts.analysis.price import PriceFit
from scripts.analysis.sweep_price import SetupPrice

_NS_PER_MS = 1e6


def explanations(rows: Sequence[PairVerdict], prices: Sequence[SetupPrice]) -> list[Explanation | None]:
    """What each measured difference is made of; None without a fitted price in its setup, or for other metrics."""
    fits = {each.setup: each.outcome for each in prices if isinstance(each.outcome, PriceFit)}
    return [_explain(row, fits[row.setup]) if row.setup in fits else None for row in rows]


def measured_amounts(cell: Cell, depth: int) -> Amounts:
    """What the cell's artifact reads for the average timed step at a depth."""
    artifact, protocol = cell.artifact, cell.key.setup.protocol
    shape, roles = cell.shape, artifact.bytes_by_role
    context = mean_context(depth, protocol.decode_steps)
    return Amounts(
        num_layers=shape.num_layers if shape.family == "mlp" else shape.num_passes, layer_bytes=roles.layers,
        head_bytes=artifact.weight_bytes_read - roles.layers, kv_bytes=round(artifact.kv_bytes_per_position * context),
        query_bytes=artifact.kv_bytes_per_position * context * queries_per_key(shape),
    )  # fmt: skip


def _explain(row: PairVerdict, fit: PriceFit) -> Explanation | None:
    if row.metric is not MetricName.DECODE_P50_MS or row.at is None:
        return None
    deep, wide = row.deep.values(row.metric, row.at), row.wide.values(row.metric, row.at)
    if not deep or not wide:
        return None
    times = (float(np.median(deep)) * _NS_PER_MS, float(np.median(wide)) * _NS_PER_MS)
    arms = (measured_amounts(row.deep, row.at), measured_amounts(row.wide, row.at))
    return explain(*arms, *times, Calibration.of(fit))
