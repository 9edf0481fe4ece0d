"""Is one set of runs faster than another? Ratio, interval, test and words, on one number for each run.

docs/method.md, "The rule of a verdict", is the specification, which the app follows too; tests/golden/verdicts.json
holds both to it. In short: a winner is named only if (1) both sides have at least 5 usable runs, (2) that many runs
could reach the level at all after the correction, (3) an exact rank test says so at 5 % after Holm's correction over
the family, and (4) the ratio differs from 1 by the metric's floor. Everything else is `no difference shown` or
`not enough runs`, and where a run's value is 0, so that there is no ratio, `undecided`.

The family is one setup: one device, OS build, runtime, scheme and protocol, with all its pairs and contexts. A device
is judged by itself, so a campaign with more phones does not need more runs on each; `p_all` is corrected over
everything shown, for those who will pick the best row of a long table. With 5 runs a side an exact Mann-Whitney test
cannot fall below p = 0.008 and so carries a family of 6; the verdict of a larger one says how many runs it needs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from models.errors import UserError
from scripts.analysis.metrics import METRICS, Better, Metric, MetricName, Unit
from scripts.analysis.modes import Modes, find_modes
from scripts.analysis.ranks import Method, RankTest, least_p, rank_test

ALPHA = 0.05
MIN_RUNS = 5
# An exact paired test of n pairs cannot fall below 2 / 2^n: from 8 pairs on (0.008) it is as sharp as the unpaired one.
MIN_PAIRS = 8
POWER = 0.8
# Probabilities are sums of many terms: what is equal on paper may differ in the last digits.
_EQUAL = 1e-12
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


class Judged(StrEnum):
    """Which runs the word is about."""

    ALL_RUNS = "all runs"
    FAST_MODE = "fast mode"


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one choice of runs says.

    Attributes:
        ratio: Hodges-Lehmann estimate of a / b. NaN without runs on both sides.
        low: lower end of the 95 % interval that inverts the test. NaN where so few runs have none.
        high: upper end.
        p: of the two-sided test, uncorrected.
    """

    word: Word
    ratio: float
    low: float
    high: float
    p: float
    n_a: int
    n_b: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """Side a against side b.

    Attributes:
        ratio: Hodges-Lehmann estimate of a / b. NaN without runs on both sides, and where a value is not above 0.
        low: lower end of its 95 % interval, which inverts the test: with a winner it never holds 1.
        high: upper end. Both are NaN where fewer runs have no interval.
        p: of the two-sided test, uncorrected; 1 where it could not be made.
        p_adjusted: corrected by Holm over the family.
        tests: size of the family.
        n_a: runs of side a that were judged; `judged` says which.
        n_b: the same of side b.
        minimum_effect: smallest relative slowdown that such runs would show in 80 % of repetitions. NaN where there is
            no test.
        modes: where runs fall into two modes.
        other: what the runs say that were not judged so: all runs beside the fast mode, or the fast mode beside all.
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
    minimum_effect: float
    judged: Judged = Judged.ALL_RUNS
    modes: Modes | None = None
    other: Analysis | None = None
    reason: str
    test: RankTest | None = field(repr=False, compare=False)
    other_test: RankTest | None = field(default=None, repr=False, compare=False)

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
    a: Sequence[float], b: Sequence[float], metric: Metric = DECODE_P50, *, tests: int = 1, paired: bool = False
) -> Verdict:
    """Compare two sets of runs.

    Args:
        a: the metric of each run; with a value of 0 or below the verdict is `undecided`.
        b: the same of the other side.
        metric: gives the direction that is better, the unit and the floor.
        tests: how many comparisons are made in this family; p is multiplied by it, as Holm does for the smallest p.
            `adjust` corrects a whole family at once.
        paired: run i of `a` and run i of `b` are neighbours in time. Used from 8 pairs on, unless there are two modes;
            the choice never looks at p.

    Raises:
        UserError: a value is not finite, or paired sides differ in length.
    """
    first, second = np.array(a, float), np.array(b, float)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise UserError(f"{metric.name}: every run's value must be a finite number")
    if paired and len(first) != len(second):
        raise UserError(f"paired sides must have equally many runs, not {len(first)} and {len(second)}")
    if zeros := int((first <= 0).sum() + (second <= 0).sum()):
        reason = f"{zeros} of {len(first) + len(second)} runs have a value that is not above 0, and so no ratio"
        return _untested(Word.UNDECIDED, reason, first, second, tests)
    if not len(first) or not len(second):
        return _untested(Word.NOT_ENOUGH, _too_few(len(first), len(second)), first, second, tests)
    modes = find_modes(first, second, metric)
    method = Method.PAIRED if paired and len(first) >= MIN_PAIRS and modes is None else Method.MANN_WHITNEY
    test = rank_test(first, second, method)
    verdict = replace(_untested(Word.NOT_ENOUGH, "", first, second, tests), test=test, p=test.p, method=method)
    if modes is not None:
        verdict = _with_modes(verdict, modes, first, second)
    return _worded(verdict, min(1.0, verdict.p * tests), tests, metric)


def adjust(verdicts: Sequence[Verdict], metric: Metric = DECODE_P50) -> list[Verdict]:
    """Correct a family of verdicts by Holm and word each anew. Those without enough runs were no tests."""
    corrected, size = holm_tested(verdicts), max(1, sum(each.tested for each in verdicts))
    return [_worded(each, p, size, metric) for each, p in zip(verdicts, corrected, strict=True)]


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


def runs_needed(tests: int, method: Method = Method.MANN_WHITNEY) -> int:
    """Runs a side with which the smallest p of a family of this size can fall below 5 %."""
    runs = MIN_RUNS
    while not _reaches(least_p(runs, runs, method) * tests):
        runs += 1
    return runs


def minimum_effect(test: RankTest, tests: int, floor: float) -> float:
    """Smallest relative slowdown found in 80 % of repetitions, by the width of the interval; NaN where there is none.

    The interval at the level of Holm's first step is h wide to each side (in logs), z = quantile(1 - level / 2)
    standard errors. A true effect of h is found in half of all repetitions, one of h (1 + quantile(0.8) / z) in 80 %.
    An effect below the floor is never named.
    """
    level = ALPHA / tests
    interval = test.interval(level)
    if interval is None:
        return math.nan
    half = (interval[1] - interval[0]) / 2
    normal = NormalDist()
    return max(floor, math.expm1(half * (1 + normal.inv_cdf(POWER) / normal.inv_cdf(1 - level / 2))))


def _untested(word: Word, reason: str, a: np.ndarray, b: np.ndarray, tests: int) -> Verdict:
    nan = math.nan
    return Verdict(
        word=word, ratio=nan, low=nan, high=nan, p=1.0, p_adjusted=1.0, tests=tests, method=Method.MANN_WHITNEY,
        n_a=len(a), n_b=len(b), minimum_effect=nan, reason=reason, test=None,
    )  # fmt: skip


def _with_modes(verdict: Verdict, modes: Modes, a: np.ndarray, b: np.ndarray) -> Verdict:
    """The fast mode is judged, unless too few runs are left or one side is slow more often: then all runs are."""
    every = verdict.test
    fast = rank_test(a[~np.array(modes.slow_a)], b[~np.array(modes.slow_b)], Method.MANN_WHITNEY)
    if min(fast.n_a, fast.n_b) < MIN_RUNS or _reaches(modes.p):
        return replace(verdict, modes=modes, other_test=fast)
    return replace(
        verdict, modes=modes, judged=Judged.FAST_MODE, test=fast, other_test=every, p=fast.p, n_a=fast.n_a,
        n_b=fast.n_b,
    )  # fmt: skip


def _worded(verdict: Verdict, p_adjusted: float, tests: int, metric: Metric) -> Verdict:
    """The verdict, as one of a family of so many tests."""
    test = verdict.test
    if test is None:
        return replace(verdict, tests=tests)
    word, reason = _word(test, p_adjusted, tests, metric)
    other = None
    if verdict.other_test is not None:
        other = _analysis(verdict.other_test, tests, metric)
        reason = f"{reason}; {_modes_reason(verdict, other)}"
    judged = _analysis(test, tests, metric)
    return replace(
        verdict, word=word, ratio=judged.ratio, low=judged.low, high=judged.high, p_adjusted=p_adjusted, tests=tests,
        minimum_effect=minimum_effect(test, tests, metric.floor) if verdict.tested else math.nan, other=other,
        reason=reason,
    )  # fmt: skip


def _analysis(test: RankTest, tests: int, metric: Metric) -> Analysis:
    """By itself, with Bonferroni's correction."""
    word, _ = _word(test, min(1.0, test.p * tests), tests, metric)
    low, high = test.interval(ALPHA) or (math.nan, math.nan)
    return Analysis(word, math.exp(test.estimate), math.exp(low), math.exp(high), test.p, test.n_a, test.n_b)


def _word(test: RankTest, p_adjusted: float, tests: int, metric: Metric) -> tuple[Word, str]:
    if min(test.n_a, test.n_b) < MIN_RUNS:
        return Word.NOT_ENOUGH, _too_few(test.n_a, test.n_b)
    ratio, after = math.exp(test.estimate), f"p {p_adjusted:.2g} after Holm over {tests}"
    if _reaches(p_adjusted):
        if abs(ratio - 1) < metric.floor:
            return (
                Word.NO_DIFFERENCE,
                f"the difference is real, but below {metric.floor:.0%}, the floor of {metric.name}",
            )
        return _winner(ratio, metric), after
    # Holm's first step is the easiest to fail: if even that is out of reach, no data could have named a winner.
    if not _reaches(test.least_p * tests):
        need = runs_needed(tests, test.method)
        runs = min(test.n_a, test.n_b)
        return Word.NOT_ENOUGH, f"{runs} runs a side cannot decide {tests} comparisons; {need} can"
    effect = minimum_effect(test, tests, metric.floor)
    return Word.NO_DIFFERENCE, f"{after}; such runs show a difference of {effect:.1%} in {POWER:.0%} of repetitions"


def _modes_reason(verdict: Verdict, other: Analysis) -> str:
    modes = verdict.modes
    assert modes is not None
    if verdict.judged is Judged.FAST_MODE:
        judged, beside = "judged in the fast mode", "all runs"
    elif min(other.n_a, other.n_b) < MIN_RUNS:
        judged, beside = "too few are left in the fast mode, all runs are judged", "the fast mode"
    else:
        judged, beside = f"one side is slow more often (p {modes.p:.2g}), all runs are judged", "the fast mode"
    interval = "" if math.isnan(other.low) else f" ({other.low:.3g} to {other.high:.3g})"
    return f"{modes.sentence}; {judged}; {beside}: {other.word}, ratio {other.ratio:.3g}{interval}"


def _too_few(n_a: int, n_b: int) -> str:
    return f"{n_a} and {n_b} usable runs; a winner needs {MIN_RUNS} on each side"


def _reaches(p: float) -> bool:
    return p <= ALPHA + _EQUAL


def _winner(ratio: float, metric: Metric) -> Word:
    if metric.unit is Unit.BYTES:
        return Word.SMALLER if ratio < 1 else Word.LARGER
    return Word.FASTER if (ratio < 1) == (metric.better is not Better.HIGHER) else Word.SLOWER
