"""The formats of the commands, on generated records, and the import of llama-bench."""

import contextlib
import csv
import io
import json

import pytest

from export.console import run_app
from scripts.analysis.cli import app
from scripts.farm.cli import app as farm
from scripts.testing.records.generator import (
    Campaign,
    GeneratedDevice,
    generate_records,
    pair_networks,
    sweep_networks,
    write_results,
)


def call(*arguments, program=app):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_app(program, "try", [str(each) for each in arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    networks = [*sweep_networks(), *pair_networks("mobilellm-125m")]
    folder = tmp_path_factory.mktemp("formats") / "results"
    write_results(generate_records([GeneratedDevice()], networks, Campaign(repetitions=5)), folder)
    assert call("reindex", "--results", folder, program=farm)[0] == 0
    return folder


def of_csv(*arguments, program=app):
    code, out, err = call(*arguments, "--format", "csv", program=program)
    assert code == 0, err
    return list(csv.DictReader(io.StringIO(out)))


def of_json(*arguments, program=app):
    code, out, err = call(*arguments, "--format", "json", program=program)
    assert code == 0, err
    assert call(*arguments, "--json", program=program)[1] == out
    return json.loads(out)


def test_csv_of_verdicts_is_json_s(results):
    rows, told = of_csv("verdicts", results), of_json("verdicts", results)["verdicts"]
    assert [(float(row["deep_over_wide"]), row["deep_is"], row["device_kind"]) for row in rows] == [
        (each["verdict"]["ratio"], each["verdict"]["word"], "fake") for each in told
    ]
    assert float(rows[0]["deep_ms"]) > float(rows[0]["wide_ms"]) > 0


def test_csv_of_a_price_is_json_s(results):
    (row,), (told,) = of_csv("price", results), of_json("price", results)["prices"]
    assert float(row["tau_us_per_layer"]) == pytest.approx(told["tau_ns"]["value"] / 1e3)
    assert float(row["b_w_gb_per_s_low"]) == pytest.approx(told["weight_bytes_per_s"]["low"] / 1e9)
    assert row["attention_gb_per_s"] == ""
    assert "residuals; depth price card" in call("price", results, "--format", "csv")[2]


def test_a_setup_without_a_price_has_a_row_that_says_so(tmp_path):
    write_results(generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=2)), tmp_path)
    (row,) = of_csv("price", tmp_path)
    assert "too few shapes" in row["fit"]
    assert row["tau_us_per_layer"] == ""


def test_csv_of_metrics_names_the_unit(results):
    rows = of_csv("metrics", results, "--metric", "decode_tokens_per_s")
    assert float(rows[0]["least_tokens_per_s"]) <= float(rows[0]["median_tokens_per_s"])
    assert {row["context_tokens"] for row in rows} == {"0", "512"}


@pytest.mark.parametrize("command", ["metrics", "price", "verdicts"])
def test_markdown_tells_kind_and_meaning(results, command):
    code, out, _ = call(command, results, "--format", "md")
    assert code == 0
    for part in ("(kind of device: fake)", "---:|", "the runtime's call alone"):
        assert part in out


def test_the_farm_s_results_have_the_same_forms(results):
    rows = of_csv("results", "--results", results, program=farm)
    told = of_json("results", "--results", results, program=farm)["verdicts"]
    assert [float(row["deep_ms"]) for row in rows] == [each["deep_ms"] for each in told]
    assert "(kind of device: fake)" in call("results", "--results", results, "--format", "md", program=farm)[1]
    code, _, err = call("results", "--results", results, "--json", "--format", "table", program=farm)
    assert (code, err.count("\n")) == (2, 1)


def example(**changes):
    """An example made up from the fields that llama-bench prints; nothing here was measured."""
    row = {
        "build_commit": "0000000", "build_number": 1, "cpu_info": "Example CPU", "gpu_info": "", "backends": "CPU",
        "model_filename": "models/example-125M-Q4_0.gguf", "model_type": "llama 125M Q4_0", "model_size": 70_000_000,
        "model_n_params": 125_000_000, "n_batch": 2048, "n_ubatch": 512, "n_threads": 4, "cpu_mask": "0x0",
        "cpu_strict": False, "poll": 50, "type_k": "f16", "type_v": "f16", "n_gpu_layers": 0, "n_prompt": 0,
        "n_gen": 128, "n_depth": 512, "test_time": "2026-12-01T00:00:00Z", "avg_ns": 640_000_000,
        "stddev_ns": 128_000_000, "avg_ts": 204.0, "stddev_ts": 1.0,
        "samples_ns": [512_000_000, 640_000_000, 768_000_000], "samples_ts": [250.0, 200.0, 166.7],
    }  # fmt: skip
    return row | changes


def bench_file(folder, *rows, name="bench.json"):
    path = folder / name
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def imported(file, out, *more):
    return call("import", "llama-bench", file, "--out", out, *more)


@pytest.fixture
def small(tmp_path):
    folder = tmp_path / "results"
    write_results(generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=5)), folder)
    return folder


def test_imported_timings_stand_in_a_table_of_their_own(tmp_path, small):
    before, verdicts = of_json("metrics", small), of_json("verdicts", small)
    file = bench_file(tmp_path, example(), example(n_prompt=512, n_gen=0, n_depth=0))
    code, _, err = imported(file, small, "--device", "phone-1")
    assert (code, err.count("\n")) == (0, 1)
    code, out, _ = call("metrics", small)
    own, others = out.split("other programs (imported, never pooled with ours)")
    assert "llama" not in own
    for part in ("tg128", "pp512", "phone-1", "Example CPU", "4 to 6", "its kind is not known"):
        assert part in others
    told = of_json("metrics", small)
    assert told["cells"] == before["cells"]
    assert before["foreign"] == []
    assert of_json("verdicts", small) == verdicts
    first = told["foreign"][0]["tests"][0]
    assert (first["context"], first["sample_ns"][1], first["settings"]["type_k"]) == (512, 640_000_000, "f16")
    assert "samples_ts" not in first["settings"]


def test_imported_timings_are_no_campaign(tmp_path, small):
    assert call("reindex", "--results", small, program=farm)[0] == 0
    assert imported(bench_file(tmp_path, example()), small)[0] == 0
    assert call("results", "--results", small, program=farm)[0] == 0  # would ask which of two campaigns


def test_markdown_and_csv_keep_them_apart(tmp_path, small):
    assert imported(bench_file(tmp_path, example()), small)[0] == 0
    assert "**other programs (imported, never pooled with ours)**" in call("metrics", small, "--format", "md")[1]
    _, out, err = call("metrics", small, "--format", "csv")
    assert "llama" not in out
    assert "not in CSV, see --format json: other programs" in err


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "at least 1 item"),
        ([example(samples_ns=[])], "0.samples_ns"),
        ([example(samples_ns=[0])], "greater than 0"),
        ([example(n_depth=-1)], "0.n_depth"),
        ([example(n_gen=0)], "a test of no tokens"),
        ([example(n_threads="4")], "0.n_threads"),
        ([{"build_commit": "0000000"}], "0.build_number"),
        ([example(), example(build_commit="1111111")], "several builds or processors"),
    ],
)
def test_what_llama_bench_does_not_print_is_one_line_and_writes_nothing(tmp_path, rows, told):
    code, out, err = imported(bench_file(tmp_path, *rows), tmp_path / "results")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("content", ["", '[{"build_commit": "00', "| model | size |", "{}"])
def test_a_file_of_another_format_says_what_is_wanted(tmp_path, content):
    file = tmp_path / "bench.json"
    file.write_text(content, encoding="utf-8")
    code, _, err = imported(file, tmp_path / "results")
    assert (code, err.count("\n")) == (2, 1)
    assert "llama-bench -o json" in err
    assert not (tmp_path / "results").exists()


def test_a_build_without_n_depth_is_refused(tmp_path):
    row = example()
    del row["n_depth"]
    code, _, err = imported(bench_file(tmp_path, row), tmp_path / "results")
    assert code == 2
    assert "n_depth" in err


def test_a_process_counts_once(tmp_path):
    file, out = bench_file(tmp_path, example()), tmp_path / "results"
    assert imported(file, out)[0] == 0
    assert "exists" in imported(file, out)[2]
    again = imported(bench_file(tmp_path, example(), name="again.json"), out)
    assert again[0] == 2
    assert "a process counts once" in again[2]
    assert [path.name for path in out.iterdir()] == ["bench.foreign.json"]


def test_places_and_programs_that_do_not_exist(tmp_path):
    file = bench_file(tmp_path, example(), name="a b.json")
    assert "rename the file" in imported(file, tmp_path / "results")[2]
    assert "no such file" in imported(tmp_path / "none.json", tmp_path / "results")[2]
    assert "name a folder" in imported(bench_file(tmp_path, example()), file)[2]
    assert "no such folder" in imported(bench_file(tmp_path, example()), tmp_path / "no" / "results")[2]
    code, _, err = call("import", "no-such", file, "--out", tmp_path)
    assert code == 2
    assert "llama-bench" in err


def test_a_damaged_timing_is_named_and_left_out(tmp_path, small):
    (small / "x.foreign.json").write_text("{}", encoding="utf-8")
    code, out, err = call("metrics", small)
    assert code == 0
    assert "x.foreign.json" in err
    assert "other programs" not in out
