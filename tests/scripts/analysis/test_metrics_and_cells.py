import shutil

import numpy as np
import pytest

from models.errors import UserError
from scripts.analysis.cells import RunState, group_cells, load_records
from scripts.analysis.metrics import METRICS, MetricName, mean_context, run_metrics
from scripts.farm.outcomes import empty_record
from scripts.records import Failed, FailureKind, Protocol, Stage, read_record
from scripts.testing.records.generator import (
    PROTOCOL,
    Campaign,
    GeneratedDevice,
    generate_records,
    pair_networks,
    write_results,
)

GOLDEN = "tests/golden/record_completed.json"


@pytest.fixture(scope="module")
def golden(request):
    return read_record(request.config.rootpath / GOLDEN)


@pytest.mark.parametrize(
    ("metric", "at", "expected"),
    [
        (MetricName.LOAD_MS, None, 12.0),
        (MetricName.FIRST_FORWARD_MS, None, 3.0),
        (MetricName.TTFT_MS, 16, 0.89),
        (MetricName.PREFILL_TOKENS_PER_S, 64, 64e9 / 2_950_000),
        (MetricName.DECODE_P50_MS, 0, 0.086),
        (MetricName.DECODE_P50_MS, 32, 0.096),
        (MetricName.DECODE_P90_MS, 0, 0.0892),
        (MetricName.DECODE_MAX_MS, 0, 0.09),
        (MetricName.DECODE_MAD_MS, 0, 0.001),
        (MetricName.DECODE_TOKENS_PER_S, 0, 1e9 / 86_000),
        (MetricName.STEP_OVERHEAD_MS, 0, 0.005),
        # three steps from an empty cache attend 1, 2 and 3 positions
        (MetricName.BYTES_PER_TOKEN, 0, 263_496 + 2 * 2048),
        (MetricName.ACHIEVED_GB_PER_S, 0, (263_496 + 2 * 2048) / 86_000),
        (MetricName.MBU, 0, (263_496 + 2 * 2048) / 86_000 / 16),
        (MetricName.PROBE_GB_PER_S, None, 16.0),
        (MetricName.ANONYMOUS_BYTES, None, 60 << 20),
        (MetricName.FILE_BYTES, None, 40 << 20),
        (MetricName.HIGH_WATER_BYTES, None, 101 << 20),
        (MetricName.ARTIFACT_BYTES, None, 429_926),
        (MetricName.DECODE_DRIFT, 0, 86_000 / 90_000),
    ],
)  # fmt: skip
def test_metric_of_the_golden_record(golden, metric, at, expected):
    assert run_metrics(golden).get(metric, at) == pytest.approx(expected)


def test_every_metric_is_defined_and_what_was_not_measured_is_missing(golden):
    assert set(METRICS) == set(MetricName)
    # two sustained steps have no first and last third
    assert run_metrics(golden).get(MetricName.SUSTAINED_BURST_RATIO) is None
    assert run_metrics(golden).get(MetricName.DECODE_P50_MS, 512) is None


def test_sustained_ratio_is_the_speed_that_is_kept():
    campaign = Campaign(repetitions=1, protocol=PROTOCOL.model_copy(update={"sustained_s": 2}))
    device = GeneratedDevice(throttle=0.5, step_noise=0.0)
    record = generate_records([device], pair_networks("tiny"), campaign)[0]
    # speeds fall linearly from 1 to 1 / 1.5: middle of the first third against middle of the last
    assert run_metrics(record).get(MetricName.SUSTAINED_BURST_RATIO) == pytest.approx(
        (1 + 0.5 / 6) / (1 + 2.5 / 6), rel=0.02
    )


def test_a_device_that_throttles_early_shows_it_in_the_sustained_ratio():
    campaign = Campaign(repetitions=1, protocol=PROTOCOL.model_copy(update={"sustained_s": 300}))
    record = generate_records([GeneratedDevice()], pair_networks("tiny"), campaign)[0]
    # 10 s at 10 ms, then 290 s at 20 ms: the first third of all steps has long been throttled
    forward = (10_000_000,) * 1000 + (20_000_000,) * 14_500
    start = tuple(int(each) for each in np.cumsum([0, *forward[:-1]]))
    sustained = record.sustained.model_copy(update={"forward_ns": forward, "start_ns": start})
    throttled = record.model_copy(update={"sustained": sustained})
    assert run_metrics(throttled).get(MetricName.SUSTAINED_BURST_RATIO) == pytest.approx(0.5)


def test_mean_context_counts_the_tokens_own_position():
    assert mean_context(0, 1) == 1
    assert mean_context(512, 128) == np.mean([512 + i + 1 for i in range(128)])


def test_cells_use_valid_runs_and_count_the_others():
    campaign = Campaign(repetitions=6, invalid_runs=2, failed_runs=2)
    records = generate_records([GeneratedDevice()], pair_networks("tiny"), campaign)
    cells = group_cells(records)
    assert [len(cell.runs) for cell in cells] == [4, 4]
    assert cells[0].counts == {RunState.USABLE: 4, RunState.INVALID: 1, RunState.FAILED: 1}
    used = [run_metrics(run).get(MetricName.DECODE_P50_MS, 0) for run in cells[0].runs]
    assert cells[0].median(MetricName.DECODE_P50_MS, 0) == np.median(used)


def test_a_run_that_failed_before_it_reported_its_runtime_is_counted_in_its_cell():
    records = generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=3, failed_runs=1))
    records[0] = records[0].model_copy(update={"observed": None, "environment_before": None})
    cells = group_cells(records)
    assert len(cells) == 2
    assert sum(cell.counts[RunState.FAILED] for cell in cells) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"devices": [GeneratedDevice(os_build="generated/2")]},
        {"devices": [GeneratedDevice(device_id="phone-2")]},
        {"campaign": Campaign(harness_build="another")},
        {"campaign": Campaign(protocol=Protocol(num_threads=2, prompt_lengths=(64,), contexts=(0,), decode_steps=4))},
    ],
)
def test_other_conditions_are_other_cells(other):
    one = generate_records([GeneratedDevice()], pair_networks("tiny"))
    two = generate_records(other.get("devices", [GeneratedDevice()]), pair_networks("tiny"), other.get("campaign"))
    assert len(group_cells([*one, *two])) == 4


def test_a_run_that_left_no_record_is_counted_in_its_cell():
    """The farm writes its record, and knows of the harness nothing but that it left none."""
    records = generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=3))
    lost = records[-1]
    request = lost.request.model_copy(update={"run_id": "lost.a0"})
    crashed = Failed(stage=Stage.LOAD, failure=FailureKind.CRASHED, message="gone")
    records.append(empty_record(request, crashed, lost.device, lost.artifact))
    cells = group_cells(records)
    assert len(cells) == 2
    assert sorted(cell.counts[RunState.FAILED] for cell in cells) == [0, 1]


def test_records_are_loaded_with_reasons_for_those_that_are_not(tmp_path):
    write_results(generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=1)), tmp_path)
    paths = sorted(tmp_path.rglob("record.json"))
    paths[0].write_text(paths[0].read_text() + " ")
    loaded = load_records(tmp_path)
    assert len(loaded.records) == 1
    assert [(each.path, "its hash is not" in each.reason) for each in loaded.unreadable] == [(paths[0], True)]


def test_a_copied_folder_counts_no_run_twice(tmp_path):
    one, two = tmp_path / "a", tmp_path / "b"
    write_results(generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=3)), one)
    shutil.copytree(one, two)
    loaded = load_records(tmp_path)
    assert [len(cell.runs) for cell in group_cells(loaded.records)] == [3, 3]
    assert len(loaded.unreadable) == 6
    for each in loaded.unreadable:
        assert str(two) in each.reason
        assert f"is in {one}" in each.reason


def test_one_run_id_in_two_campaigns_is_two_runs(tmp_path):
    for name in ("monday", "tuesday"):
        plan = Campaign(name=name, repetitions=1)
        write_results(generate_records([GeneratedDevice()], pair_networks("tiny"), plan), tmp_path)
    assert len(load_records(tmp_path).records) == 4


@pytest.mark.parametrize("make", [lambda p: p / "none", lambda p: p])
def test_no_records_is_bad_input(tmp_path, make):
    with pytest.raises(UserError, match="give a folder of records"):
        load_records(make(tmp_path))
