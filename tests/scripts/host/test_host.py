"""The host harness from outside: `python -m scripts.host` on tiny artifacts, in processes of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.manifest import FileEntry, content_id, read_manifest, sha256
from scripts.records import Completed, Failed, FailureKind, Running, RunRecord, Stage, read_finished_record, read_record
from tests.limits import HUNG_S

TARGETS = ("onnx", "executorch")
SMALL = {
    "num_threads": 1, "prompt_lengths": [8], "prefill_repetitions": 2, "contexts": [0, 16], "decode_steps": 4,
    "warm_up_steps": 1, "probe": {"buffer_bytes": 1 << 20, "passes": 3},
}  # fmt: skip


def request_file(folder: Path, run_id: str = "r1", **changes: object) -> Path:
    path = folder / f"{run_id}.json"
    body = {"schema": "deepnarrow/run-request/1", "run_id": run_id, "protocol": SMALL, **changes}
    path.write_text(json.dumps(body), encoding="utf-8")
    return path


def start(artifact: Path, request: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scripts.host", "--artifact", artifact, "--request", request, "--out", out]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(artifact: Path, request: Path, out: Path) -> tuple[int, list[dict[str, object]], str]:
    process = start(artifact, request, out)
    output, errors = process.communicate(timeout=HUNG_S)
    return process.returncode, [json.loads(line) for line in output.splitlines()], errors


def artifact(artifacts: Path, target: str) -> Path:
    return artifacts / "tiny" / "deep-8x64" / f"{target}-int4"


def damaged_copy(artifacts: Path, folder: Path) -> Path:
    return shutil.copytree(artifact(artifacts, "onnx"), folder / "copy")


def failed(out: Path) -> tuple[RunRecord, Failed]:
    record = read_finished_record(out / "r1")
    assert isinstance(record.outcome, Failed)
    return record, record.outcome


@pytest.mark.parametrize("target", TARGETS)
def test_a_run_leaves_a_complete_record(tiny_artifacts: Path, tmp_path: Path, target: str) -> None:
    folder = artifact(tiny_artifacts, target)
    code, lines, _ = run(folder, request_file(tmp_path), tmp_path)
    record = read_finished_record(tmp_path / "r1")
    assert code == 0
    assert isinstance(record.outcome, Completed)
    assert [line["stage"] for line in lines if line.get("done") == 0 and line["total"] == 1][:3] == list(Stage)[:3]
    assert lines[-1]["outcome"] == "completed"
    assert record.artifact is not None
    assert record.artifact.content_id == read_manifest(folder).content_id
    assert record.artifact.manifest_sha256 == sha256(folder / "manifest.json")
    assert [samples.context for samples in record.decode] == [0, 16]
    for samples in record.decode:
        assert len(samples.forward_ns) == 4
        assert all(0 < f <= s for f, s in zip(samples.forward_ns, samples.step_ns, strict=True))
    assert record.observed is not None
    assert record.observed.num_threads == (1 if sys.platform == "linux" else None)
    assert record.self_check is not None
    assert record.self_check.decisive_matches == record.self_check.decisive_steps > 0
    assert record.bandwidth is not None
    assert record.bandwidth.ceiling_bytes_per_s > 1e8
    assert [point.after for point in record.memory][:2] == [Stage.LOAD, Stage.SELF_CHECK]


def test_wrong_reference_ends_as_parity(tiny_artifacts: Path, tmp_path: Path) -> None:
    copy = damaged_copy(tiny_artifacts, tmp_path)
    reference = json.loads((copy / "reference.json").read_text())
    step = reference["texts"][0]["decisive"].index(True)
    right = reference["texts"][0]["greedy"][step]
    reference["texts"][0]["greedy"][step] = right + 1 if right == 0 else right - 1
    (copy / "reference.json").write_text(json.dumps(reference))
    manifest = json.loads((copy / "manifest.json").read_text())
    entry = next(file for file in manifest["files"] if file["path"] == "reference.json")
    entry["sha256"] = sha256(copy / "reference.json")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    code, _, _ = run(copy, request_file(tmp_path), tmp_path)
    record, outcome = failed(tmp_path)
    assert (code, outcome.failure, outcome.stage) == (1, FailureKind.PARITY, Stage.SELF_CHECK)
    assert record.self_check is not None
    assert record.self_check.first_mismatch is not None
    assert record.self_check.first_mismatch.actual == right
    assert record.decode == ()


def test_wrong_sampled_logits_end_as_parity(tiny_artifacts: Path, tmp_path: Path) -> None:
    copy = damaged_copy(tiny_artifacts, tmp_path)
    reference = json.loads((copy / "reference.json").read_text())
    rows = reference["logit_sample"]["rows"]
    reference["logit_sample"]["rows"] = rows[1:] + rows[:1]
    (copy / "reference.json").write_text(json.dumps(reference))
    manifest = json.loads((copy / "manifest.json").read_text())
    entry = next(file for file in manifest["files"] if file["path"] == "reference.json")
    entry["sha256"] = sha256(copy / "reference.json")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    code, _, _ = run(copy, request_file(tmp_path), tmp_path)
    _, outcome = failed(tmp_path)
    assert (code, outcome.failure, outcome.stage) == (1, FailureKind.PARITY, Stage.SELF_CHECK)
    assert "sampled logits" in outcome.message


def test_changed_model_is_refused(tiny_artifacts: Path, tmp_path: Path) -> None:
    copy = damaged_copy(tiny_artifacts, tmp_path)
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert run(copy, request_file(tmp_path), tmp_path)[0] == 1
    assert failed(tmp_path)[1].failure is FailureKind.ARTIFACT


def test_truncated_model_is_a_load_failure(tiny_artifacts: Path, tmp_path: Path) -> None:
    copy = damaged_copy(tiny_artifacts, tmp_path)
    (copy / "model.onnx").write_bytes((copy / "model.onnx").read_bytes()[:100])
    manifest = json.loads((copy / "manifest.json").read_text())
    next(file for file in manifest["files"] if file["path"] == "model.onnx")["sha256"] = sha256(copy / "model.onnx")
    manifest["content_id"] = content_id(FileEntry.model_validate(file) for file in manifest["files"])
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert run(copy, request_file(tmp_path), tmp_path)[0] == 1
    assert failed(tmp_path)[1].failure is FailureKind.LOAD


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"num_threads": 4096}, "cores"),
        ({"contexts": [0, 4000]}, "max_context"),
        ({"backend": "xnnpack"}, "backend"),
        ({"load_mode": "mlock"}, "load_mode"),
    ],
)
def test_what_cannot_be_done_is_a_failed_request(
    tiny_artifacts: Path, tmp_path: Path, changes: dict[str, object], word: str
) -> None:
    request = request_file(tmp_path, protocol={**SMALL, **changes})
    assert run(artifact(tiny_artifacts, "onnx"), request, tmp_path)[0] == 1
    assert failed(tmp_path)[1].failure is FailureKind.REQUEST
    assert word in failed(tmp_path)[1].message


def test_bad_input_writes_nothing(tiny_artifacts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    request = request_file(tmp_path, colour="blue")
    code, _, errors = run(artifact(tiny_artifacts, "onnx"), request, out)
    assert (code, len(errors.strip().splitlines())) == (2, 1)
    assert "colour" in errors
    assert not out.exists()
    (out / "r2").mkdir(parents=True)
    code, _, errors = run(artifact(tiny_artifacts, "onnx"), request_file(tmp_path, "r2"), out)
    assert code == 2
    assert not list((out / "r2").iterdir())


def test_a_killed_process_leaves_its_stage(tiny_artifacts: Path, tmp_path: Path) -> None:
    request = request_file(tmp_path, protocol={**SMALL, "sustained_s": 60})
    process = start(artifact(tiny_artifacts, "onnx"), request, tmp_path)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["stage"] == "sustained":
            break
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    record = read_record(tmp_path / "r1" / "record.json")
    assert record.outcome == Running(stage=Stage.SUSTAINED)
    assert len(record.decode) == 2
    assert not (tmp_path / "r1" / "done.json").exists()


def test_other_runtimes_are_refused(tiny_artifacts: Path, tmp_path: Path) -> None:
    copy = damaged_copy(tiny_artifacts, tmp_path)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "target": "coreml"}))
    assert run(copy, request_file(tmp_path), tmp_path)[0] == 1
    assert failed(tmp_path)[1].failure is FailureKind.ARTIFACT
    assert failed(tmp_path)[1].message == "coreml artifacts do not run here; executorch and onnx ones do"


def test_networks_are_refused(tmp_path: Path) -> None:
    exporter = [
        sys.executable,
        "-m",
        "export",
        "all",
        "--pair",
        "seed-mlp-matched",
        "--scheme",
        "int8",
        "--target",
        "onnx",
    ]
    subprocess.run([*exporter, "--out", str(tmp_path / "mlp")], check=True, capture_output=True)
    (manifest, *_) = sorted((tmp_path / "mlp").glob("*/*/*/manifest.json"))
    assert run(manifest.parent, request_file(tmp_path), tmp_path)[0] == 1
    assert failed(tmp_path)[1].failure is FailureKind.ARTIFACT
    assert "MLP" in failed(tmp_path)[1].message


@pytest.mark.parametrize(
    ("target", "unused"), [("executorch", ("executorch.exir", "torch._dynamo")), ("onnx", ("onnx", "torch"))]
)
def test_a_run_imports_no_exporter(tiny_artifacts: Path, tmp_path: Path, target: str, unused: tuple[str, ...]) -> None:
    """The imports of the writers take three seconds, which a farm would pay in every run."""
    arguments = ["--artifact", artifact(tiny_artifacts, target), "--request", request_file(tmp_path), "--out", tmp_path]
    code = (
        f"import sys; sys.argv = ['host', *{list(map(str, arguments))}]\nfrom scripts.host.cli import main\n"
        f"main()\nprint([name for name in {unused} if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "completed" in output
    assert output.splitlines()[-1] == "[]"
