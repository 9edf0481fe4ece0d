"""Is one set of runs faster than another? Ratio, interval, test and words, on one number for each run.

The rule, in order. A winner is named only if (1) both sides have at least 5 usable runs, (2) that many runs could
reach the level at all after the correction, (3) the test says so at 5 % after Holm's correction over the family, and
(4) the ratio differs from 1 by the metric's floor. Everything else is `no difference shown` or `not enough runs`, and
where a run's value is 0, so that there is no ratio, `undecided`.

The family is one setup: one device, OS build, runtime, scheme and protocol, with all its pairs and contexts. A device
is judged by itself, so a campaign with more phones does not need more runs on each; `p_all` is corrected over
everything shown, for those who will pick the best row of a long table. With 5 runs a side an exact Mann-Whitney test
cannot fall below p = 0.008 and so carries a family of 6; the verdict of a larger one says how many runs it needs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from models.errors import UserError
from scripts.analysis.metrics import METRICS, Better, Metric, MetricName, Unit

ALPHA = 0.05
MIN_RUNS = 5
# An exact paired test of n pairs cannot fall below 2 / 2^n: from 8 pairs on (0.008) it is as sharp as the unpaired one.
MIN_PAIRS = 8
_RESAMPLES = 2000
_EXACT_UP_TO = 25
DECODE_P50 = METRICS[MetricName.DECODE_P50_MS]


class Word(StrEnum):
    """What may be said of side a, measured against side b."""

    FASTER = "faster"
    SLOWER = "slower"
    SMALLER = "smaller"
    LARGER = "larger"
    NO_DIFFERENCE = "no difference shown"
    NOT_ENOUGH = "not enough runs"
    UNDECIDED = "undecided"  # a run's value is 0 or below: such sides have no ratio


class Method(StrEnum):
    """The test."""

    MANN_WHITNEY = "Mann-Whitney"
    PAIRED = "Wilcoxon, neighbouring runs paired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Side a against side b.

    Attributes:
        ratio: median of a / median of b. NaN without runs on both sides, and where a value is not above 0.
        low: lower end of its 95 % bootstrap interval over runs.
        high: upper end.
        p: of the two-sided test, uncorrected; 1 where it could not be made.
        p_adjusted: corrected by Holm over the family.
        tests: size of the family.
        reason: one sentence that says why it is this word.
    """

    word: Word
    ratio: float
    low: float
    high: float
    p: float
    p_adjusted: float
    tests: int
    method: Method
    n_a: int
    n_b: int
    reason: str

    @property
    def decided(self) -> bool:
        """Whether its runs could have named a winner."""
        return self.word not in (Word.NOT_ENOUGH, Word.UNDECIDED)

    @property
    def names_winner(self) -> bool:
        """Whether it says that the sides differ."""
        return self.decided and self.word is not Word.NO_DIFFERENCE

    @property
    def tested(self) -> bool:
        """Whether there was a test, so that it counts in a family: enough runs on both sides, all above 0."""
        return self.word is not Word.UNDECIDED and min(self.n_a, self.n_b) >= MIN_RUNS


def compare(
    a: Sequence[float], b: Sequence[float], metric: Metric = DECODE_P50, *, tests: int = 1, paired: bool = False,
    seed: int = 0,
) -> Verdict:  # fmt: skip
    """Compare two sets of runs.

    Args:
        a: the metric of each run; with a value of 0 or below the verdict is `undecided`.
        b: the same of the other side.
        metric: gives the direction that is better and the floor.
        tests: how many comparisons are made in this family; p is multiplied by it, as Holm does for the smallest p.
            `adjust` corrects a whole family at once.
        paired: run i of `a` and run i of `b` are neighbours in time. Used from 8 pairs on; the choice never looks at p.
        seed: of the bootstrap.

    Raises:
        UserError: a value is not finite, or paired sides differ in length.
    """
    if not all(math.isfinite(value) for value in (*a, *b)):
        raise UserError(f"{metric.name}: every run's value must be a finite number")
    if paired and len(a) != len(b):
        raise UserError(f"paired sides must have equally many runs, not {len(a)} and {len(b)}")
    method = Method.PAIRED if paired and len(a) >= MIN_PAIRS else Method.MANN_WHITNEY
    nan = math.nan
    if zeros := sum(value <= 0 for value in (*a, *b)):
        reason = f"{zeros} of {len(a) + len(b)} runs have a value that is not above 0, and so no ratio"
        return Verdict(
            word=Word.UNDECIDED, ratio=nan, low=nan, high=nan, p=1.0, p_adjusted=1.0, tests=tests, method=method,
            n_a=len(a), n_b=len(b), reason=reason,
        )  # fmt: skip
    if not a or not b:
        return _worded(nan, (nan, nan), 1.0, 1.0, tests, method, (len(a), len(b)), metric)
    first, second = np.array(a, float), np.array(b, float)
    ratio, interval = _ratio(first, second, method, seed)
    p = _p_value(first, second, method)
    return _worded(ratio, interval, p, min(1.0, p * tests), tests, method, (len(a), len(b)), metric)


def adjust(verdicts: Sequence[Verdict], metric: Metric = DECODE_P50) -> list[Verdict]:
    """Correct a family of verdicts by Holm and word each anew. Those without enough runs were no tests."""
    corrected, size = holm_tested(verdicts), max(1, sum(each.tested for each in verdicts))
    return [
        replace(each, tests=size) if each.word is Word.UNDECIDED else
        _worded(each.ratio, (each.low, each.high), each.p, p, size, each.method, (each.n_a, each.n_b), metric)
        for each, p in zip(verdicts, corrected, strict=True)
    ]  # fmt: skip


def holm_tested(verdicts: Sequence[Verdict]) -> list[float]:
    """Holm's p over the verdicts that were tests; 1 for the others, which must not make the family larger."""
    tested = [index for index, each in enumerate(verdicts) if each.tested]
    corrected = dict(zip(tested, holm([verdicts[index].p for index in tested]), strict=True))
    return [corrected.get(index, 1.0) for index in range(len(verdicts))]


def holm(p_values: Sequence[float]) -> list[float]:
    """Step-down adjusted p values, in the order given (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return adjusted


def least_p(n_a: int, n_b: int, method: Method) -> float:
    """The smallest p that this many runs can reach, all of one side below all of the other."""
    if method is Method.PAIRED:
        return 2.0 ** (1 - n_a)
    return 2 / math.comb(n_a + n_b, n_a)


def runs_needed(tests: int, method: Method = Method.MANN_WHITNEY) -> int:
    """Runs a side with which the smallest p of a family of this size can fall below 5 %."""
    runs = MIN_RUNS
    while least_p(runs, runs, method) * tests > ALPHA:
        runs += 1
    return runs


def _worded(
    ratio: float, interval: tuple[float, float], p: float, p_adjusted: float, tests: int, method: Method,
    runs: tuple[int, int], metric: Metric,
) -> Verdict:  # fmt: skip
    word, reason = _word(ratio, p_adjusted, tests, method, runs, metric)
    return Verdict(
        word=word, ratio=ratio, low=interval[0], high=interval[1], p=p, p_adjusted=p_adjusted, tests=tests,
        method=method, n_a=runs[0], n_b=runs[1], reason=reason,
    )  # fmt: skip


def _word(
    ratio: float, p_adjusted: float, tests: int, method: Method, runs: tuple[int, int], metric: Metric
) -> tuple[Word, str]:
    if min(runs) < MIN_RUNS:
        return Word.NOT_ENOUGH, f"{runs[0]} and {runs[1]} usable runs; a winner needs {MIN_RUNS} on each side"
    if p_adjusted <= ALPHA:
        if abs(ratio - 1) < metric.floor:
            return (
                Word.NO_DIFFERENCE,
                f"the difference is real, but below {metric.floor:.0%}, the floor of {metric.name}",
            )
        return _winner(ratio, metric), f"p {p_adjusted:.2g} after Holm over {tests}"
    # Holm's first step is the easiest to fail: if even that is out of reach, no data could have named a winner.
    if least_p(*runs, method) * tests > ALPHA:
        need = runs_needed(tests, method)
        return Word.NOT_ENOUGH, f"{min(runs)} runs a side cannot decide {tests} comparisons; {need} can"
    return Word.NO_DIFFERENCE, f"p {p_adjusted:.2g} after Holm over {tests}"


def _winner(ratio: float, metric: Metric) -> Word:
    if metric.unit is Unit.BYTES:
        return Word.SMALLER if ratio < 1 else Word.LARGER
    return Word.FASTER if (ratio < 1) == (metric.better is not Better.HIGHER) else Word.SLOWER


def _ratio(a: np.ndarray, b: np.ndarray, method: Method, seed: int) -> tuple[float, tuple[float, float]]:
    """Ratio of medians and its percentile interval, runs resampled with replacement; pairs stay together."""
    random = np.random.default_rng(seed)
    rows = random.integers(len(a), size=(_RESAMPLES, len(a)))
    other = rows if method is Method.PAIRED else random.integers(len(b), size=(_RESAMPLES, len(b)))
    draws = np.median(a[rows], axis=1) / np.median(b[other], axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(np.median(a) / np.median(b)), (float(low), float(high))


def _p_value(a: np.ndarray, b: np.ndarray, method: Method) -> float:
    if method is Method.PAIRED:
        logs = np.log(a / b)
        # Where runs fall into two modes most pairs can point one way and the medians the other: that shows nothing.
        agree = np.median(logs) * np.log(np.median(a) / np.median(b)) > 0
        return float(np.asarray(stats.wilcoxon(logs))[1]) if agree else 1.0
    tied = len(np.unique(np.concatenate([a, b]))) < len(a) + len(b)
    exact = not tied and max(len(a), len(b)) <= _EXACT_UP_TO
    # Ties make the exact distribution wrong; the asymptotic one is corrected for them.
    result = stats.mannwhitneyu(a, b, method="exact" if exact else "asymptotic")
    return float(np.asarray(result)[1])
