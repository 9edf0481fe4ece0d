"""Two modes: on real machines some runs are two or three times slower than the others, in spells or one by one.

Both sides are lined up at their lower quartiles, so that a difference between the sides is no gap. There are two modes
where the largest gap in the sorted logarithms, above the lower quartile, is wider than 1.3 times and than five times
the spread (scaled median absolute deviation) of the runs below it.
"""

import math
from dataclasses import dataclass

import numpy as np

from scripts.analysis.metrics import Better, Metric, Unit

_LEAST_GAP = math.log(1.3)
_SPREADS = 5.0
# The median absolute deviation of a normal distribution, times this, is its standard deviation.
_NORMAL_MAD = 1.4826
# Sides with fewer runs have no quartile worth the name.
_LEAST_RUNS = 5
MODE_UNITS = (Unit.MS, Unit.TOKENS_PER_S, Unit.GB_PER_S)
_EQUAL = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Modes:
    """Runs that fall apart into a fast and a slow mode.

    Attributes:
        slow_a: for each run of side a whether it is slow.
        slow_b: the same of side b.
        factor: how many times slower the slow ones are, by medians.
        p: two-sided, Fisher's exact test of equal shares of slow runs on both sides.
    """

    slow_a: tuple[bool, ...]
    slow_b: tuple[bool, ...]
    factor: float
    p: float

    @property
    def sentence(self) -> str:
        """`4 of 20 runs belong to a mode 2.1 times slower (deep 1 of 10, wide 3 of 10)`, the sides unnamed."""
        slow, total = sum(self.slow_a) + sum(self.slow_b), len(self.slow_a) + len(self.slow_b)
        sides = " and ".join(f"{sum(side)} of {len(side)}" for side in (self.slow_a, self.slow_b))
        return f"{slow} of {total} runs ({sides}) belong to a mode {self.factor:.2g} times slower"


def find_modes(a: np.ndarray, b: np.ndarray, metric: Metric) -> Modes | None:
    """The two modes of runs with values above 0; None where there is one, and for metrics of no time or speed."""
    if min(len(a), len(b)) < _LEAST_RUNS or metric.unit not in MODE_UNITS:
        return None
    lined_a, lined_b = (_lined_up(side, metric) for side in (a, b))
    pooled = np.sort(np.concatenate([lined_a, lined_b]))
    gaps = np.where(pooled[:-1] < 0, 0.0, np.diff(pooled))
    widest = float(gaps.max())
    cut = int(np.argmax(gaps > widest - _EQUAL))
    below = pooled[: cut + 1]
    spread = _NORMAL_MAD * float(np.median(np.abs(below - np.median(below))))
    if widest <= max(_LEAST_GAP, _SPREADS * spread):
        return None
    slow_a, slow_b = (side > pooled[cut] + widest / 2 for side in (lined_a, lined_b))
    return Modes(
        slow_a=tuple(map(bool, slow_a)), slow_b=tuple(map(bool, slow_b)),
        factor=math.exp(float(np.median(pooled[cut + 1 :]) - np.median(below))),
        p=fisher_p(int(slow_a.sum()), len(a), int(slow_b.sum()), len(b)),
    )  # fmt: skip


def fisher_p(slow_a: int, n_a: int, slow_b: int, n_b: int) -> float:
    """Two-sided: the probability of all tables with these margins that are no likelier than this one (Fisher 1935)."""
    slow = slow_a + slow_b
    ways = {k: math.comb(n_a, k) * math.comb(n_b, slow - k) for k in range(max(0, slow - n_b), min(slow, n_a) + 1)}
    return sum(each for each in ways.values() if each <= ways[slow_a]) / math.comb(n_a + n_b, slow)


def _lined_up(side: np.ndarray, metric: Metric) -> np.ndarray:
    """Logarithms, slower upwards, 0 at the lower quartile: the order statistic (n - 1) / 4, rounded down, from 0."""
    logs = np.log(side) * (-1 if metric.better is Better.HIGHER else 1)
    return logs - np.sort(logs)[(len(logs) - 1) // 4]
