"""Runs jobs in child processes, several at a time, and reports what happens. Leaves no half artifact behind."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from export.jobs.events import EVENT, JOBS, Done, Event, Failed, Failure, temporary_folder
from export.jobs.plan import ExportJob
from export.manifest import RETIRED

Listener = Callable[[ExportJob, Event], None]


class Runner:
    """A pool of child processes.

    Args:
        workers: processes at a time; each gets an equal share of the processors as threads.
        listener: called from worker threads, one call at a time, with each event and its job.
    """

    def __init__(self, workers: int, listener: Listener) -> None:
        self._workers = workers
        self._listener = listener
        self._lock = threading.Lock()
        self._children: set[subprocess.Popen[str]] = set()
        self._stopping = False

    def run(self, groups: list[list[ExportJob]]) -> list[Done | Failed]:
        """Run each group of jobs in a process of its own, the groups side by side.

        Returns:
            One outcome per job, in the order given.

        Raises:
            KeyboardInterrupt: after the children have been stopped and their folders removed.
        """
        pool = ThreadPoolExecutor(self._workers)
        try:
            outcomes = [pool.submit(self._run_group, group) for group in groups]
            return [outcome for future in outcomes for outcome in future.result()]
        except KeyboardInterrupt:
            self._stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _run_group(self, jobs: list[ExportJob]) -> list[Done | Failed]:
        with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
            child = self._start(jobs, log.fileno())
            outcomes: dict[int, Done | Failed] = {}
            assert child.stdout is not None
            for line in child.stdout:
                event = EVENT.validate_json(line)
                if isinstance(event, Done | Failed):
                    outcomes[event.job] = event
                self._tell(jobs[event.job], event)
            child.wait()
            self._children.discard(child)
            log.seek(0)
            said = log.read()
            return [outcomes.get(i) or self._died(i, job, child, said) for i, job in enumerate(jobs)]

    def _start(self, jobs: list[ExportJob], log: int) -> "subprocess.Popen[str]":
        threads = max(1, (os.cpu_count() or 1) // self._workers)
        # Waiting threads that spin make an export ten times slower on a machine that has other work.
        openmp = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
        environment = {**os.environ, **openmp, "PYTHONUNBUFFERED": "1"}
        with self._lock:
            if self._stopping:
                raise KeyboardInterrupt
            child = subprocess.Popen(
                [sys.executable, "-m", "export.jobs.job"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=environment, text=True, encoding="utf-8",
            )  # fmt: skip
            self._children.add(child)
        assert child.stdin is not None
        child.stdin.write(JOBS.dump_json(jobs).decode())
        child.stdin.close()
        return child

    def _died(self, index: int, job: ExportJob, child: "subprocess.Popen[str]", log: str) -> Failed:
        """A child that ended without a word about this job: killed, or crashed inside an SDK."""
        shutil.rmtree(temporary_folder(job.folder, child.pid), ignore_errors=True)
        last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "no output")
        reason = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        failed = Failed(index, Failure.CRASH, f"the export process ended with {reason}: {last[:300]}")
        self._tell(job, failed)
        return failed

    def _tell(self, job: ExportJob, event: Event) -> None:
        with self._lock:
            if not self._stopping:  # what stopping does to the jobs is no news
                self._listener(job, event)

    def _stop(self) -> None:
        with self._lock:
            self._stopping = True
            children = list(self._children)
        for child in children:
            child.terminate()


def remove_leftovers(root: Path) -> None:
    """Clear up after killed processes under `root`: unfinished folders go, artifacts set aside come back."""
    for path in root.glob("*/*/.*.*"):
        name, _, pid = path.name.removesuffix(RETIRED).rpartition(".")
        if not pid.isdecimal() or _alive(int(pid)):
            continue
        artifact = path.with_name(name.removeprefix("."))
        if path.name.endswith(RETIRED) and not artifact.exists():
            path.rename(artifact)
        elif path.is_dir():
            shutil.rmtree(path)


def remove_empty_folders(jobs: list[ExportJob]) -> None:
    """Folders of pair and shape in which no job put anything."""
    for job in jobs:
        for folder in job.folder.parents[:2]:
            with suppress(OSError):  # not empty, or gone already
                folder.rmdir()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
