import math

import numpy as np
import pytest

from scripts.analysis.sessions import Limits, Outcome, Pair, changes, rests

RANDOM_SEED = 11


def sessions(random, networks, runs, session_sd, effect=0.0, slow=0.0):
    """Lognormal runs with 3 % noise; the first network of the candidate takes `effect` more time."""
    factors = random.normal(0, session_sd, 2)
    pairs = []
    for network in range(networks):
        sides = []
        for side in (0, 1):
            logs = factors[side] + random.normal(0, 0.03, runs)
            logs = logs + math.log(2) * (random.random(runs) < slow)
            if side == 1 and network == 0:
                logs = logs + math.log1p(effect)
            sides.append(np.exp(logs))
        pairs.append(Pair(*sides))
    return pairs


def outcomes(pairs, limits=None):
    limits = limits or Limits()
    return [each.outcome for each in changes(rests(pairs, limits)[1], limits)]


@pytest.mark.parametrize(("session_sd", "slow"), [(0.0, 0.0), (0.05, 0.0), (0.05, 0.2)])
def test_two_equal_sessions_alarm_in_at_most_2_percent(session_sd, slow):
    random = np.random.default_rng(RANDOM_SEED)
    alarms = [Outcome.WORSE in outcomes(sessions(random, 12, 10, session_sd, slow=slow)) for _ in range(100)]
    assert np.mean(alarms) <= 0.04  # 2 % and two standard errors


def test_6_percent_in_one_network_is_found_in_80_percent():
    random = np.random.default_rng(RANDOM_SEED)
    found = [outcomes(sessions(random, 12, 10, 0.03, 0.06))[0] is Outcome.WORSE for _ in range(100)]
    assert np.mean(found) >= 0.75


def test_two_sessions_of_20_runs_are_held_at_5_percent():
    random = np.random.default_rng(RANDOM_SEED)
    held = [set(outcomes(sessions(random, 12, 20, 0.03))) == {Outcome.HELD} for _ in range(30)]
    assert np.mean(held) >= 0.8


def test_with_few_networks_a_session_is_no_regression():
    random = np.random.default_rng(RANDOM_SEED)
    alarms = [Outcome.WORSE in outcomes(sessions(random, 2, 10, 0.05)) for _ in range(200)]
    assert np.mean(alarms) <= 0.04


def test_the_runs_needed_are_enough():
    random = np.random.default_rng(RANDOM_SEED)
    limits = Limits(tolerance=0.03)
    first = changes(rests(sessions(random, 12, 10, 0.03), limits)[1], limits)
    needed = [each.runs_needed for each in first if each.outcome is Outcome.CANNOT_TELL]
    assert needed
    assert all(each > 10 for each in needed)
    again = outcomes(sessions(random, 12, 3 * max(needed), 0.03), limits)
    assert (
        again.count(Outcome.HELD) > [each.outcome for each in first].count(Outcome.HELD)
        or again.count(Outcome.HELD) >= 11
    )


def test_a_network_that_is_slow_more_often_is_not_held():
    random = np.random.default_rng(RANDOM_SEED)
    pairs = sessions(random, 6, 12, 0.0)
    pairs[0].candidate[::2] *= 2
    limits = Limits(tolerance=0.2)
    change = changes(rests(pairs, limits)[1], limits)[0]
    assert change.outcome is Outcome.CANNOT_TELL
    assert "6 of 24 runs" in change.reason


def test_constant_metrics_are_compared_exactly():
    equal = [Pair(np.full(5, 100.0), np.full(5, 100.0)) for _ in range(5)]
    worse = [*equal[1:], Pair(np.full(5, 100.0), np.full(5, 110.0))]
    assert set(outcomes(equal)) == {Outcome.HELD}
    assert outcomes(worse) == [Outcome.HELD] * 4 + [Outcome.WORSE]
