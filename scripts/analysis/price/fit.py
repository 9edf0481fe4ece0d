"""What a fit of the token model says: observations in, coefficients with intervals out, or a reason for none."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from scripts.analysis.price.model import Term, Workload, design_matrix

# No shape is known better than this, however well its runs agree.
_LEAST_RELATIVE_ERROR = 0.01
_NORMAL_MAD = 1.4826
# Standard error of a median over that of a mean, for normal noise.
_MEDIAN_OVER_MEAN = 1.25
# A term that makes up this share of the time, in the median shape, gives the fit its name.
DOMINANT_SHARE = 0.7
# What stands for an interval where every shape was run once: nothing tells the noise of its runs.
NO_INTERVAL = "no interval"
# Median leave-one-shape-out error above which a fit is shown with a warning.
MAX_ERROR = 0.10


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
        return max(_LEAST_RELATIVE_ERROR, _MEDIAN_OVER_MEAN * spread / float(np.sqrt(len(known))) / self.time_ns)


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
        errors: standard error of each coefficient by the delete-one-shape jackknife: noise of runs, misfit of shapes.
        residuals: of the fit itself.
        left_one_out: each shape predicted by a fit without it.
        r_squared: of the times, unweighted.
        relative_scatter: root mean square of the leave-one-shape-out errors: what the model does not know.
        most_runs: of any shape; with one, the bootstrap has nothing to draw from and there is no interval.
        shapes: names of the shapes fitted.
        bounds: least and most of each amount in the fit; beyond them a prediction is an extrapolation.
    """

    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    draws: np.ndarray
    errors: tuple[float, ...]
    residuals: tuple[Residual, ...]
    left_one_out: tuple[Residual, ...]
    r_squared: float
    relative_scatter: float
    condition_number: float
    label: Label
    most_runs: int
    shapes: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    bounds: Mapping[Term, tuple[float, float]]

    def coefficient(self, term: Term) -> Interval:
        """ns per unit; exactly 0 for a term that was not fitted.

        The interval is Student's t with (shapes - terms) degrees of freedom times the jackknife's error (Tukey 1958),
        widened to the bootstrap's over runs, as a term at its bound has no jackknife.
        """
        if term not in self.terms:
            return Interval(0.0, 0.0, 0.0)
        column = self.terms.index(term)
        low, high = (float(each) for each in np.percentile(self.draws[:, column], (2.5, 97.5)))
        value, half = self.coefficients[column], self._student * self.errors[column]
        return Interval(value, max(0.0, min(low, value - half)), max(high, value + half))

    @property
    def at_bound(self) -> tuple[Term, ...]:
        """Terms that the fit holds at 0, their lowest value: it would have made them negative."""
        return tuple(term for term, value in zip(self.terms, self.coefficients, strict=True) if value == 0)

    def remarks(self, probe_bytes_per_s: float | None) -> list[str]:
        """What speaks against taking a term at its word: one at its bound, or a bandwidth above the probe's ceiling."""
        told = [f"{term} lies at its bound of 0: the data give it no time" for term in self.at_bound]
        for name, speed in (("B_w", self.weight_bytes_per_s.value), ("B_kv", self.kv_bytes_per_s.value)):
            if probe_bytes_per_s and probe_bytes_per_s < speed < float("inf"):
                told.append(
                    f"{name} is {speed / probe_bytes_per_s:.0%} of the probe's ceiling: bytes come from a cache, or "
                    "another term holds their time"
                )
        return told

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
    def attention_bytes_per_s(self) -> Interval:
        """Speed of attention's arithmetic over cache bytes counted per query head; infinite where it was not fitted."""
        return _speed(self.coefficient(Term.ATTENTION))

    @property
    def loo_median(self) -> float:
        """Median absolute leave-one-shape-out error."""
        return float(np.median([abs(each.error) for each in self.left_one_out]))

    @property
    def loo_worst(self) -> float:
        """Worst absolute leave-one-shape-out error."""
        return max(abs(each.error) for each in self.left_one_out)

    @property
    def warning(self) -> str | None:
        """Why this fit should not be relied on; None if nothing speaks against it."""
        if self.loo_median <= MAX_ERROR:
            return None
        return (
            f"do not rely on this fit: it misses unseen shapes by {self.loo_median:.0%}; measure on a quieter machine"
        )

    def predict(self, load: Workload) -> Interval:
        """Time in ns with a 95 % prediction interval.

        Its variance is that of the bootstrap over runs plus the model's own scatter, the leave-one-shape-out errors;
        the factor is Student's t with the fit's degrees of freedom.
        """
        amounts = design_matrix([load], self.terms)[0]
        value = float(amounts @ self.coefficients)
        sampling = float(np.std(self.draws @ amounts))
        half = self._student * float(np.hypot(sampling, self.relative_scatter * value))
        return Interval(value, max(0.0, value - half), value + half)

    def ratio(self, one: Workload, other: Workload) -> Interval:
        """Time of `one` / time of `other`; the model's error counts for both, as sqrt(2) times its scatter."""
        (a, b), draws = self._pair(one, other)
        return self._widened(a / b, draws[:, 0] / draws[:, 1], float(np.sqrt(2)) * self.relative_scatter * a / b)

    def difference_ns(self, one: Workload, other: Workload) -> Interval:
        """Time of `one` - time of `other`, with the model's error of both."""
        (a, b), draws = self._pair(one, other)
        return self._widened(a - b, draws[:, 0] - draws[:, 1], self.relative_scatter * float(np.hypot(a, b)))

    @property
    def has_intervals(self) -> bool:
        """Whether some shape was run more than once, so that the noise of runs is known."""
        return self.most_runs > 1

    @property
    def _student(self) -> float:
        return float(stats.t.ppf(0.975, max(1, len(self.shapes) - len(self.terms))))

    def _pair(self, one: Workload, other: Workload) -> tuple[tuple[float, float], np.ndarray]:
        amounts = design_matrix([one, other], self.terms)
        a, b = amounts @ np.array(self.coefficients)
        return (float(a), float(b)), self.draws @ amounts.T

    def _widened(self, value: float, draws: np.ndarray, model: float) -> Interval:
        """The bootstrap's interval and a standard error of the model, in quadrature."""
        low, high = (float(each) for each in np.percentile(draws, (2.5, 97.5)))
        below, above = (float(np.hypot(max(0.0, each), self._student * model)) for each in (value - low, high - value))
        return Interval(value, value - below, value + above)

    def shares(self, load: Workload) -> dict[Term, float]:
        """ns of each term for a workload."""
        known = dict(zip(self.terms, self.coefficients, strict=True))
        return {term: load.amount(term) * known.get(term, 0.0) for term in Term}

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
        left_out: shapes that took no part, each with its reason.
    """

    label: str
    reason: str
    advice: str
    weight_bytes_per_s: float | None
    intercept_ns: float | None
    left_out: tuple[LeftOut, ...] = ()


def _speed(interval: Interval) -> Interval:
    """bytes/s of an interval in ns/byte."""
    value, low, high = (
        1e9 / each if each > 0 else float("inf") for each in (interval.value, interval.high, interval.low)
    )
    return Interval(value, low, high)
