import math

import numpy as np
import pytest

from export.quantization import Scheme
from export.targets.base import TargetName
from models.catalog import get_pair
from models.cost import stored_bytes, weight_bytes_read
from models.errors import UserError
from models.storage import Storage, WeightFormat
from models.tensors import Role
from scripts.analysis.cells import group_cells
from scripts.analysis.health import Grade, device_health, grade, stability_score
from scripts.analysis.history import find_steps, series_of
from scripts.analysis.pairs import pair_verdicts
from scripts.analysis.price.budget import Winner, audit_budgets
from scripts.analysis.price.explain import Amounts, Calibration, explain, size_sentence, size_share
from scripts.analysis.price.gemstones import equal_body_width, loss_law
from scripts.analysis.price.pair_explanations import explanations
from scripts.analysis.price.price import PriceFit
from scripts.analysis.price.recommend import Quality, limits, recommend
from scripts.analysis.price.sweep import setup_prices, storage_of
from scripts.records import RunRecord
from scripts.testing.records.generator import (
    Campaign,
    GeneratedDevice,
    facts_of,
    generate_records,
    pair_networks,
    sweep_networks,
)

FP32 = Storage({role: WeightFormat(32) for role in Role}, shared_table=True, kv_bits=32)


def amounts(shape, storage):
    layers = stored_bytes(shape, storage).layers
    read = weight_bytes_read(shape, storage)
    return Amounts(num_layers=shape.num_layers, layer_bytes=layers, head_bytes=read - layers, kv_bytes=0)


def fitted(device):
    (price,) = setup_prices(group_cells(generate_records([device], sweep_networks(), Campaign(repetitions=5))))
    assert isinstance(price.outcome, PriceFit)
    return price


@pytest.fixture(scope="module")
def price():
    return fitted(GeneratedDevice())


def test_the_seed_articles_networks_are_explained_by_size():
    pair = get_pair("seed-mlp")
    deep, wide = (amounts(shape, FP32) for shape in (pair.deep, pair.wide))
    # 42.0 M against 8.9 M parameters at 30 GB/s and 10 us a layer
    calibration = Calibration(tau_ns=10_000, weight_ns_per_byte=1 / 30)
    deep_ns, wide_ns = (each.weight_bytes / 30 + each.num_layers * 10_000 for each in (deep, wide))
    told = explain(deep, wide, deep_ns, wide_ns, calibration)
    assert told.bytes_ratio == pytest.approx(4.7, abs=0.01)
    assert told.explained_by_size == 1.0
    assert "says nothing about shape" in told.sentence
    assert told.layers_ns == pytest.approx(28 * 10_000)
    assert told.body_ns < 0
    assert told.rest_ns == pytest.approx(0, abs=1)
    # matched in size, the same calibration leaves the layers alone
    matched = get_pair("seed-mlp-matched")
    equal = [amounts(shape, FP32) for shape in (matched.deep, matched.wide)]
    assert size_share(*equal, 1_600_000, 1_200_000)[1] < 0.1


def test_shares_of_a_pair_add_up_to_what_was_measured():
    device = GeneratedDevice(run_noise=0.005)
    records = generate_records([device], [*sweep_networks(), *pair_networks("mobilellm-125m")], Campaign(repetitions=5))
    rows = pair_verdicts(group_cells(records))
    told = explanations(rows, setup_prices(group_cells(records)))[1]
    parts = told.body_ns + told.head_ns + told.kv_ns + told.layers_ns + told.rest_ns
    assert parts == pytest.approx(told.difference_ns)
    assert told.layers_ns == pytest.approx(18 * device.tau_ns, rel=0.05)
    assert abs(told.rest_ns) < 0.2 * told.difference_ns
    assert explanations(rows, []) == [None] * len(rows)


def test_more_bytes_and_not_slower_is_not_explained_by_size():
    large = Amounts(num_layers=4, layer_bytes=400, head_bytes=0, kv_bytes=0)
    small = Amounts(num_layers=4, layer_bytes=100, head_bytes=0, kv_bytes=0)
    assert size_share(large, small, 1.0, 1.0) == (4.0, 0.0)
    assert size_share(small, large, 1.0, 16.0) == (4.0, pytest.approx(0.5))


@pytest.mark.parametrize(("a_ns", "b_ns"), [(1.5, 1.0), (1.0, 1.5), (1.0, 1.0)])
@pytest.mark.parametrize("nearly", [100_000, 100_300])
def test_equal_bytes_explain_nothing_and_no_arm_is_said_to_read_more(nearly, a_ns, b_ns):
    one, other = (Amounts(num_layers=4, layer_bytes=b, head_bytes=0, kv_bytes=0) for b in (100_000, nearly))
    assert size_share(one, other, a_ns, b_ns)[1] == 0
    told = size_sentence(one, other, a_ns, b_ns)
    assert told.startswith("both read the same bytes")
    assert "not the slower one" not in told


def test_the_winner_flips_with_the_budget_where_layers_are_nearly_free():
    price = fitted(GeneratedDevice(tau_ns=1_000, run_noise=0.003, kv_bytes_per_s=300e9))
    deep = get_pair("mobilellm-125m").deep
    audit = audit_budgets(price.outcome, deep, 12, storage_of(price.setup), context=1)
    winners = {(each.row.budget, each.row.tied): each.winner for each in audit.verdicts}
    assert winners["body-parameters", True] is Winner.DEEP
    assert winners["total-parameters", False] is Winner.WIDE
    assert "depends on what the same budget means" in audit.warning


def test_one_winner_under_all_budgets_needs_no_warning(price):
    audit = audit_budgets(price.outcome, get_pair("mobilellm-125m").deep, 12, storage_of(price.setup))
    assert len(audit.verdicts) == 8
    assert {each.winner for each in audit.verdicts} == {Winner.WIDE}
    assert audit.warning is None


def test_recommendations_are_fast_enough_and_best_first(price):
    storage = storage_of(price.setup)
    rows = recommend(price.outcome, storage, 125_000_000, 5e6, Quality.GEMSTONES)
    assert rows
    assert all(row.predicted_ns.value <= 5e6 for row in rows)
    error, best = loss_law().error, min(row.loss for row in rows)
    tied = [row for row in rows if row.tied]
    assert rows[: len(tied)] == tied == sorted(tied, key=lambda row: row.predicted_ns.value)
    assert all((row.loss <= best + error) == row.tied for row in rows)
    assert rows[0].on_front
    dominated = [row for row in rows if not row.on_front]
    assert dominated
    assert all(
        any((o.loss <= d.loss or o.tied) and o.predicted_ns.value < d.predicted_ns.value for o in rows)
        for d in dominated
    )
    told = " ".join(limits(rows, Quality.GEMSTONES))
    assert "floor lies at its bound of 0" in told
    assert "cannot tell them apart" in told
    shallow = next(row for row in rows if row.shape.num_layers == 2)
    assert any("depth outside" in each for each in shallow.warnings)
    assert any("trained" in each for each in shallow.warnings)


def test_depths_of_one_body_are_ranked_by_depth_and_body_alone(price):
    rows = recommend(price.outcome, storage_of(price.setup), 125_000_000, 1e9, Quality.GEMSTONES)
    by_depth = {row.shape.num_layers: row for row in rows}
    assert equal_body_width(12 * 512**2 * 10, 10) == pytest.approx(512)
    # 24x672 has a narrower ffn and 20x672 the same body: its width alone does not put it ahead beyond the law's error
    assert abs(by_depth[24].loss - by_depth[20].loss) < loss_law().error


def test_an_impossible_budget_names_the_fastest_shape(price):
    with pytest.raises(UserError, match=r"the fastest, \d+x\d+, takes"):
        recommend(price.outcome, storage_of(price.setup), 125_000_000, 1e5)


def correlated(random, count, spread=0.03, correlation=0.6):
    values = [random.normal(0, spread)]
    for _ in range(count - 1):
        values.append(correlation * values[-1] + random.normal(0, spread * math.sqrt(1 - correlation**2)))
    return np.exp(values)


def nights(kind, random, count):
    """Medians of five runs with 3 % noise, or correlated nights, or one night in ten twice as slow."""
    values = np.median(np.exp(random.normal(0, 0.03, (count, 5))), axis=1)
    if kind == "correlated":
        return correlated(random, count)
    return values * np.where(random.random(count) < 0.1, 2.0, 1.0) if kind == "two modes" else values


@pytest.mark.parametrize("kind", ["independent", "correlated", "two modes"])
def test_100_nights_hold_a_false_step_in_at_most_5_percent_of_series(kind):
    random = np.random.default_rng(5)
    assert np.mean([bool(find_steps(nights(kind, random, 100))) for _ in range(60)]) <= 0.05


@pytest.mark.parametrize(("kind", "after"), [("independent", 20), ("independent", 5), ("two modes", 5)])
def test_a_step_of_10_percent_is_found_where_it_is(kind, after):
    random, found = np.random.default_rng(6), 0
    for _ in range(100):
        values = nights(kind, random, 40)
        values[-after:] *= 1.10
        steps = [step for step in find_steps(values) if abs(step.index - (40 - after)) <= 2]
        found += len(steps) == 1
        assert all(step.ratio == pytest.approx(1.10, abs=0.06) for step in steps)
    assert found / 100 >= 0.8


def test_more_series_need_a_clearer_step():
    random = np.random.default_rng(7)
    values = correlated(random, 40)
    values[-8:] *= 1.25
    (alone,) = find_steps(values)
    assert find_steps(values, num_series=10**6) == []
    assert alone.p * 10**6 > 7e-4


def test_a_constant_series_steps_once():
    (step,) = find_steps([5.0] * 12 + [6.0] * 6)
    assert (step.index, step.ratio) == (12, pytest.approx(1.2))


def test_constant_and_short_series_have_no_steps():
    assert find_steps([2.0] * 20) == []
    assert find_steps([1.0, 2.0, 1.0]) == []


def test_history_joins_builds_of_one_network_in_order_of_time():
    records = []
    for night in range(1, 19):
        slower = {"deep-8x64": 1.2} if night > 12 else {}
        campaign = Campaign(
            name=f"night-{night:02d}", repetitions=2, started_day=night, harness_build=f"build-{night}", slower=slower
        )
        records += generate_records([GeneratedDevice()], pair_networks("tiny"), campaign, seed=night)
    series = {(each.network[2], each.at): each for each in series_of(group_cells(records[::-1]))}
    assert len(series) == 4
    deep, wide = series["deep-8x64", 0], series["wide-2x128", 0]
    assert deep.campaigns == tuple(f"night-{night:02d}" for night in range(1, 19))
    assert [step.index for step in find_steps(deep.values)] == [12]
    assert find_steps(wide.values) == []


def without_plan(record: RunRecord, session: str) -> RunRecord:
    request = record.request.model_copy(update={"plan": None, "session": session})
    return record.model_copy(update={"request": request})


def test_a_session_of_an_app_is_one_point():
    records = generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=5))
    runs = [without_plan(each, "press-1") for each in records]
    assert {each.campaigns for each in series_of(group_cells(runs))} == {("press-1",)}


def test_no_point_holds_two_builds_and_a_charger_begins_a_series_of_its_own():
    records = generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=4))
    rebuilt = [
        each.model_copy(update={"harness": each.harness.model_copy(update={"build": "other"})}) if index % 2 else each
        for index, each in enumerate(records)
    ]
    assert {len(each.values) for each in series_of(group_cells(rebuilt))} == {2}
    charging = []
    for index, each in enumerate(records):
        assert each.environment_before is not None
        before = each.environment_before.model_copy(update={"plugged": index % 2 == 0})
        charging.append(each.model_copy(update={"environment_before": before}))
    series = series_of(group_cells(charging))
    assert len(series) == 2 * len(series_of(group_cells(records)))
    assert {len(each.values) for each in series} == {1}


def test_stability_score_is_executorchs():
    # CV of 5 % -> 50, max/min 1.1 -> 95, p99/p50 1.05 -> 95, by the formula's weights
    values = np.array([0.95, 1.0, 1.05])
    p50, p99 = np.percentile(values, (50, 99))
    expected = 0.5 * (100 - 10 * 5) + 0.25 * (100 - 50 * (1.05 / 0.95 - 1)) + 0.25 * (100 - 100 * (p99 / p50 - 1))
    assert stability_score(values) == pytest.approx(expected)
    assert stability_score([1.0, 1.0, 1.0]) == 100
    assert stability_score([1.0, 10.0, 100.0]) == 0
    assert [grade(s) for s in (90, 80, 60, 59, None)] == [
        Grade.EXCELLENT, Grade.GOOD, Grade.MODERATE, Grade.POOR, Grade.UNKNOWN
    ]  # fmt: skip


def test_health_tells_a_steady_device_from_an_unsteady_one():
    devices = [GeneratedDevice(run_noise=0.005), GeneratedDevice(device_id="phone-2", run_noise=0.2)]
    records = generate_records(devices, pair_networks("tiny"), Campaign(repetitions=8, invalid_runs=1))
    steady, unsteady = device_health(group_cells(records))
    assert steady.grade is Grade.EXCELLENT
    assert unsteady.grade is Grade.POOR
    assert steady.spread < 0.02 < unsteady.spread
    assert sum(steady.counts.values()) == 16


def test_generated_facts_are_those_of_the_costs():
    facts = facts_of(sweep_networks()[0], TargetName.ONNX, Scheme.INT8)
    assert facts.weight_bytes_read > facts.bytes_by_role.layers
