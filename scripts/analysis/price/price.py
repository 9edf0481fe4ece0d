"""The price of a layer: a fit of the token model to a sweep of shapes, with intervals, or why there is none."""

from collections.abc import Sequence

import numpy as np

from models.errors import UserError
from scripts.analysis.price.fit import (
    DOMINANT_SHARE,
    Interval,
    Label,
    LeftOut,
    Observation,
    PriceFit,
    Residual,
    Unidentified,
)
from scripts.analysis.price.identifiability import SPARE_SHAPES, refuse
from scripts.analysis.price.model import (
    ALL_TERMS,
    CONTEXT_TERMS,
    Term,
    Weighting,
    Workload,
    condition_number,
    design_matrix,
    solve,
)
from scripts.analysis.price.solve import solve_many

__all__ = ["Interval", "Label", "LeftOut", "Observation", "PriceFit", "Residual", "Unidentified", "fit_price"]

RESAMPLES = 1000


def fit_price(
    observations: Sequence[Observation], terms: Sequence[Term] = ALL_TERMS, weighting: Weighting = Weighting.RELATIVE,
    left_out: Sequence[LeftOut] = (), candidates: Sequence[Workload] = (), seed: int = 0,
    spare_shapes: int = SPARE_SHAPES,
) -> PriceFit | Unidentified:  # fmt: skip
    """Fit the model to measured shapes.

    Terms of the context are dropped where no observation reads a cache.

    Args:
        observations: one for each shape and context.
        terms: what to fit.
        weighting: `ABSOLUTE` is plain least squares.
        left_out: shapes that the caller dropped before, to be told with the fit.
        candidates: shapes that could be added, for the advice of a refusal.
        seed: of the bootstrap.
        spare_shapes: how many more shapes than terms there must be.

    Raises:
        UserError: no observation, or a time that is not positive.
    """
    if not observations or any(not each.time_ns > 0 for each in observations):
        raise UserError("price: give measured shapes, each with a time above 0")
    chosen = _varying(observations, terms)
    refusal = refuse(observations, chosen, candidates, spare_shapes)
    if refusal:
        return refusal
    data = _Data(observations, chosen, weighting)
    coefficients = data.solve(np.arange(len(observations)), data.times)
    left_one_out, without = data.leave_one_out()
    fitted = data.design @ coefficients
    return PriceFit(
        terms=chosen, coefficients=tuple(map(float, coefficients)), draws=data.bootstrap(seed),
        errors=_jackknife_errors(without),
        residuals=tuple(map(Residual, data.workloads, map(float, data.times), map(float, fitted))),
        left_one_out=tuple(left_one_out), r_squared=_r_squared(data.times, fitted),
        relative_scatter=_rms(left_one_out), condition_number=condition_number(data.design, chosen),
        label=_label(data.design, coefficients, chosen), shapes=data.names, left_out=tuple(left_out),
        most_runs=max(int((~np.isnan(each.run_ns)).sum()) for each in observations),
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

    def leave_one_out(self) -> tuple[list[Residual], np.ndarray]:
        """Each shape as the others predict it, and their coefficients [shapes, terms]."""
        found: list[Residual] = []
        without: list[np.ndarray] = []
        owners = np.array([each.name for each in self.workloads])
        for name in self.names:
            coefficients = self.solve(np.flatnonzero(owners != name), self.times)
            without.append(coefficients)
            for row in np.flatnonzero(owners == name):
                model = float(self.design[row] @ coefficients)
                found.append(Residual(self.workloads[row], float(self.times[row]), model))
        return found, np.array(without)

    def bootstrap(self, seed: int) -> np.ndarray:
        """[resamples, terms]: runs resampled within shapes; a run keeps all its contexts."""
        return solve_many(self.design, self._resampled(np.random.default_rng(seed)), self.sigma, self.robust)

    def _resampled(self, random: np.random.Generator) -> np.ndarray:
        """[resamples, observations]: the median of as many runs as there are, drawn with replacement."""
        most = max(len(each.run_ns) for each in self.observations)
        chosen = {name: random.random((RESAMPLES, most)) for name in self.names}
        times = np.tile(self.times, (RESAMPLES, 1))
        for column, observation in enumerate(self.observations):
            runs = np.array(observation.run_ns)
            picked = runs[(chosen[observation.workload.name][:, : len(runs)] * len(runs)).astype(int)]
            known = ~np.isnan(picked).all(axis=1)
            middle = np.nanmedian if np.isnan(runs).any() else np.median
            times[known, column] = middle(picked[known], axis=1)
        return times


def _jackknife_errors(without: np.ndarray) -> tuple[float, ...]:
    """Standard errors [terms] from fits with one shape left out each: (n - 1) / n of their squared deviations' sum."""
    count = len(without)
    return tuple(float(each) for each in np.sqrt((count - 1) * without.var(axis=0)))


def _varying(observations: Sequence[Observation], terms: Sequence[Term]) -> tuple[Term, ...]:
    amounts = {term: any(each.workload.amount(term) for each in observations) for term in CONTEXT_TERMS}
    return tuple(term for term in terms if amounts.get(term, True))


def _label(design: np.ndarray, coefficients: np.ndarray, terms: Sequence[Term]) -> Label:
    times = design @ coefficients
    shares = dict(zip(terms, np.median(design * coefficients / times[:, None], axis=0), strict=True))
    if shares.get(Term.LAYERS, 0.0) >= DOMINANT_SHARE:
        return Label.DISPATCH_BOUND
    if shares.get(Term.WEIGHTS, 0.0) + shares.get(Term.KV, 0.0) >= DOMINANT_SHARE:
        return Label.BANDWIDTH_BOUND
    return Label.MIXED


def _r_squared(times: np.ndarray, fitted: np.ndarray) -> float:
    total = float(((times - times.mean()) ** 2).sum())
    return 1 - float(((times - fitted) ** 2).sum()) / total if total > 0 else float("nan")


def _rms(residuals: Sequence[Residual]) -> float:
    return float(np.sqrt(np.mean([each.error**2 for each in residuals]))) if residuals else 0.0
