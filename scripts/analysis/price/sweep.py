"""Records to prices: one fit for each setup, its shapes measured in interleaved rounds."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from export.quantization import Scheme
from export.targets.base import ExportSpec, TargetName
from export.targets.registry import get_target
from models.shape import TransformerShape
from models.storage import Storage
from models.sweep import SWEEP
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import MetricName, mean_context
from scripts.analysis.price.knee import leave_out_cached, leave_out_small
from scripts.analysis.price.model import WITH_ATTENTION, Workload, workload
from scripts.analysis.price.price import Interval, LeftOut, Observation, PriceFit, Unidentified, fit_price
from scripts.records.comparable import Setup

# A round's common factor is only as good as the number of shapes that share it.
_MIN_SHAPES_IN_ROUND = 4
# Share of the leave-one-shape-out error that a fit with the attention term must come down to.
_CLEARLY_BETTER = 0.8
_NS_PER_MS = 1e6
Round = tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class SetupPrice:
    """The price of a layer in one setup.

    Attributes:
        probe_bytes_per_s: median ceiling of the runs' own probes; None where none was measured.
        cells: those that were fitted.
    """

    setup: Setup
    outcome: PriceFit | Unidentified
    probe_bytes_per_s: float | None
    cells: tuple[Cell, ...]

    @property
    def num_runs(self) -> int:
        """Usable runs in the fit."""
        return sum(len(cell.runs) for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Checked:
    """A prediction of something that was measured and took no part in the fit.

    Attributes:
        cell: of the measured network.
        runs: usable runs behind `measured_ns`.
    """

    cell: Cell
    workload: Workload
    measured_ns: float
    predicted: Interval
    runs: int

    @property
    def error(self) -> float:
        """Predicted / measured - 1."""
        return self.predicted.value / self.measured_ns - 1

    @property
    def covered(self) -> bool:
        """Whether the prediction interval holds the measurement."""
        return self.predicted.low <= self.measured_ns <= self.predicted.high


def setup_prices(
    cells: Iterable[Cell], held_out: Collection[str] = (), cache_bytes: float | None = None
) -> list[SetupPrice]:
    """Fit each setup that measured at least two decoders.

    Args:
        cells: of any number of devices.
        held_out: pairs that take no part in the fits.
        cache_bytes: size of the last-level cache, where known; otherwise its knee is looked for in the times.
    """
    setups: dict[Setup, list[Cell]] = {}
    for cell in cells:
        if isinstance(cell.shape, TransformerShape) and cell.runs and cell.key.network.pair not in held_out:
            setups.setdefault(cell.key.setup, []).append(cell)
    return [
        _setup_price(setup, mine, cache_bytes)
        for setup, mine in setups.items()
        if len({cell.shape for cell in mine}) > 1
    ]


def check_predictions(price: SetupPrice, cells: Iterable[Cell], pairs: Collection[str]) -> list[Checked]:
    """Predict every measured cell of `pairs` under the price's conditions and hold it against the measurement."""
    if isinstance(price.outcome, Unidentified):
        return []
    found: list[Checked] = []
    for cell in cells:
        if cell.key.setup.conditions == price.setup.conditions and cell.key.network.pair in pairs and cell.runs:
            for each in observations([cell], correct_rounds=False):
                predicted = price.outcome.predict(each.workload)
                found.append(Checked(cell, each.workload, each.time_ns, predicted, len(cell.runs)))
    return found


def observations(cells: Sequence[Cell], correct_rounds: bool = True) -> list[Observation]:
    """One observation for each cell and context.

    With `correct_rounds` what slowed all shapes of a round alike is divided out: a round's factor is the median, over
    shapes and contexts, of its p50 over the shape's own median. A shape's own scatter stays.
    """
    places = [(cell, context) for cell in cells for context in cell.key.setup.protocol.contexts]
    times = [_by_round(cell, context) for cell, context in places]
    factors = _round_factors(times) if correct_rounds else {}
    found: list[Observation] = []
    for (cell, context), mine in zip(places, times, strict=True):
        runs = tuple(value / factors.get(place, 1.0) for place, value in mine)
        if not np.isnan(runs).all():
            found.append(Observation(_workload(cell, context), runs))
    return found


def storage_of(setup: Setup) -> Storage:
    """How the setup's target stores weights under its scheme."""
    return storage_for(setup.target, setup.scheme)


@cache
def storage_for(target: TargetName, scheme: Scheme) -> Storage:
    """How the target stores weights under the scheme."""
    reference = next(iter(SWEEP.values()))
    return get_target(target).storage(ExportSpec(shape=reference, scheme=scheme))


def _setup_price(setup: Setup, cells: Sequence[Cell], cache_bytes: float | None) -> SetupPrice:
    measured = observations(cells)
    kept, left_out = (
        leave_out_cached(measured, WITH_ATTENTION) if cache_bytes is None else leave_out_small(measured, cache_bytes)
    )
    if not kept:
        return SetupPrice(setup=setup, outcome=_all_cached(left_out), probe_bytes_per_s=_probe(cells), cells=())
    names = {each.workload.name for each in kept}
    used = tuple(cell for cell in cells if cell.key.network.shape_name in names)
    return SetupPrice(
        setup=setup, outcome=_fit(kept, left_out, setup),
        probe_bytes_per_s=_probe(cells), cells=used,
    )  # fmt: skip


def _all_cached(left_out: Sequence[LeftOut]) -> Unidentified:
    told = "; ".join(f"{each.name}: {each.reason}" for each in left_out)
    return Unidentified(
        label="every shape is below twice the cache", reason=told, weight_bytes_per_s=None, intercept_ns=None,
        advice="measure larger shapes, or give the size of the last-level cache that one process gets as --cache-mb",
        left_out=tuple(left_out),
    )  # fmt: skip


def _fit(kept: Sequence[Observation], left_out: Sequence[LeftOut], setup: Setup) -> PriceFit | Unidentified:
    storage, context = storage_of(setup), kept[0].workload.context
    candidates = [workload(name, shape, storage, context) for name, shape in SWEEP.items()]
    plain = fit_price(kept, left_out=left_out, candidates=candidates)
    if isinstance(plain, Unidentified):
        return replace(plain, left_out=tuple(left_out))
    # A further term always fits better; it must also predict shapes that it has not seen clearly better.
    richer = fit_price(kept, WITH_ATTENTION, left_out=left_out, candidates=candidates)
    if isinstance(richer, PriceFit) and richer.relative_scatter < _CLEARLY_BETTER * plain.relative_scatter:
        return richer
    return plain


def _workload(cell: Cell, context: int) -> Workload:
    artifact, shape = cell.artifact, cell.shape
    assert isinstance(shape, TransformerShape)
    attended = mean_context(context, cell.key.setup.protocol.decode_steps)
    kv_bytes = artifact.kv_bytes_per_position * attended
    return Workload(
        name=artifact.shape_name, num_passes=shape.num_passes, weight_bytes=artifact.weight_bytes_read,
        kv_bytes=kv_bytes, query_bytes=kv_bytes * shape.num_heads / shape.num_kv_heads, context=attended,
    )  # fmt: skip


def _by_round(cell: Cell, context: int) -> list[tuple[Round, float]]:
    found: list[tuple[Round, float]] = []
    for number, (run, metrics) in enumerate(zip(cell.runs, cell.metrics, strict=True)):
        value, plan = metrics.get(MetricName.DECODE_P50_MS, context), run.request.plan
        place = (plan.campaign, plan.repetition) if plan else ("", number)
        found.append((place, float("nan") if value is None else value * _NS_PER_MS))
    return found


def _round_factors(series: Iterable[list[tuple[Round, float]]]) -> dict[Round, float]:
    ratios: dict[Round, list[float]] = {}
    for mine in series:
        middle = np.nanmedian([value for _, value in mine]) if mine else np.nan
        for place, value in mine:
            if not np.isnan(value):
                ratios.setdefault(place, []).append(float(value / middle))
    return {place: float(np.median(each)) for place, each in ratios.items() if len(each) >= _MIN_SHAPES_IN_ROUND}


def _probe(cells: Sequence[Cell]) -> float | None:
    values = [value for cell in cells for value in cell.values(MetricName.PROBE_GB_PER_S)]
    return float(np.median(values)) * 1e9 if values else None
