"""Kill the farm again and again while it runs a campaign on fake phones, and count what it has kept."""

import json
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from scripts.bench.fake_rack import CAMPAIGN_NAME
from scripts.farm.store.store import Store
from scripts.records import Completed

_FINISH_S = 600.0


@dataclass(frozen=True, slots=True)
class KillCount:
    """What the store holds after the last restart.

    Attributes:
        kills: of farms that were still at work.
        lost: planned runs without a completed record.
        doubled: completed records beyond one for a planned run.
        failed_attempts: records of attempts that failed and were tried again.
    """

    kills: int
    planned: int
    lost: int
    doubled: int
    failed_attempts: int


def kill_and_finish(campaign: Path, results: Path, kills: int, longest_s: float, seed: int) -> KillCount:
    """Begin the campaign and kill the farm after a random time, `kills` times; then let it finish.

    Raises:
        UserError: the last farm did not finish; its messages are above.
    """
    moments, hit = random.Random(seed), 0
    for _ in range(kills):
        farm = subprocess.Popen(_farm("run", campaign, results), stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(moments.uniform(0.3, longest_s))
        hit += farm.poll() is None
        farm.kill()
        farm.wait()
    if code := subprocess.run(_farm("run", campaign, results), timeout=_FINISH_S, check=False).returncode:
        raise UserError(f"the last farm ended with exit code {code}; its messages are above")
    return _count(_planned(campaign, results), results, hit)


def _farm(command: str, campaign: Path, results: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "scripts.farm", command, str(campaign), "--results", str(results), *options]


def _planned(campaign: Path, results: Path) -> set[str]:
    told = subprocess.run(_farm("plan", campaign, results, "--json"), capture_output=True, check=True)
    return {row["run"] for row in json.loads(told.stdout)["runs"]}


def _count(planned: set[str], results: Path, kills: int) -> KillCount:
    problems: list[str] = []
    with Store(results) as store:
        records = [run.record for run in store.runs(CAMPAIGN_NAME, problems)]
    if problems:
        raise UserError("; ".join(problems))
    completed = [each.run_id.rsplit(".a", 1)[0] for each in records if isinstance(each.outcome, Completed)]
    return KillCount(
        kills=kills, planned=len(planned), lost=len(planned - set(completed)),
        doubled=len(completed) - len(planned & set(completed)), failed_attempts=len(records) - len(completed),
    )  # fmt: skip
