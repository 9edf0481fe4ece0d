"""The price of a layer: a fit of the token model to a sweep of shapes, with intervals, or why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from models.errors import UserError
from scripts.analysis.token_model import (
    ALL_TERMS,
    Term,
    Weighting,
    Workload,
    condition_number,
    design_matrix,
    solve,
)

# Above it depth and bytes rise together so closely that the error of tau is tenfold (r of about 0.98).
MAX_CONDITION_NUMBER = 10.0
RESAMPLES = 1000
# A term that makes up this share of the time, in the median shape, gives the fit its name.
DOMINANT_SHARE = 0.7
# No shape is known better than this, however well its runs agree.
_LEAST_RELATIVE_ERROR = 0.01
_NORMAL_MAD = 1.4826


class Label(StrEnum):
    """What decode is bound by, over the shapes that were fitted."""

    DISPATCH_BOUND = "dispatch-bound"  # most of the time goes with the number of layers, not with bytes
    BANDWIDTH_BOUND = "bandwidth-bound"
    MIXED = "depth and bytes both count"


@dataclass(frozen=True, slots=True)
class Observation:
    """A shape at one context, measured.

    Attributes:
        run_ns: the p50 of each run in nanoseconds, NaN for a run without one; a run has the same index at all
            contexts of its shape.
    """

    workload: Workload
    run_ns: tuple[float, ...]

    @property
    def time_ns(self) -> float:
        """Median of the runs."""
        return float(np.nanmedian(self.run_ns))

    @property
    def relative_error(self) -> float:
        """Standard error of the median over the median, from the runs' median absolute deviation."""
        values = np.array(self.run_ns, float)
        known = values[~np.isnan(values)]
        spread = _NORMAL_MAD * float(np.median(np.abs(known - np.median(known))))
        return max(_LEAST_RELATIVE_ERROR, 1.25 * spread / float(np.sqrt(len(known))) / self.time_ns)


@dataclass(frozen=True, slots=True)
class Interval:
    """A number with its 95 % interval; infinite ends where the data set no bound."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Residual:
    """A measured time beside the model's.

    Attributes:
        error: model / measured - 1.
    """

    workload: Workload
    measured_ns: float
    model_ns: float

    @property
    def error(self) -> float:
        """Relative error of the model."""
        return self.model_ns / self.measured_ns - 1


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A shape that took no part in the fit, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceFit:
    """Coefficients in nanoseconds per unit of `Workload.amount`.

    Attributes:
        draws: [resamples, terms], coefficients of the bootstrap over runs.
        residuals: of the fit itself.
        left_one_out: each shape predicted by a fit without it.
        r_squared: of the times, unweighted.
        relative_scatter: root mean square of the leave-one-shape-out errors: what the model does not know.
        shapes: names of the shapes fitted.
        bounds: least and most of each amount in the fit; beyond them a prediction is an extrapolation.
    """

    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    draws: np.ndarray
    residuals: tuple[Residual, ...]
    left_one_out: tuple[Residual, ...]
    r_squared: float
    relative_scatter: float
    condition_number: float
    label: Label
    shapes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    bounds: Mapping[Term, tuple[float, float]]

    def coefficient(self, term: Term) -> Interval:
        """ns per unit; exactly 0 for a term that was not fitted."""
        if term not in self.terms:
            return Interval(0.0, 0.0, 0.0)
        column = self.terms.index(term)
        low, high = np.percentile(self.draws[:, column], (2.5, 97.5))
        return Interval(self.coefficients[column], float(low), float(high))

    @property
    def t0_ns(self) -> Interval:
        """What a token costs whatever the network."""
        return self.coefficient(Term.FIXED)

    @property
    def tau_ns(self) -> Interval:
        """The price of a layer."""
        return self.coefficient(Term.LAYERS)

    @property
    def weight_bytes_per_s(self) -> Interval:
        """B_w; infinite where the fit gives weights no time."""
        return _speed(self.coefficient(Term.WEIGHTS))

    @property
    def kv_bytes_per_s(self) -> Interval:
        """B_kv; infinite where the fit gives the cache no time."""
        return _speed(self.coefficient(Term.KV))

    @property
    def loo_median(self) -> float:
        """Median absolute leave-one-shape-out error."""
        return float(np.median([abs(each.error) for each in self.left_one_out]))

    @property
    def loo_worst(self) -> float:
        """Worst absolute leave-one-shape-out error."""
        return max(abs(each.error) for each in self.left_one_out)

    def predict(self, load: Workload) -> Interval:
        """Time in ns with a 95 % prediction interval.

        Its variance is that of the bootstrap over runs plus the model's own scatter, the leave-one-shape-out errors;
        the factor is Student's t with the fit's degrees of freedom.
        """
        amounts = design_matrix([load], self.terms)[0]
        value = float(amounts @ self.coefficients)
        sampling = float(np.std(self.draws @ amounts))
        freedom = max(1, len(self.shapes) - len(self.terms))
        half = float(stats.t.ppf(0.975, freedom)) * float(np.hypot(sampling, self.relative_scatter * value))
        return Interval(value, max(0.0, value - half), value + half)

    def shares(self, load: Workload) -> dict[Term, float]:
        """ns of each term for a workload."""
        return {term: load.amount(term) * self.coefficient(term).value for term in Term}

    def extrapolates(self, load: Workload) -> list[Term]:
        """Terms whose amount lies outside the shapes that were fitted."""
        return [term for term, (low, high) in self.bounds.items() if not low <= load.amount(term) <= high]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unidentified:
    """Why there is no price of a layer.

    Attributes:
        label: short, for a table.
        reason: names what is constant or collinear.
        advice: the shape to add.
        weight_bytes_per_s: the slope of time against weight bytes; None where bytes do not vary either.
        intercept_ns: of that line: t0 and all layers together, it may be negative.
    """

    label: str
    reason: str
    advice: str
    weight_bytes_per_s: float | None
    intercept_ns: float | None


def fit_price(
    observations: Sequence[Observation], terms: Sequence[Term] = ALL_TERMS, weighting: Weighting = Weighting.RELATIVE,
    left_out: Sequence[LeftOut] = (), candidates: Sequence[Workload] = (), seed: int = 0,
) -> PriceFit | Unidentified:  # fmt: skip
    """Fit the model to measured shapes.

    The cache term is dropped where no observation reads a cache.

    Args:
        observations: one for each shape and context.
        terms: what to fit.
        weighting: `ABSOLUTE` is plain least squares.
        left_out: shapes that the caller dropped before, to be told with the fit.
        candidates: shapes that could be added, for the advice of a refusal.
        seed: of the bootstrap.

    Raises:
        UserError: no observation, or a time that is not positive.
    """
    if not observations or any(not each.time_ns > 0 for each in observations):
        raise UserError("price: give measured shapes, each with a time above 0")
    chosen = _varying(observations, terms)
    refusal = _refuse(observations, chosen, candidates)
    if refusal:
        return refusal
    data = _Data(observations, chosen, weighting)
    coefficients = data.solve(np.arange(len(observations)), data.times)
    left_one_out = tuple(data.leave_one_out()) if len(data.names) > len(chosen) else ()
    fitted = data.design @ coefficients
    return PriceFit(
        terms=chosen, coefficients=tuple(map(float, coefficients)), draws=data.bootstrap(seed),
        residuals=tuple(map(Residual, data.workloads, map(float, data.times), map(float, fitted))),
        left_one_out=left_one_out, r_squared=_r_squared(data.times, fitted),
        relative_scatter=_rms(left_one_out), condition_number=condition_number(data.design, chosen),
        label=_label(data.design, coefficients, chosen), shapes=data.names, left_out=tuple(left_out),
        bounds={term: (float(c.min()), float(c.max())) for term, c in zip(chosen, data.design.T, strict=True)},
    )  # fmt: skip


class _Data:
    """Observations as arrays."""

    def __init__(self, observations: Sequence[Observation], terms: Sequence[Term], weighting: Weighting) -> None:
        self.observations = observations
        self.workloads = [each.workload for each in observations]
        self.names = tuple(dict.fromkeys(each.workload.name for each in observations))
        self.design = design_matrix(self.workloads, terms)
        self.times = np.array([each.time_ns for each in observations])
        self.robust = weighting is Weighting.RELATIVE
        errors = np.array([each.relative_error for each in observations])
        self.sigma = errors * self.times if self.robust else np.ones(len(observations))

    def solve(self, rows: np.ndarray, times: np.ndarray) -> np.ndarray:
        return solve(self.design[rows], times[rows], self.sigma[rows], self.robust)

    def leave_one_out(self) -> list[Residual]:
        found: list[Residual] = []
        owners = np.array([each.name for each in self.workloads])
        for name in self.names:
            coefficients = self.solve(np.flatnonzero(owners != name), self.times)
            for row in np.flatnonzero(owners == name):
                model = float(self.design[row] @ coefficients)
                found.append(Residual(self.workloads[row], float(self.times[row]), model))
        return found

    def bootstrap(self, seed: int) -> np.ndarray:
        """Runs resampled within shapes; a run keeps all its contexts."""
        random, everything = np.random.default_rng(seed), np.arange(len(self.workloads))
        return np.array([self.solve(everything, self._resampled(random)) for _ in range(RESAMPLES)])

    def _resampled(self, random: np.random.Generator) -> np.ndarray:
        chosen = {name: random.random(4096) for name in self.names}
        times = self.times.copy()
        for row, observation in enumerate(self.observations):
            runs = np.array(observation.run_ns)
            picked = runs[(chosen[observation.workload.name][: len(runs)] * len(runs)).astype(int)]
            if not np.isnan(picked).all():
                times[row] = np.nanmedian(picked)
        return times


def _varying(observations: Sequence[Observation], terms: Sequence[Term]) -> tuple[Term, ...]:
    has_cache = any(each.workload.kv_bytes for each in observations)
    return tuple(term for term in terms if term is not Term.KV or has_cache)


def _refuse(
    observations: Sequence[Observation], terms: tuple[Term, ...], candidates: Sequence[Workload]
) -> Unidentified | None:
    loads = [each.workload for each in observations]
    names, depths = {each.name for each in loads}, {each.num_passes for each in loads}
    design = design_matrix(loads, terms)
    if Term.LAYERS in terms and len(depths) == 1 and len(names) > 1:
        (depth,) = depths
        line = _line(observations)
        bound = f"{Label.BANDWIDTH_BOUND}, " if line and _bytes_explain(observations, line) else ""
        label = f"{bound}depth price not identifiable: all shapes have {depth} layers"
        return _unidentified(label, f"every shape runs {depth} layers", loads, terms, candidates, line)
    if len(names) < len(terms) - (Term.KV in terms):
        reason = f"{len(names)} shapes cannot tell {', '.join(terms)} apart"
        return _unidentified("too few shapes", reason, loads, terms, candidates, _line(observations))
    condition = condition_number(design, terms)
    if condition > MAX_CONDITION_NUMBER:
        layers, weights = np.array([(each.num_passes, each.weight_bytes) for each in loads], float).T
        r = float(np.corrcoef(layers, weights)[0, 1]) if weights.std() > 0 else 0.0
        limit = f"condition number {condition:.0f}, above {MAX_CONDITION_NUMBER:.0f}"
        reason = f"depth and bytes rise together: {limit}; r {r:.2f}"
        return _unidentified("depth and bytes are collinear", reason, loads, terms, candidates, _line(observations))
    return None


def _unidentified(
    label: str, reason: str, loads: Sequence[Workload], terms: tuple[Term, ...], candidates: Sequence[Workload],
    line: tuple[float, float] | None,
) -> Unidentified:  # fmt: skip
    return Unidentified(
        label=label, reason=reason, advice=_advice(loads, terms, candidates),
        weight_bytes_per_s=1e9 / line[0] if line and line[0] > 0 else None, intercept_ns=line[1] if line else None,
    )  # fmt: skip


def _advice(loads: Sequence[Workload], terms: tuple[Term, ...], candidates: Sequence[Workload]) -> str:
    """The candidate that lowers the condition number most; without candidates any depth and size in reach."""
    known = {each.name for each in loads}
    pool = [each for each in candidates if each.name not in known] or _imagined(loads)
    best = min(pool, key=lambda each: condition_number(design_matrix([*loads, each], terms), terms))
    return f"add {best.name} ({best.num_passes} layers, {best.weight_bytes / 1e6:.0f} MB a token)"


def _imagined(loads: Sequence[Workload]) -> list[Workload]:
    depths = [each.num_passes for each in loads]
    bytes_ = [each.weight_bytes for each in loads]
    return [
        replace(loads[0], name="a shape", num_passes=max(1, depth), weight_bytes=size)
        for depth in (min(depths) // 2, min(depths), max(depths), 2 * max(depths))
        for size in (min(bytes_), max(bytes_))
    ]


def _line(observations: Sequence[Observation]) -> tuple[float, float] | None:
    """(ns per byte, intercept in ns) of time against weight bytes, plain least squares."""
    sizes = [each.workload.weight_bytes for each in observations]
    if len(set(sizes)) < 2:
        return None
    line = stats.linregress(sizes, [each.time_ns for each in observations])
    return float(line.slope), float(line.intercept)


def _bytes_explain(observations: Sequence[Observation], line: tuple[float, float]) -> bool:
    shares = [line[0] * each.workload.weight_bytes / each.time_ns for each in observations]
    return float(np.median(shares)) >= DOMINANT_SHARE


def _label(design: np.ndarray, coefficients: np.ndarray, terms: Sequence[Term]) -> Label:
    times = design @ coefficients
    shares = dict(zip(terms, np.median(design * coefficients / times[:, None], axis=0), strict=True))
    if shares.get(Term.LAYERS, 0.0) >= DOMINANT_SHARE:
        return Label.DISPATCH_BOUND
    if shares.get(Term.WEIGHTS, 0.0) + shares.get(Term.KV, 0.0) >= DOMINANT_SHARE:
        return Label.BANDWIDTH_BOUND
    return Label.MIXED


def _speed(interval: Interval) -> Interval:
    """bytes/s of an interval in ns/byte."""
    value, low, high = (
        1e9 / each if each > 0 else float("inf") for each in (interval.value, interval.high, interval.low)
    )
    return Interval(value, low, high)


def _r_squared(times: np.ndarray, fitted: np.ndarray) -> float:
    total = float(((times - times.mean()) ** 2).sum())
    return 1 - float(((times - fitted) ** 2).sum()) / total if total > 0 else float("nan")


def _rms(residuals: Sequence[Residual]) -> float:
    return float(np.sqrt(np.mean([each.error**2 for each in residuals]))) if residuals else 0.0
