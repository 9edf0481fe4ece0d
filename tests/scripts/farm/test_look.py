"""What `quick` says before the first run, and which campaign `results` takes."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.farm.campaign import Campaign
from scripts.farm.device import Device, DeviceState, DiscoveryOptions
from scripts.farm.host_device import HostDiscovery
from scripts.farm.look import expected_seconds, look_at, told_duration
from scripts.farm.plan import ArtifactFolder, plan_device
from scripts.host.environment import busy_core_ns, usable_cores
from scripts.records import DeviceKind, RunRecord, StartLimits, write_done, write_record
from tests.scripts.farm.doubles import ScriptedPhone, identity
from tests.scripts.farm.test_cli import main

LIMITS = StartLimits(max_battery_celsius=37.0)
_SPIN = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


@pytest.mark.skipif(busy_core_ns() is None, reason="this system does not tell how busy its cores are")
def test_a_busy_machine_is_named_before_anything_is_measured() -> None:
    async def look() -> tuple[str, ...]:
        host: Device = (await HostDiscovery(DiscoveryOptions()).devices())[0]
        return (await look_at(host, LIMITS)).doubts

    others = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in usable_cores()]
    try:
        doubts = asyncio.run(look())
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert len(doubts) == 1
    assert doubts[0].startswith("this machine is busy: others use ")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DeviceState(battery_celsius=41.5), ["the battery is at 41.5 C; runs wait for 37.0 C"]),
        (DeviceState(plugged=True, power_save=True), ["the phone charges", "power save is on"]),
        (DeviceState(battery_celsius=30.0, plugged=False, power_save=False), []),
        (DeviceState(), []),
    ],
)
def test_a_phone_tells_what_will_disturb_its_runs(state: DeviceState, words: list[str]) -> None:
    look = asyncio.run(look_at(ScriptedPhone(identity(), now=state), LIMITS))
    assert len(look.doubts) == len(words)
    for doubt, word in zip(look.doubts, words, strict=True):
        assert doubt.startswith(word)
    assert look.slowdown == 1.0


def test_more_runs_longer_contexts_and_busy_cores_take_longer(
    campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    def seconds(asked: Campaign, slowdown: float = 1.0) -> float:
        return expected_seconds(plan_device(asked, artifacts, identity()), DeviceKind.HOST, slowdown)

    once = seconds(campaign)
    longer = campaign.model_copy(update={"protocol": campaign.protocol.model_copy(update={"sustained_s": 60})})
    runs = 2 * campaign.repetitions  # the canary has no sustained phase
    assert seconds(longer) == pytest.approx(once + 60 * runs)
    assert seconds(campaign, 3.0) == pytest.approx(3 * once)
    assert seconds(campaign.model_copy(update={"repetitions": 6})) > 1.7 * once


@pytest.mark.parametrize(("seconds", "words"), [(3, "about 10 s"), (52, "about 50 s"), (229, "about 4 min")])
def test_a_duration_is_told_roughly(seconds: float, words: str) -> None:
    assert told_duration(seconds) == words


def test_results_takes_the_only_campaign_and_asks_where_there_are_two(
    golden: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(monkeypatch, "results", "--results", _results(golden, tmp_path, "one")) == 2
    assert "campaign one: no " in capsys.readouterr().err
    assert main(monkeypatch, "results", "--results", _results(golden, tmp_path, "two")) == 2
    assert "name one of its campaigns: one, two" in capsys.readouterr().err


def _results(golden: RunRecord, root: Path, campaign: str) -> Path:
    folder = root / campaign / golden.run_id
    write_record(golden, folder)
    write_done(golden.run_id, folder)
    return root
