import math

import numpy as np
import pytest
from scipy import stats

from models.errors import UserError
from scripts.analysis.cells import group_cells
from scripts.analysis.metrics import METRICS, MetricName
from scripts.analysis.pairs import pair_verdicts
from scripts.analysis.verdict import Method, Word, adjust, compare, holm, least_p, runs_needed
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


def test_pairs_and_medians_that_disagree_name_no_winner():
    slow_and_fast = [1.00, 1.01, 1.02, 1.03, 1.04, 1.05, 1.06, 1.07, 2.00, 2.01, 2.02, 2.03, 2.04, 2.05, 2.06, 2.07]
    other = [1.03 * value for value in slow_and_fast]
    other[8] = 1.0  # one run in the other mode moves the median below, while 15 of 16 pairs are slower
    verdict = compare(other, slow_and_fast, tests=2, paired=True)
    assert verdict.ratio < 0.8
    assert verdict.word is Word.NO_DIFFERENCE


def test_the_ratio_of_pairs_is_that_of_the_medians_shown_beside_it():
    a, b = [10.0, 11, 12, 13, 14, 15, 16, 29], [5.0, 6, 7, 8, 9, 10, 11, 12]
    assert compare(a, b, paired=True).ratio == pytest.approx(13.5 / 8.5)


def test_invalid_and_failed_runs_never_enter_a_verdict():
    campaign = Campaign(repetitions=7, invalid_runs=2, failed_runs=4)
    row = pair_verdicts(group_cells(generate_records([GeneratedDevice()], pair_networks("tiny"), campaign)))[0]
    assert (row.verdict.n_a, row.verdict.n_b) == (4, 4)
    assert row.verdict.word is Word.NOT_ENOUGH
