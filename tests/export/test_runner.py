"""The pool of child processes: what a dead one leaves is told for each of its jobs."""

from pathlib import Path

import pytest

from export.arguments import plan_pair
from export.jobs import runner
from export.jobs.events import Failed, Failure
from export.jobs.plan import ExportJob
from export.jobs.runner import Runner
from export.proof.reference import Thoroughness
from export.quantization import Scheme
from export.targets.base import ExportOptions, TargetName

WORDS = "terminate called after throwing an instance of 'std::bad_alloc'"


def jobs_in(folder: Path) -> list[ExportJob]:
    return [
        ExportJob(
            planned=planned, target=TargetName.ONNX, scheme=Scheme.INT4, options=ExportOptions(),
            thoroughness=Thoroughness.QUICK, folder=folder / planned.name,
        )
        for planned in plan_pair("tiny", 0, {})
    ]  # fmt: skip


def test_each_job_of_a_dead_process_is_told_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dying = tmp_path / "dying"
    dying.write_text(f'#!/bin/sh\ncat >/dev/null\necho "{WORDS}" >&2\nkill -ABRT $$\n')
    dying.chmod(0o700)
    monkeypatch.setattr(runner.sys, "executable", str(dying))
    jobs = jobs_in(tmp_path)
    told: list[str] = []
    outcomes = Runner(1, lambda job, event: told.append(job.label)).run([jobs])
    assert len(outcomes) == len(jobs) == 2
    assert told == [job.label for job in jobs]
    for outcome in outcomes:
        assert isinstance(outcome, Failed)
        assert outcome.failure is Failure.CRASH
        assert outcome.message == f"the export process ended with signal 6: {WORDS}"
