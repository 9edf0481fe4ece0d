import contextlib
import io
import json
from typing import NamedTuple

import pytest

from export.console import run_app
from models.catalog import get_pair
from models.cost import parameter_counts
from models.pair import Arm
from scripts.analysis.cli import app
from scripts.records import DeviceKind, Protocol
from scripts.testing.records.generator import (
    Campaign,
    GeneratedDevice,
    generate_records,
    pair_networks,
    sweep_networks,
    write_results,
)

TINY = pair_networks("tiny")
MANY = [*sweep_networks()[:5], *TINY]


class Told(NamedTuple):
    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self):
        return self.stdout + self.stderr


def call(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_app(app, "analysis", [str(each) for each in arguments])
    return Told(code, out.getvalue(), err.getvalue())


def results(folder, networks=TINY, device=None, **campaign):
    plan = Campaign(**{"repetitions": 6, **campaign})
    write_results(generate_records([device or GeneratedDevice()], networks, plan, seed=len(folder.name)), folder)
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    networks = [*sweep_networks(), *pair_networks("mobilellm-125m")]
    return results(tmp_path_factory.mktemp("sweep"), networks, repetitions=5)


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (("metrics",), {"cells", "foreign"}),
        (("price", "--predict", "mobilellm-125m"), {"prices"}),
        (("recommend", "--params", "125M", "--max-ms", "8"), {"recommendations"}),
        (("verdicts",), {"verdicts"}),
        (("budget",), {"budgets"}),
        (("history",), {"series"}),
        (("health",), {"devices"}),
    ],
)
def test_json_is_the_last_line(sweep, arguments, keys):
    command, *rest = arguments
    result = call(command, sweep, *rest, "--json")
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout.splitlines()[-1])) == keys


def test_price_tells_terms_errors_and_predictions(sweep):
    output = call("price", sweep, "--predict", "mobilellm-125m").output
    for part in ("tau", "B_w", "B_kv", "of the runs' own probe", "left one out", "[fake]", "deep-30x576", "covered"):
        assert part in output
    parsed = json.loads(call("price", sweep, "--predict", "mobilellm-125m", "--json").stdout.splitlines()[-1])
    (price,) = parsed["prices"]
    assert len(price["predictions"]) == 4
    assert price["tau_ns"]["value"] == pytest.approx(40_000, rel=0.1)


def test_verdicts_explain(sweep):
    output = call("verdicts", sweep).output
    assert "slower" in output
    assert "explained by size" in output


def test_a_pair_that_was_not_measured_cannot_be_predicted(sweep):
    result = call("price", sweep, "--predict", "mobilellm-350m")
    assert result.exit_code == 2
    assert "pairs there: mobilellm-125m, sweep" in result.stderr


def test_no_two_decoders_have_no_price(tmp_path):
    result = call("price", results(tmp_path / "one", TINY[:1]))
    assert result.exit_code == 2
    assert "export sweep" in result.stderr


def test_too_few_shapes_recommend_nothing(tmp_path):
    result = call("recommend", results(tmp_path / "two"), "--params", "125M", "--max-ms", "8")
    assert result.exit_code == 2
    assert "too few shapes" in result.stderr


@pytest.mark.parametrize("command", ["metrics", "price", "verdicts", "history", "health"])
def test_a_missing_folder_is_one_line(tmp_path, command):
    result = call(command, tmp_path / "none", "--json")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert json.loads(result.stdout)["exit_code"] == 2


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return results(tmp_path_factory.mktemp("base") / "a", MANY)


def test_equal_folders_have_no_regression(tmp_path, base):
    result = call("compare", base, results(tmp_path / "bb", MANY))
    assert result.exit_code == 0
    assert "no network is worse by more than 5.0% (exit code 0)" in result.stderr


def test_a_slower_candidate_is_a_regression_and_a_faster_one_is_not(tmp_path, base):
    slow = results(tmp_path / "slow", MANY, slower={"deep-8x64": 1.08})
    result = call("compare", base, slow)
    assert result.exit_code == 1
    assert "worse: tiny/deep-8x64 executorch-int4 on phone-1 (exit code 1)" in result.stderr
    assert call("compare", slow, base, "--tolerance", "0.1").exit_code == 0


def test_what_all_networks_share_is_the_sessions_and_told(tmp_path, base):
    slow = results(tmp_path / "warm", MANY, slower={each.name: 1.07 for each in MANY})
    result = call("compare", base, slow)
    assert result.exit_code == 0
    assert "everything took 1.07 times as much" in result.stdout
    far = results(tmp_path / "far", MANY, slower={each.name: 1.5 for each in MANY})
    assert call("compare", base, far).exit_code == 3


def test_two_networks_do_not_tell_a_session_apart_but_a_large_loss(tmp_path):
    pair = results(tmp_path / "base")
    result = call("compare", pair, results(tmp_path / "b"))
    assert result.exit_code == 3
    assert "2 networks do not tell the session's common factor; 4 would" in result.stdout
    assert call("compare", pair, results(tmp_path / "b"), "--session-sd", "0").exit_code == 0
    assert call("compare", pair, results(tmp_path / "slow", slower={"deep-8x64": 1.6})).exit_code == 1


def test_a_tolerance_out_of_reach_names_the_runs_needed(tmp_path, base):
    result = call("compare", base, results(tmp_path / "b", MANY), "--tolerance", "0.006")
    assert result.exit_code == 3
    assert "runs on each side could tell" in result.stderr


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"device": GeneratedDevice(os_build="generated/2")}, "OS build: generated/1 against generated/2"),
        ({"harness_build": "another"}, "harness:"),
        (
            {"protocol": Protocol(num_threads=2, prompt_lengths=(64,), contexts=(0, 512), decode_steps=16)},
            "num_threads: 4 against 2",
        ),
    ],
)
def test_other_conditions_are_incomparable(tmp_path, other, told):
    result = call("compare", results(tmp_path / "a"), results(tmp_path / "b", **other))
    assert result.exit_code == 3
    assert told in result.stderr


def test_a_harness_may_be_declared_compatible(tmp_path):
    other = results(tmp_path / "b", harness_build="another")
    assert call("compare", results(tmp_path / "a"), other, "--allow-harness", "--session-sd", "0").exit_code == 0


def test_nothing_in_common_is_bad_input(tmp_path):
    other = results(tmp_path / "b", device=GeneratedDevice(kind=DeviceKind.HOST))
    assert call("compare", results(tmp_path / "a"), other).exit_code == 2


@pytest.mark.parametrize("candidate", [{"repetitions": 3, "slower": {"deep-8x64": 2.0}}, {"failed_runs": 99}])
def test_too_few_runs_are_no_verdict_and_say_so(tmp_path, candidate):
    result = call("compare", results(tmp_path / "base"), results(tmp_path / "few", **candidate), "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout.splitlines()[-1])
    assert (told["regressions"], told["undecided"]) == (0, len(told["networks"]))
    assert "each side needs 5" in told["networks"][0]["change"]["reason"]


@pytest.mark.parametrize("swap", [False, True])
def test_a_network_on_one_side_only_is_no_verdict(tmp_path, swap):
    folders = [results(tmp_path / "both"), results(tmp_path / "one", TINY[:1])]
    result = call("compare", *(folders[::-1] if swap else folders))
    assert result.exit_code == 3
    assert "only on one side: tiny/wide-" in result.stderr


def test_a_regression_counts_although_another_network_is_missing(tmp_path):
    slow = results(tmp_path / "slow", TINY[:1], slower={"deep-8x64": 1.6})
    assert call("compare", results(tmp_path / "base"), slow).exit_code == 1


def with_overhead(record, overhead_ns):
    decode = [
        each.model_copy(update={"step_ns": tuple(ns + overhead_ns for ns in each.forward_ns)}) for each in record.decode
    ]
    return record.model_copy(update={"decode": tuple(decode)})


def test_one_zero_leaves_the_other_rows_of_a_table(tmp_path):
    records = generate_records([GeneratedDevice()], pair_networks("tiny", "mobilellm-125m"), Campaign(repetitions=6))
    records[0] = with_overhead(records[0], 0)
    write_results(records, tmp_path)
    for command in ("verdicts", "history"):
        result = call(command, tmp_path, "--metric", "step_overhead_ms")
        assert result.exit_code == 0
    words = json.loads(call("verdicts", tmp_path, "--metric", "step_overhead_ms", "--json").stdout)["verdicts"]
    undecided = [each["verdict"]["reason"] for each in words if each["verdict"]["word"] == "undecided"]
    # both contexts of one pair, the other pair keeps its verdicts
    assert undecided == ["1 of 12 runs have a value that is not above 0, and so no ratio"] * 2
    assert len(words) == 4


def test_a_series_with_zeros_is_not_searched_and_says_so(tmp_path):
    for night in range(1, 9):
        records = generate_records([GeneratedDevice()], TINY[:1], Campaign(name=f"night-{night}", started_day=night))
        write_results([with_overhead(each, 0 if night == 3 else 20_000) for each in records], tmp_path)
    result = call("history", tmp_path, "--metric", "step_overhead_ms")
    assert result.exit_code == 0
    assert "not searched: 1 of 8 points are not above 0" in result.output


def mlp_results(folder):
    """Records of the seed article's pair with 4.7 times the bytes and 4.0 times the time in its wide arm."""
    pair, records = get_pair("seed-mlp"), []
    for record in generate_records([GeneratedDevice(run_noise=0.005)], TINY, Campaign(repetitions=6)):
        shape = pair.arm(record.artifact.arm)
        stored = 4 * parameter_counts(shape).total
        facts = record.artifact.model_copy(update={
            "pair": "seed-mlp", "shape": shape, "shape_name": shape.family, "weight_bytes_read": stored,
            "kv_bytes_per_position": 0,
            "bytes_by_role": record.artifact.bytes_by_role.model_copy(update={"layers": stored}),
        })  # fmt: skip
        times = tuple(int(stored * (4.0 / 4.7 if record.artifact.arm is Arm.WIDE else 1) / 30) for _ in range(16))
        decode = tuple(each.model_copy(update={"forward_ns": times, "step_ns": times}) for each in record.decode)
        records.append(record.model_copy(update={"artifact": facts, "decode": decode}))
    write_results(records, folder)
    return folder


def test_without_a_price_a_difference_is_still_held_against_size(tmp_path):
    result = call("verdicts", mlp_results(tmp_path))
    assert "4.70 times the bytes against 4.00 times the time: 100% explained by size" in result.output.replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    ("command", "expected"), [("price", "[no interval]"), ("budget", "no interval"), ("recommend", "no interval")]
)
def test_one_run_a_shape_has_no_interval_and_no_winner(tmp_path, command, expected):
    folder = results(tmp_path / "once", sweep_networks(), repetitions=1)
    options = ("--params", "125M", "--max-ms", "1000") if command == "recommend" else ()
    output = call(command, folder, *options).output
    assert expected in output
    if command == "budget":
        parsed = json.loads(call(command, folder, "--json").stdout.splitlines()[-1])
        winners = [each["winner"] for each in parsed["budgets"][0]["budgets"]["verdicts"]]
        assert winners == ["neither"] * 8


@pytest.mark.parametrize("command", ["price", "budget", "recommend"])
def test_a_fit_that_misses_unseen_shapes_is_shown_with_its_warning(tmp_path, command):
    noisy = GeneratedDevice(run_noise=0.5)
    write_results(generate_records([noisy], sweep_networks(), Campaign(repetitions=2)), tmp_path)
    options = ("--params", "125M", "--max-ms", "1000") if command == "recommend" else ()
    assert "do not rely on this fit" in call(command, tmp_path, *options).output


def test_a_cache_larger_than_every_shape_is_told(sweep):
    output = call("price", sweep, "--cache-mb", "100000").output
    assert "every shape is below twice the cache" in output
    assert output.count("left out: ") >= 10


@pytest.mark.parametrize("command", ["compare", "history"])
def test_a_metric_by_which_nothing_is_worse_is_refused(tmp_path, command):
    folders = [tmp_path] * (2 if command == "compare" else 1)
    result = call(command, *folders, "--metric", "probe_gb_per_s")
    assert result.exit_code == 2
    assert "--metric probe_gb_per_s: describes a run" in result.output
