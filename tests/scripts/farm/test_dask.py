"""The Dask path: a scheduler and several worker processes on this machine, real runs, a worker killed in mid-run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from distributed import Client

from models.errors import UserError
from scripts.farm.dask.options import DaskOptions
from scripts.farm.store.lock import user_folder
from scripts.records import Completed, read_finished_record
from tests.limits import HUNG_S
from tests.scripts.farm.test_end_to_end import campaign_file, farm, name_of

NAMES = ("bench-1", "bench-2")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def process(*words: str, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=output, stderr=output, env={**os.environ, **environment}
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(timeout=HUNG_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def scheduler(folder: Path, *tls: str) -> Iterator[str]:
    port = free_port()
    words = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", *tls)
    with process(*words, log=folder / "scheduler.log"):
        yield f"{'tls' if tls else 'tcp'}://127.0.0.1:{port}"


def worker(address: str, name: str, folder: Path) -> subprocess.Popen[bytes]:
    """One device's worker, as `farm worker` starts it; the variable makes this machine play several hosts."""
    words = [
        sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
        "--name", f"test/{name}", "--resources", f"device:{name}=1", "--local-directory", str(folder),
    ]  # fmt: skip
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "DEEPNARROW_HOST_NAME": name})


def wait_until_running(folder: Path, device: str) -> None:
    """Until a run of this campaign that is no canary has begun on the device."""
    deadline = time.monotonic() + HUNG_S
    places = user_folder() / "runs" / device
    while time.monotonic() < deadline:
        for request in places.glob("*/request.json"):
            try:
                plan = json.loads(request.read_text())["plan"]
            except (OSError, ValueError):
                continue
            if plan["campaign"] == name_of(folder) and plan["device_id"] == device and not plan["canary"]:
                return
        time.sleep(0.05)
    raise AssertionError("no run began in time")


def wait_for_workers(address: str, count: int) -> list[str]:
    """The addresses of the workers, once there are so many."""
    with Client(address, timeout=HUNG_S, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=HUNG_S)
        return list(client.scheduler_info()["workers"])


@pytest.mark.slow
def test_a_killed_worker_costs_no_run(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign, results = campaign_file(tmp_path, tiny_artifacts, sustained_s=2), tmp_path / "results"
    with ExitStack() as stack:
        address = stack.enter_context(scheduler(tmp_path))
        workers = {name: worker(address, name, tmp_path) for name in NAMES}
        stack.callback(lambda: [each.kill() or each.wait() for each in workers.values()])
        wait_for_workers(address, len(NAMES))
        command = ("scripts.farm", "run", str(campaign), "--results", str(results), "--scheduler", address, "--no-tty")
        with process(*command, log=tmp_path / "farm.log") as campaign_process:
            wait_until_running(tmp_path, "bench-1")
            workers["bench-1"].kill()
            workers["bench-1"].wait()
            workers["bench-1"] = worker(address, "bench-1", tmp_path)
            code = campaign_process.wait(timeout=HUNG_S)
        assert code == 0, (tmp_path / "farm.log").read_text()[-3000:]
    folders = [path for path in (results / name_of(tmp_path)).iterdir() if not path.name.startswith(".")]
    records = [read_finished_record(path) for path in folders]
    assert len(records) == 10
    assert all(isinstance(record.outcome, Completed) for record in records)
    for name in NAMES:
        plans = [record.request.plan for record in records if record.request.plan]
        assert sorted(plan.order for plan in plans if plan.device_id == name) == [0, 1, 2, 3, 4]
    assert {plan.attempt for plan in plans} == {0}


@pytest.mark.slow
def test_farm_worker_offers_this_machine(tiny_artifacts: Path, tmp_path: Path) -> None:
    campaign, results = campaign_file(tmp_path, tiny_artifacts, repetitions=1), tmp_path / "results"
    variable = {"DEEPNARROW_HOST_NAME": "bench-3"}
    with scheduler(tmp_path) as address:
        words = ("scripts.farm", "worker", "--scheduler", address)
        with process(*words, log=tmp_path / "worker.log", **variable) as serving:
            (listening,) = wait_for_workers(address, 1)
            assert listening.startswith("tcp://127.0.0.1:"), (
                "a worker runs what it is sent, so nobody else may reach it"
            )
            done = farm("run", campaign, "--results", results, "--scheduler", address)
            assert done.returncode == 0, done.stderr
            assert "bench-3" in done.stderr
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(timeout=HUNG_S) == 130
    assert "worker" in (tmp_path / "worker.log").read_text()


@pytest.mark.slow
def test_nobody_at_the_address(tiny_artifacts: Path, tmp_path: Path) -> None:
    done = farm("run", campaign_file(tmp_path, tiny_artifacts), "--scheduler", f"tcp://127.0.0.1:{free_port()}")
    assert done.returncode == 2
    assert "no Dask scheduler answers there" in done.stderr


def test_tls_files_come_together(tmp_path: Path) -> None:
    file = tmp_path / "x.pem"
    file.touch()
    with pytest.raises(UserError, match="all three or none"):
        DaskOptions("tls://h:1", file, None, None)
    with pytest.raises(UserError, match="others take none"):
        DaskOptions("tcp://h:1", file, file, file)
    with pytest.raises(UserError, match="needs the three"):
        DaskOptions("tls://h:1")
    assert DaskOptions("tls://h:1", file, file, file).tls_files == (str(file),) * 3


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786", "127.0.0.2:1"])
def test_without_tls_an_address_of_this_machine_is_fine(address: str) -> None:
    assert DaskOptions(address).tls_files is None


@pytest.mark.parametrize(
    "address",
    ["tcp://10.0.0.7:8786", "tcp://lab-3:8786", "tcp://0.0.0.0:8786", "tcp://[fe80::1]:8786", "lab-3:8786",
     "tcp://localhost.evil.example:1", "ws://lab-3:8786"],
)  # fmt: skip
def test_without_tls_an_address_that_others_reach_needs_consent(address: str) -> None:
    with pytest.raises(UserError, match="--insecure") as told:
        DaskOptions(address)
    assert "\n" not in str(told.value)
    assert DaskOptions(address, insecure=True).address == address


@pytest.mark.parametrize("command", ["run", "worker"])
def test_the_commands_refuse_it_before_anything_is_reached(command: str, tiny_artifacts: Path, tmp_path: Path) -> None:
    words = (command, campaign_file(tmp_path, tiny_artifacts)) if command == "run" else (command,)
    done = farm(*words, "--scheduler", "tcp://192.0.2.1:8786")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --scheduler tcp://192.0.2.1:8786: without TLS")
    assert done.stderr.count("\n") == 1
