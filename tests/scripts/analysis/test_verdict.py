import math

import numpy as np
import pytest
from scipy import stats

from models.errors import UserError
from scripts.analysis.cells import group_cells
from scripts.analysis.metrics import METRICS, MetricName
from scripts.analysis.pairs import pair_verdicts
from scripts.analysis.ranks import Method, least_p
from scripts.analysis.verdict import Judged, Word, adjust, compare, holm, runs_needed
from scripts.testing.records.generator import Campaign, GeneratedDevice, generate_records, pair_networks

SPEED = METRICS[MetricName.DECODE_TOKENS_PER_S]
MEMORY = METRICS[MetricName.HIGH_WATER_BYTES]
TRIALS = 400


def runs(random, count, level=1.0, noise=0.03):
    return (level * np.exp(random.normal(0, noise, count))).tolist()


def share_of_winners(effect, count, paired=False, drift=0.0):
    random, winners = np.random.default_rng(1), 0
    for _ in range(TRIALS):
        trend = np.exp(np.cumsum(random.normal(0, drift, count)))
        a, b = (np.array(runs(random, count, level)) * trend for level in (1 + effect, 1.0))
        winners += compare(a.tolist(), b.tolist(), paired=paired).names_winner
    return winners / TRIALS


def test_a_against_a_names_a_winner_in_at_most_5_percent():
    assert share_of_winners(0.0, 5) <= 0.05
    assert share_of_winners(0.0, 10, paired=True) <= 0.05


def test_10_percent_is_found_at_3_percent_noise_with_5_runs():
    assert share_of_winners(0.10, 5) >= 0.95


def test_pairing_finds_under_drift_what_unpaired_runs_do_not():
    assert share_of_winners(0.05, 10, paired=True, drift=0.05) > 0.8 > 0.3 > share_of_winners(0.05, 10, drift=0.05)


def test_a_family_of_equal_pairs_names_any_winner_in_at_most_5_percent():
    random, families = np.random.default_rng(2), 0
    for _ in range(200):
        family = [compare(runs(random, 8), runs(random, 8)) for _ in range(6)]
        families += any(each.names_winner for each in adjust(family))
    assert families / 200 <= 0.05


def test_interval_covers_the_true_ratio():
    random = np.random.default_rng(3)
    verdicts = [compare(runs(random, 8, 1.1), runs(random, 8)) for _ in range(TRIALS)]
    covered = [each.low <= 1.1 <= each.high for each in verdicts]
    assert 0.90 <= np.mean(covered) <= 0.99


@pytest.mark.parametrize(
    ("a", "b", "metric", "word"),
    [
        ([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4], METRICS[MetricName.DECODE_P50_MS], Word.FASTER),
        ([2.0, 2.1, 2.2, 2.3, 2.4], [1.0, 1.1, 1.2, 1.3, 1.4], METRICS[MetricName.DECODE_P50_MS], Word.SLOWER),
        ([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4], SPEED, Word.SLOWER),
        ([2.0, 2.1, 2.2, 2.3, 2.4], [1.0, 1.1, 1.2, 1.3, 1.4], MEMORY, Word.LARGER),
        ([1.0, 1.1, 1.2, 1.3, 1.4], [1.05, 1.15, 1.25, 1.35, 1.45], SPEED, Word.NO_DIFFERENCE),
        ([1.0, 1.1, 1.2, 1.3], [2.0, 2.1, 2.2, 2.3], SPEED, Word.NOT_ENOUGH),
        ([], [2.0, 2.1, 2.2, 2.3], SPEED, Word.NOT_ENOUGH),
    ],
)
def test_words(a, b, metric, word):
    assert compare(a, b, metric).word is word


def test_a_real_difference_below_the_floor_has_no_winner():
    verdict = compare([1.0, 1.0001, 1.0002, 1.0003, 1.0004], [1.01, 1.0101, 1.0102, 1.0103, 1.0104])
    assert verdict.word is Word.NO_DIFFERENCE
    assert verdict.p_adjusted < 0.05
    assert "floor" in verdict.reason


def test_a_family_too_large_for_its_runs_says_how_many_it_needs():
    clear = compare([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4])
    assert [each.word for each in adjust([clear] * 6)] == [Word.FASTER] * 6
    too_many = adjust([clear] * 7)
    assert {each.word for each in too_many} == {Word.NOT_ENOUGH}
    assert "6 can" in too_many[0].reason


def test_p_is_scipys_and_holm_is_the_textbooks():
    a, b = [1.0, 1.3, 1.1, 1.6, 1.2], [1.15, 1.4, 1.7, 1.5, 1.8]
    assert compare(a, b).p == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert least_p(5, 5, Method.MANN_WHITNEY) == pytest.approx(2 / math.comb(10, 5))
    assert runs_needed(6) == 5
    assert runs_needed(7) == 6


@pytest.mark.parametrize(
    ("a", "b", "paired"), [([float("inf")], [1.0], False), ([float("nan")], [1.0], False), ([1.0], [1.0, 2.0], True)]
)
def test_bad_values_are_refused(a, b, paired):
    with pytest.raises(UserError):
        compare(a, b, paired=paired)


def test_a_zero_is_undecided_and_no_test_of_the_family():
    clear = compare([1.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4])
    zero = compare([0.0, 1.1, 1.2, 1.3, 1.4], [2.0, 2.1, 2.2, 2.3, 2.4])
    assert zero.word is Word.UNDECIDED
    assert not zero.names_winner
    family = adjust([clear] * 6 + [zero])
    assert [each.word for each in family] == [Word.FASTER] * 6 + [Word.UNDECIDED]
    assert family[0].tests == 6


def test_rows_without_enough_runs_do_not_raise_the_p_over_everything():
    few = generate_records([GeneratedDevice(device_id="phone-2")], pair_networks("tiny"), Campaign(repetitions=4))
    many = generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=6))
    alone, both = pair_verdicts(group_cells(many)), pair_verdicts(group_cells([*many, *few]))
    assert [each.p_all for each in both if each.setup == alone[0].setup] == [each.p_all for each in alone]
    assert {each.p_all for each in both if each.setup != alone[0].setup} == {1.0}


def test_pairs_are_compared_inside_a_setup_and_corrected_there():
    devices = [GeneratedDevice(), GeneratedDevice(device_id="phone-2", tau_ns=0.0, t0_ns=2e6)]
    rows = pair_verdicts(
        group_cells(generate_records(devices, pair_networks("mobilellm-125m"), Campaign(repetitions=6)))
    )
    assert [(row.setup.device.id, row.at) for row in rows] == [
        ("phone-1", 0), ("phone-1", 512), ("phone-2", 0), ("phone-2", 512)
    ]  # fmt: skip
    assert rows[0].verdict.word is Word.SLOWER
    assert rows[2].verdict.word is Word.NO_DIFFERENCE
    assert {row.verdict.tests for row in rows} == {2}
    assert rows[0].p_all == pytest.approx(4 * rows[0].verdict.p)


def test_neighbouring_runs_are_paired_from_eight_on():
    few = pair_verdicts(
        group_cells(generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=7)))
    )
    many = pair_verdicts(
        group_cells(generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=8)))
    )
    assert {row.verdict.method for row in few} == {Method.MANN_WHITNEY}
    assert {row.verdict.method for row in many} == {Method.PAIRED}


def slow_every(values, every, factor=2.1):
    return [value * (factor if index % every == 0 else 1) for index, value in enumerate(values)]


def test_two_modes_are_flagged_counted_and_judged_in_the_fast_one():
    random = np.random.default_rng(6)
    found = [
        compare(slow_every(runs(random, 10, 1.1), 5), slow_every(runs(random, 10), 4), paired=True) for _ in range(100)
    ]
    assert all(each.judged is Judged.FAST_MODE for each in found)
    assert {(each.n_a, each.n_b) for each in found} == {(8, 7)}
    assert np.mean([each.word is Word.SLOWER for each in found]) >= 0.95
    assert np.mean([each.other.word is Word.SLOWER for each in found]) < 0.9  # of all runs
    assert "5 of 20 runs (2 of 10 and 3 of 10) belong to a mode 2.1 times slower" in found[0].reason
    assert "all runs: " in found[0].reason


def test_one_mode_is_no_two():
    random = np.random.default_rng(7)
    flagged = [compare(runs(random, 10, 1.5, 0.1), runs(random, 10, 1.0, 0.1)).modes is not None for _ in range(TRIALS)]
    assert np.mean(flagged) <= 0.005


def test_a_side_that_is_slow_more_often_is_judged_with_all_its_runs():
    random = np.random.default_rng(8)
    verdict = compare(slow_every(runs(random, 10), 2), runs(random, 10))
    assert verdict.judged is Judged.ALL_RUNS
    assert verdict.other.n_a == 5
    assert "slow more often" in verdict.reason


def test_the_minimum_effect_is_found_in_80_percent():
    random = np.random.default_rng(9)
    for count, paired in ((6, False), (10, True)):
        equal = [compare(runs(random, count), runs(random, count), tests=2, paired=paired) for _ in range(TRIALS)]
        effect = np.median([each.minimum_effect for each in equal])
        found = [
            compare(runs(random, count, 1 + effect), runs(random, count), tests=2, paired=paired).names_winner
            for _ in range(TRIALS)
        ]
        assert 0.7 <= np.mean(found) <= 0.9
    silent = next(each for each in equal if each.word is Word.NO_DIFFERENCE)
    assert f"a difference of {silent.minimum_effect:.1%} in 80% of repetitions" in silent.reason


def test_under_drift_a_winners_interval_never_holds_1():
    random = np.random.default_rng(10)
    winners = 0
    for _ in range(200):
        trend = np.exp(np.cumsum(random.normal(0, 0.05, 10)))
        a, b = (np.array(runs(random, 10, level)) * trend for level in (1.05, 1.0))
        verdict = compare(a.tolist(), b.tolist(), paired=True)
        winners += verdict.names_winner
        assert not (verdict.names_winner and verdict.low <= 1 <= verdict.high)
    assert winners > 100


def test_invalid_and_failed_runs_never_enter_a_verdict():
    campaign = Campaign(repetitions=7, invalid_runs=2, failed_runs=4)
    row = pair_verdicts(group_cells(generate_records([GeneratedDevice()], pair_networks("tiny"), campaign)))[0]
    assert (row.verdict.n_a, row.verdict.n_b) == (4, 4)
    assert row.verdict.word is Word.NOT_ENOUGH
