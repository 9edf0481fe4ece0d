"""Exact rank tests on logarithms, with the estimate and the interval that belong to the same test.

A test looks at differences whose middle is the log of the ratio: all x - y (Mann-Whitney, Hodges-Lehmann 1963) or all
Walsh averages (d_i + d_j) / 2 of pairs (Wilcoxon's signed rank). It rejects a ratio exp(t) when few differences lie at
or below t, or few at or above; the interval holds all that is not rejected. Differences equal to t count on both sides,
so ties make a test careful and never wrong, and test and interval cannot disagree.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from statistics import NormalDist

import numpy as np

# Sizes up to which the distribution is counted; above, the normal approximation with continuity correction.
EXACT_UP_TO = 100
# Logarithms of equal ratios differ in the last digits; a difference this small is none.
_SNAP = 1e-12


class Method(StrEnum):
    """The test."""

    MANN_WHITNEY = "Mann-Whitney"
    PAIRED = "Wilcoxon, neighbouring runs paired"


@dataclass(frozen=True, slots=True)
class RankTest:
    """Two sets of runs, seen through one test.

    Attributes:
        differences: of logarithms, sorted: n_a * n_b of them, or n (n + 1) / 2 where paired.
        n_a: runs of side a; of both sides where paired.
        n_b: runs of side b.
    """

    method: Method
    differences: np.ndarray
    n_a: int
    n_b: int

    @property
    def estimate(self) -> float:
        """Log of the ratio, the Hodges-Lehmann estimate: the median of the differences."""
        return float(np.median(self.differences))

    @property
    def p(self) -> float:
        """Two-sided p of the ratio 1."""
        below, above = (self.differences <= 0).sum(), (self.differences >= 0).sum()
        return min(1.0, 2 * float(self._cumulative()[min(below, above)]))

    @property
    def least_p(self) -> float:
        """The smallest p that this many runs can reach."""
        return least_p(self.n_a, self.n_b, self.method)

    def interval(self, level: float) -> tuple[float, float] | None:
        """Log ratios that the test at `level` does not reject; None where so few runs can reject nothing."""
        rejecting = int(np.searchsorted(2 * self._cumulative(), level + _SNAP, side="right")) - 1
        if rejecting < 0:
            return None
        return float(self.differences[rejecting]), float(self.differences[-1 - rejecting])

    def _cumulative(self) -> np.ndarray:
        return _cumulative(self.method, self.n_a, self.n_b)


def rank_test(a: np.ndarray, b: np.ndarray, method: Method) -> RankTest:
    """Of the ratio a / b; values above 0. In pairs run i of `a` belongs to run i of `b`."""
    x, y = np.log(a), np.log(b)
    if method is Method.PAIRED:
        shifts = x - y
        first, second = np.triu_indices(len(shifts))
        differences = (shifts[first] + shifts[second]) / 2
    else:
        differences = (x[:, None] - y[None, :]).ravel()
    snapped = np.where(np.abs(differences) <= _SNAP, 0.0, differences)
    return RankTest(method, np.sort(snapped), len(a), len(b))


def least_p(n_a: int, n_b: int, method: Method) -> float:
    """The smallest p that this many runs can reach, all of one side below all of the other."""
    if method is Method.PAIRED:
        return 2.0 ** (1 - n_a)
    return 2 / math.comb(n_a + n_b, n_a)


@cache
def _cumulative(method: Method, n_a: int, n_b: int) -> np.ndarray:
    """P(T <= k) for k from 0 to the number of differences, T the count of differences at or below the true one."""
    most = n_a * (n_a + 1) // 2 if method is Method.PAIRED else n_a * n_b
    if max(n_a, n_b) > EXACT_UP_TO:
        variance = most * (2 * n_a + 1) / 12 if method is Method.PAIRED else most * (n_a + n_b + 1) / 12
        normal = NormalDist(most / 2, math.sqrt(variance))
        return np.array([normal.cdf(k + 0.5) for k in range(most + 1)])
    mass = _signed_rank_mass(n_a) if method is Method.PAIRED else _rank_sum_mass(n_a, n_b)
    return np.cumsum(mass)


def _signed_rank_mass(n: int) -> np.ndarray:
    """P(W = k): every subset of the ranks 1 to n is as likely."""
    mass = np.zeros(n * (n + 1) // 2 + 1)
    mass[0] = 1.0
    for rank in range(1, n + 1):
        moved = np.zeros_like(mass)
        moved[rank:] = mass[: len(mass) - rank]
        mass = (mass + moved) / 2
    return mass


def _rank_sum_mass(n_a: int, n_b: int) -> np.ndarray:
    """P(U = k): every choice of n_a of n_a + n_b ranks is as likely.

    With P(i, j, k) for i of one side and j of the other: the largest of all belongs to the first side with probability
    i / (i + j), and then adds j (Mann and Whitney 1947).
    """
    row = [_unit(0) for _ in range(n_b + 1)]
    for i in range(1, n_a + 1):
        new = [_unit(0)]
        for j in range(1, n_b + 1):
            mass = np.zeros(i * j + 1)
            mass[j:] += row[j] * (i / (i + j))
            mass[: i * (j - 1) + 1] += new[j - 1] * (j / (i + j))
            new.append(mass)
        row = new
    return row[n_b]


def _unit(size: int) -> np.ndarray:
    mass = np.zeros(size + 1)
    mass[0] = 1.0
    return mass
