"""The Swift desktop command is a harness: arguments, lines, exit codes and records of docs/harness-contract.md."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from scripts.analysis.metrics import MetricName, run_metrics
from scripts.records import (
    Completed,
    DeviceKind,
    Failed,
    FailureKind,
    Running,
    Stage,
    read_finished_record,
    read_record,
)
from scripts.records.comparable import comparison_key
from tests.scripts.ios_app.command import SMALL, SwiftHarness, run

STAGES = [stage for stage in Stage if stage is not Stage.SUSTAINED]
EXIT_COMPLETED, EXIT_FAILED, EXIT_BAD_INPUT = 0, 1, 2


@pytest.mark.parametrize("target", ["onnx", "executorch"])
@pytest.mark.parametrize("shape", ["deep-8x64", "wide-2x128"])
def test_a_run_leaves_a_record_that_python_takes(
    swift_harness: SwiftHarness, tiny_artifacts: Path, shape: str, target: str
) -> None:
    artifact = tiny_artifacts / "tiny" / shape / f"{target}-int4"
    done = run(swift_harness.words(artifact, swift_harness.request()))
    assert (done.returncode, done.stderr) == (EXIT_COMPLETED, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(dict.fromkeys(line["stage"] for line in lines[:-1])) == STAGES
    assert all(set(line) == {"stage", "done", "total"} for line in lines[:-1])
    record_file = swift_harness.folder / "run-1" / "record.json"
    assert lines[-1] == {"run_id": "run-1", "outcome": "completed", "record": str(record_file), "message": None}

    record = read_finished_record(record_file.parent)
    assert (record.outcome, record.harness.name, record.harness.debug) == (Completed(), "deepnarrow-swift", True)
    assert record.device.kind is DeviceKind.DESKTOP
    check = record.self_check
    assert check is not None
    assert check.decisive_matches == check.decisive_steps > 20
    assert [samples.context for samples in record.decode] == [0, 16]
    assert record.observed is not None
    assert record.observed.num_threads == 1
    assert comparison_key(record) is not None


def test_metrics_take_the_record(swift_harness: SwiftHarness, tiny_artifacts: Path) -> None:
    artifact = tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4"
    assert run(swift_harness.words(artifact, swift_harness.request())).returncode == EXIT_COMPLETED
    metrics = run_metrics(read_finished_record(swift_harness.folder / "run-1"))
    assert metrics.get(MetricName.DECODE_TOKENS_PER_S, 0)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "unknown command ''; there is: run, --help, --version"),
        (("walk",), "unknown command 'walk'"),
        (("run", "--what", "x"), "unknown option '--what'; choose from --artifact, --request, --out, --device-json"),
        (("run", "--out"), "--out needs a value"),
        (("run", "--out", "a", "--out", "b"), "--out is given twice"),
        (("run", "--out", "a"), "--artifact is missing"),
    ],
)
def test_bad_words_are_one_line(swift_harness: SwiftHarness, words: tuple[str, ...], part: str) -> None:
    done = swift_harness.call(*words)
    assert (done.returncode, done.stdout) == (EXIT_BAD_INPUT, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert part in done.stderr


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "not JSON that can be read"),
        ('{"run_id": "run-1", "job_id": "x"}', "job_id: unknown key"),
        ('{"run_id": "../evil"}', "run_id: '../evil' must be 1 to 120"),
        ('{"run_id": "run-1", "protocol": {"backend": "gpu"}}', "choose from default, cpu, xnnpack"),
    ],
)
def test_bad_requests_write_nothing(swift_harness: SwiftHarness, tiny_artifacts: Path, text: str, part: str) -> None:
    request = swift_harness.folder / "request.json"
    request.write_text(text, encoding="utf-8")
    done = run(swift_harness.words(tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4", request))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (EXIT_BAD_INPUT, "", 1)
    assert part in done.stderr
    assert list(swift_harness.folder.iterdir()) == [request]


def test_a_run_id_is_used_once(swift_harness: SwiftHarness, tiny_artifacts: Path) -> None:
    words = swift_harness.words(tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4", swift_harness.request())
    assert run(words).returncode == EXIT_COMPLETED
    again = run(words)
    assert again.returncode == EXIT_BAD_INPUT
    assert "every run needs a run_id of its own" in again.stderr


def test_a_failed_run_ends_with_1(swift_harness: SwiftHarness, tiny_artifacts: Path) -> None:
    request = swift_harness.request(protocol=SMALL.model_copy(update={"num_threads": 4096}))
    done = run(swift_harness.words(tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4", request))
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["outcome"]) == (EXIT_FAILED, "failed")
    assert last["message"].startswith("num_threads 4096: this machine has ")
    outcome = read_finished_record(swift_harness.folder / "run-1").outcome
    assert isinstance(outcome, Failed)
    assert outcome.failure is FailureKind.REQUEST


def test_a_truncated_model_is_an_artifact_failure(swift_harness: SwiftHarness, tiny_artifacts: Path) -> None:
    artifact = swift_harness.folder / "artifact"
    shutil.copytree(tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4", artifact)
    model = artifact / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1])
    assert run(swift_harness.words(artifact, swift_harness.request())).returncode == EXIT_FAILED
    outcome = read_finished_record(swift_harness.folder / "run-1").outcome
    assert isinstance(outcome, Failed)
    assert (outcome.stage, outcome.failure) == (Stage.ENVIRONMENT, FailureKind.ARTIFACT)
    assert "model.onnx has" in outcome.message


@pytest.mark.parametrize("stage", [Stage.LOAD, Stage.DECODE])
def test_a_killed_run_leaves_its_stage(swift_harness: SwiftHarness, tiny_artifacts: Path, stage: Stage) -> None:
    # So many steps that the process is alive when the signal comes.
    request = swift_harness.request(protocol=SMALL.model_copy(update={"decode_steps": 900, "contexts": (0, 1, 2, 3)}))
    words = swift_harness.words(tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4", request)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("stage") == stage:
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL
    folder = swift_harness.folder / "run-1"
    outcome = read_record(folder / "record.json").outcome
    assert isinstance(outcome, Running)
    # The signal may come when the next stage has begun.
    assert outcome.stage in (stage, *STAGES[STAGES.index(stage) + 1 :][:1])
    assert not (folder / "done.json").exists()


def test_a_full_disk_ends_with_1_and_a_whole_record(swift_harness: SwiftHarness, tiny_artifacts: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("a small file system needs root and unshare")
    disk = swift_harness.folder / "disk"
    disk.mkdir()
    # Room for the first records, not for those with samples.
    protocol = SMALL.model_copy(update={"decode_steps": 900})
    words = swift_harness.words(
        tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4", swift_harness.request(protocol=protocol)
    )
    words[words.index("--out") + 1] = str(disk)
    script = 'mount -t tmpfs -o size=28k none "$0" && "$@"; code=$?; cp -r "$0"/. "$0.kept"; exit $code'
    probe = run(["unshare", "--mount", "bash", "-c", "mount -t tmpfs none /mnt"])
    if probe.returncode:
        pytest.skip(f"nothing can be mounted here: {probe.stderr.strip()}")
    done = run(["unshare", "--mount", "bash", "-c", script, str(disk), *words])
    assert done.returncode == EXIT_FAILED, done.stderr
    assert done.stderr.startswith("error: the record cannot be written: ")
    assert done.stderr.endswith("No space left on device\n")
    kept = disk.with_name("disk.kept") / "run-1"
    assert [path.name for path in kept.iterdir()] == ["record.json"]
    assert isinstance(read_record(kept / "record.json").outcome, Running)


def test_a_played_device(swift_harness: SwiftHarness, tiny_artifacts: Path) -> None:
    golden = json.loads((Path(__file__).parents[2] / "golden" / "record_completed.json").read_text(encoding="utf-8"))
    hot = {"battery_celsius": 41.5}
    device = swift_harness.folder / "device.json"
    played = {"device": golden["device"] | {"kind": "fake"}, "environment": hot}
    device.write_text(json.dumps(played), encoding="utf-8")
    request = json.loads(swift_harness.request().read_text(encoding="utf-8"))
    request["start_limits"]["wait_s"] = 0
    path = swift_harness.folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    artifact = tiny_artifacts / "tiny" / "deep-8x64" / "onnx-int4"
    done = run(swift_harness.words(artifact, path, "--device-json", str(device)))
    assert done.returncode == EXIT_FAILED
    assert (
        json.loads(done.stdout.splitlines()[-1])["message"]
        == "battery at 41.5 C, above max_battery_celsius 37.0 after 0 s"
    )
    record = read_finished_record(swift_harness.folder / "run-1")
    assert (record.device.model, record.device.kind) == ("Phone 1", DeviceKind.FAKE)

    claim = {"device": golden["device"] | {"kind": "phone"}, "environment": hot}
    device.write_text(json.dumps(claim), encoding="utf-8")
    lie = run(swift_harness.words(artifact, swift_harness.request("run-2"), "--device-json", str(device)))
    assert lie.returncode == EXIT_BAD_INPUT
    assert "a played device is never a real one" in lie.stderr


def test_help_and_version(swift_harness: SwiftHarness) -> None:
    shown = swift_harness.call("--help")
    assert (shown.returncode, shown.stderr) == (EXIT_COMPLETED, "")
    assert all(option in shown.stdout for option in ("--artifact", "--request", "--out", "--device-json"))
    assert swift_harness.call("--version").stdout == "0.1.0\n"
