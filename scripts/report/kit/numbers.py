"""A cell's numbers at each cache context, as rows that charts and tables share."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import MetricName
from scripts.report.kit.blocks import DataRow
from scripts.report.kit.evidence import Evidence
from scripts.report.kit.setups import SetupView, network_name, series_of, tags
from scripts.report.kit.words import number, percent

M = MetricName


@dataclass(frozen=True, slots=True)
class Spread:
    """Median over runs with the lowest and the highest run."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CellNumbers:
    """One cell at one context; None where no run measured it.

    Attributes:
        n: usable runs that measured the decode time.
    """

    view: SetupView
    pair: str
    network: str
    series: str
    context: int
    n: int
    p50: Spread
    p90: Spread | None
    p99: Spread | None
    slowest: Spread | None
    tokens_per_s: Spread | None
    megabytes: float | None
    achieved: Spread | None
    mbu: Spread | None
    ceiling: Spread | None


def cell_numbers(evidence: Evidence) -> list[CellNumbers]:
    """All cells at all contexts, in the page's order."""
    rows: list[CellNumbers] = []
    for cell in evidence.measured:
        for context in cell.key.setup.protocol.contexts:
            p50 = _spread(cell, M.DECODE_P50_MS, context)
            if p50:
                rows.append(_numbers(evidence, cell, context, p50))
    return rows


def arms_of(cells: Sequence[CellNumbers]) -> list[CellNumbers]:
    """Arms of pairs: what the page's first charts show."""
    return [cell for cell in cells if cell.series in tuple(Arm)]


def shapes_of(cells: Sequence[CellNumbers]) -> list[CellNumbers]:
    """Shapes that belong to no pair, such as a sweep's: shown below a fold."""
    return [cell for cell in cells if cell.series not in tuple(Arm)]


def chart_row(row: CellNumbers) -> DataRow:
    """For the data set `cells`: flat, milliseconds and GB/s, spreads as three fields."""
    flat: dict[str, str | float | int | bool | None] = {
        **tags(row.view),
        "pair": row.pair,
        "network": row.network,
        "series": row.series,
        "context": row.context,
        "n": row.n,
        "row": f"{row.view.full_label} · {row.network}",
        "band": f"{row.view.full_label} · {row.pair}",
        "name": row.network,
        "n_label": f"n {row.n}",
        "p50_label": f"{number(row.p50.median)} ms, n {row.n}",
        "mbu_label": f"{percent(row.mbu.median, 0)}, n {row.n}" if row.mbu else "",
        "mb": _rounded(row.megabytes),
        # Right of the farthest mark of the row, where its label begins.
        "end": _rounded(max(row.p50.high, row.p99.median if row.p99 else 0.0)),
    }
    for name in ("p50", "p90", "p99", "slowest", "achieved", "mbu", "ceiling"):
        spread: Spread | None = getattr(row, name)
        flat[name] = _rounded(spread.median if spread else None)
        flat[f"{name}_low"] = _rounded(spread.low if spread else None)
        flat[f"{name}_high"] = _rounded(spread.high if spread else None)
    return flat


def _numbers(evidence: Evidence, cell: Cell, context: int, p50: Spread) -> CellNumbers:
    size = _spread(cell, M.BYTES_PER_TOKEN, context)
    return CellNumbers(
        view=evidence.view(cell),
        pair=cell.key.network.pair,
        network=network_name(cell),
        series=series_of(cell),
        context=context,
        n=len(cell.values(M.DECODE_P50_MS, context)),
        p50=p50,
        p90=_spread(cell, M.DECODE_P90_MS, context),
        p99=_spread(cell, M.DECODE_P99_MS, context),
        slowest=_spread(cell, M.DECODE_MAX_MS, context),
        tokens_per_s=_spread(cell, M.DECODE_TOKENS_PER_S, context),
        megabytes=size.median / 1e6 if size else None,
        achieved=_spread(cell, M.ACHIEVED_GB_PER_S, context),
        mbu=_spread(cell, M.MBU, context),
        ceiling=_spread(cell, M.PROBE_GB_PER_S, None),
    )


def _spread(cell: Cell, metric: MetricName, at: int | None) -> Spread | None:
    values, median = cell.values(metric, at), cell.median(metric, at)
    return Spread(median, min(values), max(values)) if median is not None else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
