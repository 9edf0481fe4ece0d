"""Whole campaigns through the command line, on this machine, with real artifacts in real runs."""

import contextlib
import hashlib
import json
import os
import pty
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from export.manifest import read_manifest
from models.pair import Arm
from scripts.farm.host_device import host_name
from scripts.farm.store.lock import user_folder
from scripts.records import Completed, Failed, FailureKind, RunRecord, Stage, read_finished_record
from tests.limits import HUNG_S

CAMPAIGN = """\
name = "{name}"
artifacts_folder = "{artifacts}"
pairs = ["tiny"]
targets = ["onnx"]
devices = [["kind:host"]]
repetitions = {repetitions}
run_timeout_s = {timeout_s}

[protocol]
num_threads = 1
prompt_lengths = [8]
prefill_repetitions = 1
contexts = [0]
decode_steps = 4
warm_up_steps = 1
sustained_s = {sustained_s}

[protocol.probe]
buffer_bytes = 1048576
passes = 3
"""


def campaign_file(
    folder: Path, artifacts: Path, repetitions: int = 2, sustained_s: int | None = None, timeout_s: float = 60
) -> Path:
    path = folder / "campaign.toml"
    text = CAMPAIGN.format(
        name=name_of(folder), artifacts=artifacts, repetitions=repetitions, sustained_s=sustained_s, timeout_s=timeout_s
    ).replace("sustained_s = None\n", "")
    path.write_text(text, encoding="utf-8")
    return path


def name_of(folder: Path) -> str:
    """Another name in every test: on one machine two farms must not run the same campaign at a time."""
    return f"e2e-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"


def farm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.farm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S, check=False)


def stored(results: Path, campaign: str = "") -> list[RunRecord]:
    folders = [
        path for path in (results / (campaign or name_of(results.parent))).iterdir() if not path.name.startswith(".")
    ]
    records = [read_finished_record(path) for path in folders]
    return sorted(records, key=lambda record: record.request.plan.order if record.request.plan else -1)


def planned(campaign: Path, results: Path) -> set[str]:
    done = farm("plan", campaign, "--results", results, "--json")
    return {row["run"] for row in json.loads(done.stdout)["runs"]}


def test_a_campaign_runs_once_and_answers(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign, results = campaign_file(tmp_path, tiny_artifacts), tmp_path / "results"
    first = farm("run", campaign, "--results", results)
    assert first.returncode == 0, first.stderr
    assert "5/5" in first.stderr
    assert "\x1b" not in first.stderr
    records = stored(results)
    assert {record.run_id.removesuffix(".a0") for record in records} == planned(campaign, results)
    assert all(isinstance(record.outcome, Completed) and record.decode for record in records)
    arms = [record.artifact.arm for record in records[1:] if record.artifact]
    assert arms in ([Arm.DEEP, Arm.WIDE, Arm.WIDE, Arm.DEEP], [Arm.WIDE, Arm.DEEP, Arm.DEEP, Arm.WIDE])
    times = {record.run_id: record.started_utc for record in records}
    assert list(times.values()) == sorted(times.values())
    again = farm("run", campaign, "--results", results, "--json")
    assert json.loads(again.stdout)["completed"] == 5
    assert {record.run_id: record.started_utc for record in stored(results)} == times
    told = json.loads(farm("results", name_of(tmp_path), "--results", results, "--json").stdout)["verdicts"]
    assert [(row["context"], row["deep_is"], row["runs"]) for row in told] == [(0, "not enough runs", "2+2")]
    cells = json.loads(farm("status", name_of(tmp_path), "--results", results, "--json").stdout)["cells"]
    assert sum(cell["completed"] for cell in cells) == 5
    before = (results / "index.sqlite").stat()
    assert before.st_size
    reindexed = farm("reindex", "--results", results)
    assert reindexed.stdout.strip() == "5 records indexed, 0 folders skipped"


@pytest.mark.slow
def test_exports_hold_every_sample(tiny_artifacts: Path, tmp_path: Path) -> None:
    import pyarrow.csv
    import pyarrow.parquet

    campaign, results = campaign_file(tmp_path, tiny_artifacts, repetitions=1), tmp_path / "results"
    assert farm("run", campaign, "--results", results).returncode == 0
    for name in ("parquet", "csv", "pytorch-v3", "androidx"):
        done = farm("convert", name_of(tmp_path), "--to", name, "--out", tmp_path / name, "--results", results)
        assert done.returncode == 0, done.stderr
    runs = [record for record in stored(results) if record.request.plan and not record.request.plan.canary]
    steps = sorted(ns for record in runs for samples in record.decode for ns in samples.step_ns)
    for table in (pyarrow.parquet.read_table(tmp_path / "parquet"), pyarrow.csv.read_csv(tmp_path / "csv")):
        rows = [row for row in table.to_pylist() if row["phase"] == "decode"]
        assert sorted(row["step_ns"] for row in rows) == steps
        assert {row["arm"] for row in rows} == {"deep", "wide"}
    oss = json.loads((tmp_path / "pytorch-v3").read_text())
    decode = [each for each in oss if each["metric"]["name"] == "decode_latency(ms)"]
    assert len(decode) == 2
    assert all(len(each["metric"]["benchmark_values"]) == 4 and each["schema_version"] == "v3" for each in decode)
    androidx = json.loads((tmp_path / "androidx").read_text())
    assert {"build", "cpuCoreCount", "memTotalBytes"} <= androidx["context"].keys()
    assert len(androidx["benchmarks"]) == 2
    metric = androidx["benchmarks"][0]["metrics"]["timeNs"]
    assert metric["minimum"] <= metric["median"] <= metric["maximum"]


@pytest.mark.slow
def test_a_hung_run_is_killed_and_recorded(tiny_artifacts: Path, tmp_path: Path) -> None:
    # The canary has no sustained phase, so that it ends in time; the other runs cannot.
    campaign = campaign_file(tmp_path, tiny_artifacts, repetitions=1, sustained_s=60, timeout_s=6)
    done = farm("run", campaign, "--results", tmp_path / "results")
    assert done.returncode == 1
    outcomes = [record.outcome for record in stored(tmp_path / "results")]
    assert isinstance(outcomes[0], Completed)
    for outcome in outcomes[1:]:
        assert isinstance(outcome, Failed)
        assert (outcome.failure, outcome.stage) == (FailureKind.HUNG, Stage.SUSTAINED)
    assert len(outcomes) == 3


@pytest.mark.slow
def test_a_dead_harness_is_recorded_with_evidence(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign = campaign_file(tmp_path, tiny_artifacts, repetitions=1, sustained_s=30)
    command = [sys.executable, "-m", "scripts.farm", "run", str(campaign), "--results", str(tmp_path / "results")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    killed = 0
    while killed < 2 and process.poll() is None:
        for pid in sustained_harnesses(tmp_path):
            os.kill(pid, signal.SIGKILL)
            killed += 1
            time.sleep(1.0)
        time.sleep(0.1)
    process.communicate(timeout=HUNG_S)
    assert process.returncode == 1
    assert killed == 2
    canary, *records = stored(tmp_path / "results")
    assert isinstance(canary.outcome, Completed)
    assert len(records) == 2
    for record in records:
        assert isinstance(record.outcome, Failed)
        assert record.outcome.failure is FailureKind.CRASHED
        assert record.evidence is not None
        assert record.evidence.exit_info == "exit code -9"
        assert len(record.decode) == 1


def sustained_harnesses(folder: Path) -> list[int]:
    """Harness processes of this user that have begun their sustained phase."""
    found: list[int] = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = command.read_text().split("\0")
        except OSError:
            continue
        if "scripts.host" in words and "--out" in words:
            for path in Path(words[words.index("--out") + 1]).glob("*/record.json"):
                record = json.loads(path.read_text())
                mine = (record["request"]["plan"] or {}).get("campaign") == name_of(folder)
                found += [int(command.parent.name)] * (mine and record["outcome"].get("stage") == "sustained")
    return found


def test_doctor_says_what_it_looked_for(tmp_path: Path) -> None:
    told = json.loads(farm("doctor", "--json", "--results", tmp_path / "none").stdout)["found"]
    assert "Android Debug Bridge version" in told["adb"]
    assert "cores" in told["this machine"]
    assert {"adb server", "Android devices", "iPhone tool"} <= told.keys()
    gone = farm("doctor", "--adb-server", "127.0.0.1:9", "--results", tmp_path / "none")
    assert gone.returncode == 1
    assert "does not answer at 127.0.0.1:9" in gone.stdout
    assert "adb start-server" in gone.stdout


def test_bad_input_is_one_line_and_exit_code_2(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign = campaign_file(tmp_path, tiny_artifacts)
    bad = tmp_path / "bad.toml"
    bad.write_text(campaign.read_text().replace("repetitions", "repititions"))
    nowhere = tmp_path / "nowhere.toml"
    nowhere.write_text(campaign.read_text().replace("kind:host", "soc:none"))
    far = tmp_path / "far.toml"
    far.write_text(campaign.read_text().replace("contexts = [0]", "contexts = [0, 9999]"))
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, expected in (
        (("run", bad), "repititions"),
        (("run", far), "10003 positions"),
        (("results", "none", "--results", empty), "campaigns there: none"),
        (("status", "none", "--results", empty), "campaigns there: none"),
        (("quick", "seed-mlp"), "pair seed-mlp: not one of tiny, "),
        (("devices", "--adb-server", "lab:99999"), "HOST:PORT"),
        (("run", nowhere), "no device with the tags soc:none"),
        (("run", tmp_path / "none.toml"), "no such file"),
        (("run", campaign, "--scheduler", "tls://127.0.0.1:1"), "tls"),
        (("results", "none", "--results", tmp_path / "r"), "no such folder"),
        (("convert", "none", "--to", "csv", "--out", tmp_path / "x", "--results", tmp_path / "r"), "no such folder"),
        (("quick", "none"), "pair none: not one of"),
        (("devices", "--adb-server", "lab"), "HOST:PORT"),
        (("doctor", "--use-again", "none", "--results", tmp_path), "quarantine"),
    ):
        done = farm(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert expected in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert done.stderr.startswith("error: ")


@pytest.mark.slow
def test_interrupting_keeps_what_is_finished(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign, results = campaign_file(tmp_path, tiny_artifacts, repetitions=3), tmp_path / "results"
    command = [sys.executable, "-m", "scripts.farm", "run", str(campaign), "--results", str(results)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for_records(results, 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=HUNG_S)
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert 2 <= len(stored(results)) < 7
    assert farm("run", campaign, "--results", results).returncode == 0
    assert len(stored(results)) == 7


@pytest.mark.slow
def test_a_farm_with_another_results_folder_keeps_off(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign, results, others = campaign_file(tmp_path, tiny_artifacts), tmp_path / "results", tmp_path / "others"
    command = [sys.executable, "-m", "scripts.farm", "run", str(campaign), "--results", str(results)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wait_for_records(results, 1)
    second = farm("run", campaign, "--results", others)
    _, errors = process.communicate(timeout=HUNG_S)
    assert second.returncode == 1
    assert f"in use by another farm: process {process.pid}, records in {results}" in second.stderr
    assert process.returncode == 0, errors
    assert all(isinstance(record.outcome, Completed) for record in stored(results))
    assert farm("run", campaign, "--results", others).returncode == 0


def wait_for_records(results: Path, count: int) -> None:
    deadline = time.monotonic() + HUNG_S
    while len(list(results.glob("e2e-*/*/done.json"))) < count:
        assert time.monotonic() < deadline, f"no {count} records"
        time.sleep(0.05)


def kill_and_restart(artifacts: Path, folder: Path, points: int, repetitions: int) -> None:
    """Kill the farm in the middle of runs, then let it finish: every slot has exactly one record, and a row for it."""
    campaign, results = campaign_file(folder, artifacts, repetitions), folder / "results"
    command = [sys.executable, "-m", "scripts.farm", "run", str(campaign), "--results", str(results)]
    source = random.Random(7)
    for _ in range(points):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        wait_for_a_run(folder, process)
        time.sleep(source.uniform(0.0, 0.5))
        assert process.poll() is None, "the farm was done before it could be killed: give it more repetitions"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    last = farm("run", campaign, "--results", results)
    assert last.returncode == 0, last.stderr
    records = stored(results)
    assert sorted(record.run_id.removesuffix(".a0") for record in records) == sorted(planned(campaign, results))
    assert all(isinstance(record.outcome, Completed) for record in records)
    with sqlite3.connect(results / "index.sqlite") as index:
        rows = {row[0] for row in index.execute("SELECT run_id FROM run")}
    assert rows == {record.run_id for record in records}
    assert not list((results / name_of(folder)).glob(".*"))
    assert not sustained_harnesses(folder)


def wait_for_a_run(folder: Path, process: "subprocess.Popen[bytes]") -> None:
    """Until this campaign has a run under way that was not there before."""
    deadline = time.monotonic() + HUNG_S
    before = runs_under_way(folder)
    while not runs_under_way(folder) - before:
        assert process.poll() is None, "the farm ended without another run"
        assert time.monotonic() < deadline, "no run began"
        time.sleep(0.01)


def runs_under_way(folder: Path) -> set[tuple[str, int]]:
    """(run id, process id) of the runs of this campaign whose folders are there; a dead farm's stay until the next."""
    found: set[tuple[str, int]] = set()
    for pid in user_folder().joinpath("runs", host_name()).glob("*/pid"):
        with contextlib.suppress(OSError, ValueError):  # the run has just ended, or has just begun
            plan = json.loads((pid.parent / "request.json").read_text())["plan"]
            found |= {(pid.parent.name, int(pid.read_text()))} if plan["campaign"] == name_of(folder) else set()
    return found


@pytest.mark.slow
def test_killed_three_times_the_records_are_the_plan(tiny_artifacts: Path, tmp_path: Path) -> None:
    kill_and_restart(tiny_artifacts, tmp_path, points=3, repetitions=3)


@pytest.mark.slow
def test_killed_twenty_times_the_records_are_the_plan(tiny_artifacts: Path, tmp_path: Path) -> None:
    kill_and_restart(tiny_artifacts, tmp_path, points=20, repetitions=20)


def test_a_farm_host_needs_no_torch() -> None:
    script = "import sys, scripts.farm.cli; sys.exit('torch' in sys.modules or 'onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.slow
def test_quick_exports_measures_and_answers(tmp_path: Path) -> None:
    done = farm(
        "quick", "tiny", "--artifacts", tmp_path / "artifacts", "--results", tmp_path / "results", "--repetitions", "2",
        "--threads", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "this machine is measured" in done.stderr
    assert "these are not phone numbers" in done.stderr
    (campaign,) = [path.name for path in (tmp_path / "results").iterdir() if path.is_dir()]
    records = stored(tmp_path / "results", campaign)
    measured = {(record.artifact.target, record.artifact.arm) for record in records if record.artifact}
    assert len(records) == 9
    assert len(measured) == 4
    for name in ("executorch int4", "onnx int4"):
        assert name in done.stdout
    manifests = list((tmp_path / "artifacts").glob("*/*/*/manifest.json"))
    assert {read_manifest(path.parent).pair for path in manifests} == {"tiny"}


@pytest.mark.slow
def test_on_a_terminal_a_device_keeps_to_its_line(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign = campaign_file(tmp_path, tiny_artifacts, repetitions=1)
    command = [sys.executable, "-m", "scripts.farm", "run", str(campaign), "--results", str(tmp_path / "results")]
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(command, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"})
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # Linux says EIO when the other side is closed
        while chunk := os.read(terminal, 65536):
            shown += chunk
    os.close(terminal)
    assert process.wait() == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    # Which of its runs the screen catches depends on how fast they are.
    assert re.search(r"[012]/3 +running \S+", plain)
    assert re.search(r"3/3 +done", plain)
    assert all(len(line) <= 100 for line in plain.replace("\r", "\n").splitlines())
