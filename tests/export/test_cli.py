"""The commands as a person types them: real processes, real runtimes, the tiny pair."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, read_manifest
from export.targets.base import TargetName
from scripts.records import DONE_FILE, read_finished_record
from scripts.records.comparable import comparison_key
from tests.limits import HUNG_S

REPOSITORY = Path(__file__).parents[2]


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "export", *map(str, arguments)], cwd=REPOSITORY, text=True, capture_output=True,
        env={**os.environ, **environment}, timeout=HUNG_S, check=False,
    )  # fmt: skip


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """The refusal: one line on standard error, nothing on standard output."""
    assert result.stdout == ""
    return one_error_line(result)


def one_error_line(result: subprocess.CompletedProcess[str]) -> str:
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All artifacts of the tiny pair."""
    out = tmp_path_factory.mktemp("made")
    result = run("all", "--pair", "tiny", "--out", out, "--json", PYTHONHASHSEED="1")
    assert result.returncode == 0, result.stderr
    summary = json.loads(result.stdout.splitlines()[-1])
    assert [job["verified"] for job in summary["jobs"]] == [True] * 6
    return out


def test_all_makes_an_indexed_artifact_of_each_arm_for_each_target(made: Path) -> None:
    index = json.loads((made / "index.json").read_text())
    assert {(entry["arm"], entry["target"]) for entry in index["artifacts"]} == {
        (arm, target) for arm in ("deep", "wide") for target in TargetName
    }
    for entry in index["artifacts"]:
        manifest = read_manifest(made / entry["path"])
        assert manifest.job_id == entry["job_id"]
        assert [gate.gate for gate in manifest.gates] == ["operators", "size", "weights", "logits", "greedy", "sample"]
        assert manifest.export.peak_memory_bytes >= manifest.export.import_memory_bytes > 0


def test_nothing_but_finished_artifacts_is_left(made: Path) -> None:
    folders = list(made.glob("*/*/*"))
    assert len(folders) == 6
    for folder in folders:
        assert (folder / MANIFEST_FILE).is_file()
    assert {each.name for each in made.iterdir()} == {"tiny", "index.json"}


def test_up_to_date_artifacts_are_skipped_and_say_so(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.rglob(MANIFEST_FILE)}
    result = run("all", "--pair", "tiny", "--out", made)
    assert result.returncode == 0
    assert result.stderr.count("up to date") == 6
    assert {path: path.stat().st_mtime_ns for path in made.rglob(MANIFEST_FILE)} == before


def test_an_artifact_of_other_options_is_not_replaced_without_force(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "tiny" / "wide-2x128" / "onnx-int4", tmp_path / "tiny" / "wide-2x128" / "onnx-int4")
    arguments = ("all", "--pair", "tiny", "--target", "onnx", "--max-context", "512", "--out", tmp_path)
    refused = run(*arguments)
    assert refused.returncode == 2
    assert "--force" in one_line(refused)
    assert not (tmp_path / "tiny" / "deep-8x64").exists()
    assert run(*arguments, "--force").returncode == 0
    assert read_manifest(tmp_path / "tiny" / "wide-2x128" / "onnx-int4").options.max_context == 512


def test_a_damaged_artifact_is_made_again(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "tiny" / "wide-2x128" / "onnx-int4"
    shutil.copytree(made / "tiny" / "wide-2x128" / "onnx-int4", folder)
    (folder / "model.onnx.data").write_bytes(b"short")
    result = run("all", "--pair", "tiny", "--target", "onnx", "--out", tmp_path, "--json")
    assert [job["action"] for job in json.loads(result.stdout)["jobs"]] == ["export", "replace"]
    assert run("verify", folder).returncode == 0


def test_an_unreadable_manifest_elsewhere_is_told_and_skipped(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "tiny" / "wide-2x128" / "onnx-int4", tmp_path / "tiny" / "wide-2x128" / "onnx-int4")
    (tmp_path / "x" / "y" / "z").mkdir(parents=True)
    (tmp_path / "x" / "y" / "z" / MANIFEST_FILE).write_text("{")
    listed = run("list", "--out", tmp_path)
    assert listed.returncode == 0
    assert "onnx-int4" in listed.stdout
    assert one_error_line(listed).startswith("skipped: ")


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "deep-8x64").mkdir(parents=True)
    (tmp_path / "tiny" / "deep-8x64" / "onnx-int4").write_text("")
    result = run("all", "--pair", "tiny", "--target", "onnx", "--out", tmp_path, "--force")
    assert result.returncode == 2
    assert "not a folder" in one_line(result)


def test_an_artifact_set_aside_by_a_killed_process_comes_back(made: Path, tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    aside = tmp_path / "tiny" / "deep-8x64" / f".onnx-int4.{gone.pid}-retired"
    shutil.copytree(made / "tiny" / "deep-8x64" / "onnx-int4", aside)
    result = run("all", "--pair", "tiny", "--target", "onnx", "--out", tmp_path)
    assert "deep-8x64 onnx-int4: up to date" in result.stderr
    assert not aside.exists()


def test_verify_goes_on_after_a_failure_and_says_so_in_json(made: Path, tmp_path: Path) -> None:
    good, bad = made / "tiny" / "wide-2x128" / "onnx-int4", tmp_path / "bad"
    shutil.copytree(good, bad)
    (bad / "genai_config.json").write_text("{}")
    result = run("verify", bad, good, "--json")
    assert result.returncode == 1
    assert str(bad) in result.stderr
    verdicts = json.loads(result.stdout)["artifacts"]
    assert [verdict["verified"] for verdict in verdicts] == [False, True]
    assert verdicts[0]["gate"] == "files"


def test_errors_are_json_too(tmp_path: Path) -> None:
    result = run("all", "--pair", "nope", "--json", "--out", tmp_path)
    assert json.loads(result.stdout)["exit_code"] == 2


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    result = run("all", "--dry-run", "--json", "--out", tmp_path / "out")
    jobs = json.loads(result.stdout)["jobs"]
    assert [job["action"] for job in jobs] == ["export"] * 6
    assert all(60e6 < job["predicted_bytes"] < 110e6 for job in jobs)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["all", "--pair", "huge"], ["'huge'", "tiny", "mobilellm-125m", "seed-mlp-matched"]),
        (["all", "--target", "tflite"], ["'tflite'", "executorch", "onnx", "coreml"]),
        (["all", "--scheme", "int3"], ["'int3'", "fp32", "int8", "int4"]),
        (["all", "--target", "onnx,onnx"], ["twice"]),
        (["all", "--weights", "left=/tmp"], ["'left=/tmp'", "deep", "wide"]),
        (["all", "--weights", "deep=/nowhere"], ["/nowhere"]),
        (["all", "--prefill-chunk", "4096"], ["4096", "1024"]),
        (["pair", "--params", "12Q"], ["'12Q'", "125M"]),
        (["all", "--weights", "deep="], ["'deep='", "ARM=DIR"]),
        (["all", "--text", "README.md"], ["README.md", "tokenizer.json"]),
        (["pair", "--like", "/nowhere"], ["/nowhere"]),
        (["generate", "/nowhere", "hello"], ["/nowhere", "manifest.json"]),
        (["all", "--max-context", "64", "--prefill-chunk", "32"], ["64", "128"]),
        (["sweep", "--scheme", "int8"], ["8x1280", "160 MB"]),
        (["pair", "--layers", "\u00b2,1"], ["\u00b2,1"]),
        (["pair", "--layers", "12,30"], ["'12,30'"]),
        (["pair", "--params", "125M", "--layers", "30,28"], ["28 layers"]),
        (["verify", "/nowhere"], ["/nowhere", "manifest.json"]),
        (["inspect", "/nowhere"], ["/nowhere", "manifest.json"]),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "out")] if arguments[0] in ("all", "sweep") else []
    result = run(*arguments, *out)
    assert result.returncode == 2
    line = one_line(result)
    for word in words:
        assert word in line
    assert not (tmp_path / "out").exists()


def test_a_missing_sdk_is_one_line_before_any_work(tmp_path: Path) -> None:
    hidden = (
        "import importlib.metadata as m; real = m.version\n"
        "def version(name):\n"
        "    if name == 'coremltools': raise m.PackageNotFoundError(name)\n"
        "    return real(name)\n"
        "m.version = version\n"
        "import sys; sys.argv = ['export', 'all', '--pair', 'tiny', '--out', sys.argv[1]]\n"
        "import runpy; runpy.run_module('export', run_name='__main__')"
    )
    result = subprocess.run(
        [sys.executable, "-c", hidden, str(tmp_path / "out")],
        cwd=REPOSITORY,
        text=True,
        capture_output=True,
        check=False,
    )
    assert result.returncode == 2
    assert "coremltools" in one_line(result)
    assert f"{sys.executable} -m pip install -e '.[export]'" in result.stderr
    assert not (tmp_path / "out").exists()


def test_pair_shows_all_budgets_and_that_the_verdict_flips() -> None:
    result = run("pair", "--params", "125M", "--layers", "30,12", "--json")
    audit = json.loads(result.stdout)
    assert {row["budget"] for row in audit["rows"]} == {
        "total-parameters", "body-parameters", "weight-bytes-read", "file-bytes",
    }  # fmt: skip
    assert audit["flips"] is True
    assert audit["rows"][0]["deep"]["shape"]["hidden_size"] == 576
    assert audit["rows"][0]["wide"]["shape"]["hidden_size"] == 864


def test_list_and_inspect_name_what_there_is(made: Path) -> None:
    listed = run("list", "--out", made)
    assert listed.returncode == 0
    for word in ("mobilellm-125m", "seed-mlp", "unmatched", "coremltools 9.0", "int8", "onnx-int4"):
        assert word in listed.stdout
    card = run("inspect", made / "tiny" / "deep-8x64" / "executorch-int4")
    for word in ("8 x 64", "bits/weight", "KV", "delegate", "greedy"):
        assert word in card.stdout


def test_verify_repeats_every_gate(made: Path) -> None:
    result = run("verify", *sorted(made.glob("tiny/*/*")))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(": verified") == 6


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "export", "all", "--pair", "tiny", "--out", str(out), *arguments], cwd=REPOSITORY,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def wait_for(condition: str, out: Path, process: "subprocess.Popen[str]") -> list[Path]:
    """Folders under construction, once there are any."""
    deadline = time.monotonic() + HUNG_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := list(out.glob(condition)):
            return found
        time.sleep(0.01)
    pytest.fail(f"no {condition} under {out}")


def test_an_interrupted_run_leaves_nothing_half_and_resumes(tmp_path: Path) -> None:
    process = start(tmp_path, "--target", "onnx", "--jobs", "1")
    wait_for("tiny/*/.onnx-int4.*", tmp_path, process)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=HUNG_S)
    assert process.returncode == 130
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert "failed" not in errors
    assert not list(tmp_path.glob("tiny/*"))
    assert run("all", "--pair", "tiny", "--target", "onnx", "--out", tmp_path).returncode == 0


def test_a_killed_job_is_one_line_and_the_others_go_on(tmp_path: Path) -> None:
    process = start(tmp_path, "--target", "onnx", "--jobs", "1")
    building = wait_for("tiny/deep*/.onnx-int4.*", tmp_path, process)[0]
    os.kill(int(building.name.rpartition(".")[2]), signal.SIGKILL)
    _, errors = process.communicate(timeout=HUNG_S)
    assert process.returncode == 1
    assert "deep-8x64 onnx-int4: failed: the export process ended with signal 9" in errors
    assert [path.parent.parent.name for path in tmp_path.rglob(MANIFEST_FILE)] == ["wide-2x128"]
    assert not list(tmp_path.glob("tiny/*/.*"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        result = run("all", "--pair", "tiny", "--target", "onnx", "--out", tmp_path / "out")
        assert result.returncode == 1
        assert "no space left on device" in result.stderr
        assert "Traceback" not in result.stderr
        assert not list(tmp_path.glob("out/*/*/*"))
        assert not list(tmp_path.glob("out/*/*/.*"))
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


EDITED = """# A comment that changes nothing.
"""


@pytest.fixture
def copied_sources(tmp_path: Path) -> Path:
    """A copy of the packages, to be edited."""
    sources = tmp_path / "sources"
    for package in ("models", "export", "scripts"):
        shutil.copytree(REPOSITORY / package, sources / package, ignore=shutil.ignore_patterns("__pycache__"))
    return sources


def run_copy(sources: Path, module: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of the copy, which wins over the installed package."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)], cwd=sources, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(sources), "DEEPNARROW_HOST_NAME": "copy"}, timeout=HUNG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


PLAN_OF_ONE_PAIR = """\
name = "same"
artifacts_folder = "artifacts"
pairs = ["tiny"]
targets = ["onnx"]
devices = [["kind:host"]]
repetitions = 1

[protocol]
num_threads = 1
prompt_lengths = [8]
prefill_repetitions = 1
contexts = [0]
decode_steps = 4
warm_up_steps = 1

[protocol.probe]
buffer_bytes = 1048576
passes = 3
"""


@pytest.mark.slow
def test_a_comment_in_an_exporter_costs_no_measured_run(copied_sources: Path, tmp_path: Path) -> None:
    """The artifact is written again by itself, says why, is the same network, and its runs still count."""
    artifacts, campaign, results = tmp_path / "artifacts", tmp_path / "same.toml", tmp_path / "results"
    campaign.write_text(PLAN_OF_ONE_PAIR)
    export = ("all", "--pair", "tiny", "--target", "onnx", "--out", artifacts, "--json")
    farm = (campaign, "--results", results, "--json")
    run_copy(copied_sources, "export", *export)
    before = {path.parent: read_manifest(path.parent) for path in artifacts.rglob(MANIFEST_FILE)}
    assert json.loads(run_copy(copied_sources, "scripts.farm", "run", *farm).stdout)["completed"] == 3

    source = copied_sources / "export" / "targets" / "onnx" / "graph.py"
    source.write_text(source.read_text() + EDITED)
    again = run_copy(copied_sources, "export", *export[:-1]).stderr
    assert again.count(" onnx-int4: written again, only the exporter's code changed\n") == 2
    after = {path.parent: read_manifest(path.parent) for path in artifacts.rglob(MANIFEST_FILE)}
    assert before.keys() == after.keys()
    for folder, manifest in after.items():
        assert manifest.exporter != before[folder].exporter
        assert (manifest.job_id, manifest.content_id) == (before[folder].job_id, before[folder].content_id)
    planned = json.loads(run_copy(copied_sources, "scripts.farm", "plan", *farm).stdout)["runs"]
    assert [row["state"] for row in planned] == ["done"] * 3

    campaign.write_text(PLAN_OF_ONE_PAIR.replace("repetitions = 1\n\n", "repetitions = 2\n\n"))
    assert json.loads(run_copy(copied_sources, "scripts.farm", "run", *farm).stdout)["completed"] == 5
    records = [read_finished_record(path.parent) for path in results.rglob(DONE_FILE)]
    keys = Counter(str(comparison_key(each)) for each in records if each.request.plan and not each.request.plan.canary)
    assert sorted(keys.values()) == [2, 2], "a run before the edit and one after it repeat each other"


def hashes(out: Path) -> dict[str, str]:
    """Of every file of every artifact but the manifests, which tell times."""
    folders = [path.parent for path in out.rglob(MANIFEST_FILE)]
    return {
        f"{folder.relative_to(out).as_posix()}/{entry.path}": entry.sha256
        for folder in folders for entry in read_manifest(folder).files
    }  # fmt: skip


@pytest.mark.slow
def test_writers_are_deterministic(made: Path, tmp_path: Path) -> None:
    """Another process, whose sets of texts are ordered by other hashes, writes the same bytes for all targets."""
    assert run("all", "--pair", "tiny", "--out", tmp_path, PYTHONHASHSEED="4242").returncode == 0
    assert {name.split("/")[2] for name in hashes(made)} == {f"{target}-int4" for target in TargetName}
    assert hashes(made) == hashes(tmp_path)
