import itertools
import json
import math

import numpy as np
import pytest

from scripts.analysis.ranks import Method, rank_test
from tests.golden.build_verdicts import FILE, as_json, families, verdicts_of

GOLDENS = json.loads(FILE.read_text(encoding="utf-8"))


def close(found, golden):
    """Equal, numbers to 1e-9."""
    if isinstance(golden, dict):
        return found.keys() == golden.keys() and all(close(found[key], golden[key]) for key in golden)
    if isinstance(golden, list):
        return len(found) == len(golden) and all(map(close, found, golden))
    if isinstance(golden, float) and found is not None:
        return math.isclose(found, golden, rel_tol=1e-9, abs_tol=1e-9)
    return found == golden


@pytest.mark.parametrize(("family", "golden"), list(zip(families(), GOLDENS, strict=True)), ids=lambda x: "")
def test_python_reaches_the_golden_verdicts(family, golden):
    assert close(json.loads(json.dumps(as_json(family))), golden), family.name


def test_goldens_hold_every_word_and_enough_cases():
    rows = [row["expected"] for family in GOLDENS for row in family["comparisons"]]
    assert len({family["name"] for family in GOLDENS}) == len(GOLDENS) >= 40
    assert {row["word"] for row in rows} == {
        "faster", "slower", "smaller", "larger", "no difference shown", "not enough runs", "undecided"
    }  # fmt: skip
    assert {row["judged"] for row in rows} == {"all runs", "fast mode"}
    assert {row["paired"] for row in rows} == {True, False}


def test_no_winner_has_an_interval_that_holds_1():
    for family in families():
        for each in verdicts_of(family):
            assert not (each.names_winner and each.low <= 1 <= each.high), family.name


def assignments(pooled, count):
    """How many differences lie at or below 0 for every choice of side a among the pooled runs."""
    for chosen in itertools.combinations(range(len(pooled)), count):
        others = [pooled[i] for i in range(len(pooled)) if i not in chosen]
        yield sum(pooled[i] <= other for i in chosen for other in others)


def test_mann_whitney_is_the_count_over_all_assignments():
    a, b = [1.0, 1.3, 1.1, 1.6], [1.15, 1.4, 1.7, 1.5, 1.8]
    counts = list(assignments([*a, *b], 4))
    below = sum(x <= y for x in a for y in b)
    least = min(below, 20 - below)
    assert rank_test(np.array(a), np.array(b), Method.MANN_WHITNEY).p == pytest.approx(
        2 * sum(each <= least for each in counts) / len(counts)
    )


def test_signed_rank_is_the_count_over_all_signs():
    shifts = [0.01, -0.02, 0.035, 0.04, 0.055, -0.06, 0.07, 0.085]
    ranks = range(1, 9)  # sorted by size
    sums = [
        sum(rank for rank, up in zip(ranks, signs, strict=True) if up) for signs in itertools.product((0, 1), repeat=8)
    ]
    negative = sum(rank for rank, shift in zip(ranks, shifts, strict=True) if shift < 0)
    p = 2 * sum(each <= negative for each in sums) / len(sums)
    assert rank_test(np.exp(shifts), np.ones(8), Method.PAIRED).p == pytest.approx(p)


@pytest.mark.parametrize("method", list(Method))
def test_the_interval_holds_what_the_test_does_not_reject(method):
    random = np.random.default_rng(4)
    for _ in range(100):
        # Rounded, so that there are ties.
        a, b = (np.round(np.exp(random.normal(0, 0.1, 9)), 2) for _ in range(2))
        interval = rank_test(a, b, method).interval(0.05)
        assert interval is not None
        for shift in (-0.1, -0.03, 0.0, 0.03, 0.1, *interval):
            rejected = rank_test(a / math.exp(shift), b, method).p <= 0.05
            assert rejected == (not interval[0] - 1e-11 <= shift <= interval[1] + 1e-11)
