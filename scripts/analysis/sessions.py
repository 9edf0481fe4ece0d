"""Two sessions of the same networks: which network became worse, once what all of them share is removed?

Sessions differ by a few percent in everything: temperature, clock, what else runs. The common factor is the median over
networks of candidate / baseline; it is removed, and what is left of each network is tested once. A change that slows
every network alike is therefore not seen; the factor is told.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special, stats

from scripts.analysis.modes import find_modes
from scripts.analysis.ranks import Method, rank_test
from scripts.analysis.verdict import ALPHA, DECODE_P50, MIN_RUNS, holm

# Chance of a false alarm of a whole comparison.
ALARM = 0.02
TOLERANCE = 0.05
SESSION_SD = 0.05
# Fewer networks cannot tell what is theirs from what is the session's.
MIN_NETWORKS = 4
# Variance of a Hodges-Lehmann estimate over that of a mean, for normal noise.
_HODGES_LEHMANN = math.pi / 3
# Qn is as exact as a variance of 0.8 times as many values; scatter beyond this share of chance is the networks' own.
_QN_EFFICIENCY, _CHANCE = 0.8, 0.95
# A network's runs are never taken as quieter than half of the variance that they show.
_LEAST_OWN = 0.5
_MOST_FREEDOM = 1000.0
_BISECTIONS = 40
_NO_VARIANCE = 1e-24
# Qn's factors for normal noise, and those of few values.
_QN = 2.2219
_QN_SMALL = {3: 0.994, 4: 0.512, 5: 0.844, 6: 0.611, 7: 0.857, 8: 0.669, 9: 0.872}
# The common factor of two sessions that can be compared lies within so many standard deviations.
_FAR = 3.0
_MOST_RUNS = 1000


class Outcome(StrEnum):
    """What the candidate is, beside the baseline."""

    WORSE = "worse"
    HELD = "not worse by more than the tolerance"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user states.

    Attributes:
        tolerance: relative loss that may pass.
        session_sd: standard deviation of a session's common factor, where too few networks tell it.
        floor: smallest relative change that counts as worse.
    """

    tolerance: float = TOLERANCE
    session_sd: float = SESSION_SD
    floor: float = 0.02


@dataclass(frozen=True, slots=True)
class Common:
    """What all networks share.

    Attributes:
        ratio: candidate / baseline, larger is worse; 1 where it was not estimated.
        low: lower end of its 95 % interval.
        high: upper end.
        networks: behind it. With fewer than four it is not removed, and `session_sd` widens every interval instead.
    """

    ratio: float
    low: float
    high: float
    networks: int

    @property
    def removed(self) -> bool:
        """Whether it was estimated and removed."""
        return self.networks >= MIN_NETWORKS


@dataclass(frozen=True, slots=True)
class Change:
    """A network in the candidate session against the baseline, the common factor removed.

    Attributes:
        ratio: larger is worse; NaN where there was no test.
        low: lower end of its 90 % interval.
        high: upper end: one-sided 95 %, what is held against the tolerance.
        p: one-sided, of not worse.
        p_adjusted: by Holm over all networks of the comparison.
        runs_needed: runs on each side with which it could be told; None where runs do not help.
    """

    outcome: Outcome
    ratio: float
    low: float
    high: float
    p: float
    p_adjusted: float
    n_baseline: int
    n_candidate: int
    runs_needed: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Pair:
    """The runs of a network in both sessions, one positive number each, larger is worse.

    Attributes:
        may_have_modes: the numbers are of times or speeds, whose runs fall into a fast and a slow mode.
    """

    baseline: np.ndarray
    candidate: np.ndarray
    may_have_modes: bool = True


@dataclass(frozen=True, slots=True)
class _Shift:
    """Log of candidate / baseline, the variance of a run within its session, and the numbers of runs."""

    value: float
    variance: float
    n_baseline: int
    n_candidate: int
    modes: str | None
    refusal: str | None


@dataclass(frozen=True, slots=True)
class Rest:
    """What is left of a network's change.

    Attributes:
        value: log of candidate / baseline without the common factor.
        error: its standard error: noise of the runs or scatter between networks, whichever is larger, and the factor's.
        freedom: degrees of freedom of `error`.
        refusal: why nothing can be told; None if something can.
        n_baseline: runs judged; those of a slow mode are not.
        n_candidate: the same.
        modes: says that one session is in the slow mode more often; then a network cannot be held.
    """

    value: float
    error: float
    freedom: float
    refusal: str | None
    n_baseline: int
    n_candidate: int
    modes: str | None = None

    @property
    def p(self) -> float:
        """One-sided, of not worse."""
        if self.refusal:
            return 1.0
        if self.error == 0:
            return 1.0 if self.value <= 0 else 0.0
        return float(stats.t.sf(self.value / self.error, self.freedom))


def rests(pairs: Sequence[Pair], limits: Limits) -> tuple[Common, list[Rest]]:
    """What is left of each network of one device and setup, and the factor that they share.

    The error is that of the runs; where networks scatter more than their runs explain (by chance in 5 % of cases), as
    where each has its own luck in a session, it is that scatter. The factor's own error comes on top.
    """
    shifts = [_shift(each) for each in pairs]
    values = np.array([each.value for each in shifts])
    common = _common(values)
    far = common.removed and 0 < _FAR * math.sqrt(2) * limits.session_sd < abs(math.log(common.ratio))
    refusal = "the sessions differ by more than sessions do; measure both again" if far else None
    variances, prior = _moderated(shifts)
    found: list[Rest] = []
    for index, shift in enumerate(shifts):
        runs = 1 / shift.n_baseline + 1 / shift.n_candidate
        noise = _HODGES_LEHMANN * runs * variances[index]
        factor, variance = 0.0, noise + 2 * limits.session_sd**2
        if common.removed:
            others = np.delete(values, index)
            factor, scatter = _middle(others), _spread(others) ** 2
            own = scatter if scatter > noise * _chance_of_scatter(len(others)) else noise
            variance = own + _HODGES_LEHMANN * own / len(others)
        freedom = shift.n_baseline + shift.n_candidate - 2 + prior
        found.append(
            Rest(
                shift.value - factor,
                math.sqrt(variance),
                freedom,
                refusal or shift.refusal,
                shift.n_baseline,
                shift.n_candidate,
                shift.modes,
            )
        )
    return common, found


def changes(tested: Sequence[Rest], limits: Limits) -> list[Change]:
    """The outcome of each network; Holm's correction runs over all of them, whatever device they ran on."""
    corrected = holm([each.p for each in tested])
    return [_change(each, p, limits, len(tested)) for each, p in zip(tested, corrected, strict=True)]


def _change(rest: Rest, p_adjusted: float, limits: Limits, tests: int) -> Change:
    reach = float(stats.t.ppf(1 - ALPHA, rest.freedom)) * rest.error
    allowed = math.log1p(limits.tolerance)
    outcome, runs = Outcome.CANNOT_TELL, None
    if rest.refusal:
        reason = rest.refusal
    elif p_adjusted <= ALARM and math.expm1(rest.value) >= limits.floor:
        outcome, reason = Outcome.WORSE, f"p {p_adjusted:.2g} after Holm over {tests}"
    elif rest.modes:
        reason = rest.modes
    elif rest.value + reach <= allowed:
        outcome, reason = Outcome.HELD, f"at most {math.expm1(rest.value + reach):.1%} worse"
    else:
        runs = _runs_needed(rest, allowed, tests)
        help_ = f"{runs} runs on each side could tell" if runs else "more runs would not tell"
        reason = f"may be {math.expm1(rest.value + reach):.1%} worse, above {limits.tolerance:.1%}; {help_}"
    return Change(
        outcome=outcome, ratio=math.exp(rest.value), low=math.exp(rest.value - reach),
        high=math.exp(rest.value + reach), p=rest.p, p_adjusted=p_adjusted, n_baseline=rest.n_baseline,
        n_candidate=rest.n_candidate, runs_needed=runs, reason=reason,
    )  # fmt: skip


def _runs_needed(rest: Rest, allowed: float, tests: int) -> int | None:
    """Runs a side with which this change would be worse or held, as its error falls with the root of the runs."""
    if rest.error == 0:
        return None
    held = (allowed - rest.value) / float(stats.t.ppf(1 - ALPHA, rest.freedom))
    worse = rest.value / float(stats.t.ppf(1 - ALARM / tests, rest.freedom))
    error = max(held, worse)
    runs = math.ceil(min(rest.n_baseline, rest.n_candidate) * (rest.error / error) ** 2)
    return runs if runs <= _MOST_RUNS else None


def _moderated(shifts: Sequence[_Shift]) -> tuple[np.ndarray, float]:
    """Variances drawn towards that of all networks, and the degrees of freedom that this adds (Smyth 2004).

    The more alike the networks' variances are, the more they count together; from 1000 on there is nothing to gain.
    """
    own = np.array([each.variance for each in shifts])
    freedom = np.array([each.n_baseline + each.n_candidate - 2 for each in shifts], float)
    logs = np.log(np.maximum(own, _NO_VARIANCE)) - _log_bias(freedom)
    excess = float(np.var(logs, ddof=1)) - float(np.mean(_trigamma(freedom / 2))) if len(logs) > 1 else 0.0
    # The prior's degrees of freedom, by bisection on trigamma(d / 2) = excess: it falls with d.
    low, prior = 1e-3, _MOST_FREEDOM
    if excess > _trigamma(np.array(prior / 2)):
        for _ in range(_BISECTIONS):
            middle = math.sqrt(low * prior)
            low, prior = (middle, prior) if _trigamma(np.array(middle / 2)) > excess else (low, middle)
    typical = math.exp(float(np.mean(logs)) + float(_log_bias(np.array(prior))))
    moderated = (prior * typical + freedom * own) / (prior + freedom)
    return np.maximum(moderated, _LEAST_OWN * own), prior


def _trigamma(x: np.ndarray) -> np.ndarray:
    return np.asarray(special.polygamma(1, x))


def _chance_of_scatter(count: int) -> float:
    """How many times its expected value a variance of `count` networks exceeds by chance in 5 % of cases."""
    freedom = max(1.0, _QN_EFFICIENCY * (count - 1))
    return float(stats.chi2.ppf(_CHANCE, freedom)) / freedom


def _log_bias(freedom: np.ndarray) -> np.ndarray:
    """Mean of log(chi-squared / freedom)."""
    return np.asarray(special.digamma(freedom / 2)) - np.log(freedom / 2)


def _common(values: np.ndarray) -> Common:
    if len(values) < MIN_NETWORKS:
        return Common(1.0, math.nan, math.nan, len(values))
    middle = _middle(values)
    error = math.sqrt(_HODGES_LEHMANN / len(values)) * _spread(values)
    reach = float(stats.t.ppf(0.975, len(values) - 1)) * error
    return Common(math.exp(middle), math.exp(middle - reach), math.exp(middle + reach), len(values))


def _middle(values: np.ndarray) -> float:
    """The pseudomedian, the median of all averages of two (Hodges and Lehmann 1963): three in ten may lie anywhere."""
    first, second = np.triu_indices(len(values))
    return float(np.median((values[first] + values[second]) / 2))


def _spread(values: np.ndarray) -> float:
    """Qn of Rousseeuw and Croux (1993), as exact as a standard deviation nearly, with half of the values anywhere."""
    count = len(values)
    first, second = np.triu_indices(count, 1)
    half = count // 2 + 1
    rank = half * (half - 1) // 2
    factor = _QN_SMALL.get(count, count / (count + (1.4 if count % 2 else 3.8)))
    return _QN * factor * float(np.sort(np.abs(values[first] - values[second]))[rank - 1])


def _shift(pair: Pair) -> _Shift:
    a, b = pair.candidate, pair.baseline
    modes = find_modes(a, b, DECODE_P50) if pair.may_have_modes else None
    refusal = None
    if modes is not None:
        refusal = f"{modes.sentence}; the fast mode is left with fewer than {MIN_RUNS} on a side"
        fast_a, fast_b = a[~np.array(modes.slow_a)], b[~np.array(modes.slow_b)]
        if min(len(fast_a), len(fast_b)) >= MIN_RUNS:
            a, b, refusal = fast_a, fast_b, None
    squares = sum(float(np.log(side).var()) * len(side) for side in (a, b))
    variance = squares / (len(a) + len(b) - 2)
    slower_mode = modes.sentence if modes is not None and modes.p <= ALPHA else None
    return _Shift(rank_test(a, b, Method.MANN_WHITNEY).estimate, variance, len(b), len(a), slower_mode, refusal)
