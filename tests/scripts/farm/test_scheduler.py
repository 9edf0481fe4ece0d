"""What the scheduler does about faults, with scripted phones: nothing is measured here."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from models.errors import UserError
from scripts.farm.campaign import Campaign
from scripts.farm.device import DeviceError, DeviceState, Progress
from scripts.farm.device_queue import Pace
from scripts.farm.events import DeviceEvent, Event, Phase
from scripts.farm.plan import ArtifactFolder, plan_device
from scripts.farm.scheduler import Summary, run_campaign
from scripts.farm.store.state import DevicesState
from scripts.farm.store.store import Store
from scripts.records import Failed, FailureKind, RunRecord, RunRequest, Skipped, Stage, read_finished_record
from tests.scripts.farm.doubles import ScriptedPhone, identity

QUICK = Pace(retry_s=0.0, renew_s=60.0)


def go(
    root: Path, campaign: Campaign, artifacts: list[ArtifactFolder], *phones: ScriptedPhone
) -> tuple[Summary, list[Event]]:
    events: list[Event] = []

    async def work() -> Summary:
        state = DevicesState(root)
        queues = [(phone, plan_device(campaign, artifacts, phone.identity)) for phone in phones]
        with contextlib.closing(state), Store(root) as store:
            return await run_campaign(campaign, queues, store, state, events.append, "session-1", QUICK)

    return asyncio.run(work()), events


def failing(kind: FailureKind, when: Callable[[RunRequest], bool]) -> Callable[[RunRequest], Failed | None]:
    return lambda request: Failed(stage=Stage.DECODE, failure=kind, message="scripted") if when(request) else None


def repetition_1(request: RunRequest) -> bool:
    assert request.plan is not None
    return request.plan.repetition == 1


def records(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "test").iterdir())


def test_two_phones_fill_their_queues_once(tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    phones = [ScriptedPhone(identity(name)) for name in ("p1", "p2")]
    summary, _ = go(tmp_path, campaign, artifacts, *phones)
    assert summary.is_complete
    assert summary.planned == 14
    assert len(records(tmp_path)) == 14
    for phone in phones:
        assert phone.calls[:2] == ["prepare", "install"]
        assert phone.calls[-1] == "restore {'stay_awake': '0'}"
        orders = [run.plan.order for run in phone.runs if run.plan]
        assert orders == list(range(7))
    again = ScriptedPhone(identity("p1"))
    assert go(tmp_path, campaign, artifacts, again)[0].is_complete
    assert again.calls == []


def test_device_failures_are_tried_again_on_the_same_slot(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    def script(request: RunRequest) -> None:
        assert request.plan is not None
        if request.plan.order == 2 and request.plan.attempt < 2:
            raise DeviceError("went offline", hint="look at the cable")

    phone = ScriptedPhone(identity(), script)
    summary, events = go(tmp_path, campaign, artifacts, phone)
    assert summary.is_complete
    attempts = [run.plan.attempt for run in phone.runs if run.plan and run.plan.order == 2]
    assert attempts == [0, 1, 2]
    assert phone.calls.count("prepare") == 3
    failed = read_finished_record(tmp_path / "test" / phone.runs[2].run_id)
    assert isinstance(failed.outcome, Failed)
    assert failed.outcome.failure is FailureKind.DEVICE
    assert "look at the cable" in failed.outcome.message
    assert any(isinstance(event, DeviceEvent) and event.phase is Phase.RETRYING for event in events)


def test_other_failures_are_recorded_and_never_tried_again(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    for kind in (FailureKind.PARITY, FailureKind.OUT_OF_MEMORY, FailureKind.HUNG, FailureKind.CRASHED):
        root = tmp_path / kind
        phone = ScriptedPhone(identity(), failing(kind, repetition_1))
        summary, _ = go(root, campaign, artifacts, phone)
        assert (summary.completed, summary.failed) == (5, 2)
        assert len(phone.runs) == 7
        again = ScriptedPhone(identity())
        go(root, campaign, artifacts, again)
        assert again.runs == []


def test_three_device_failures_in_a_row_mean_quarantine(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    def script(request: RunRequest) -> None:
        if request.plan and request.plan.order >= 1:
            raise DeviceError("no space", FailureKind.STORAGE)

    phone, healthy = ScriptedPhone(identity("bad"), script), ScriptedPhone(identity("good"))
    summary, _ = go(tmp_path, campaign, artifacts, phone, healthy)
    assert len(phone.runs) == 4
    assert "quarantine" in summary.stopped["bad"]
    assert len(healthy.runs) == 7
    again = ScriptedPhone(identity("bad"))
    summary, _ = go(tmp_path, campaign, artifacts, again)
    assert again.calls == []
    assert "no space" in summary.stopped["bad"]
    with contextlib.closing(DevicesState(tmp_path)) as state:
        state.end_quarantine("bad")
    assert go(tmp_path, campaign, artifacts, again)[0].is_complete
    assert again.runs[0].run_id.endswith(".a3")


@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (ValueError("no JSON"), FailureKind.INTERNAL, 1),
        (UserError("record.json: too large"), FailureKind.INTERNAL, 1),
        (BrokenPipeError(32, "broken pipe"), FailureKind.DEVICE, 3),
    ],
)
def test_whatever_happens_to_one_phone_the_others_go_on(
    error: Exception,
    kind: FailureKind,
    attempts: int,
    tmp_path: Path,
    campaign: Campaign,
    artifacts: list[ArtifactFolder],
) -> None:
    def script(request: RunRequest) -> None:
        if request.plan and request.plan.order == 1:
            raise error

    bad, good = ScriptedPhone(identity("bad"), script), ScriptedPhone(identity("good"))
    summary, _ = go(tmp_path, campaign, artifacts, bad, good)
    assert len(good.runs) == 7
    told = [run.run_id for run in bad.runs if run.plan and run.plan.order == 1]
    assert len(told) == attempts
    outcome = read_finished_record(tmp_path / "test" / told[0]).outcome
    assert isinstance(outcome, Failed)
    assert outcome.failure is kind
    assert type(error).__name__ in outcome.message
    assert ("bad" in summary.stopped) == (attempts == 3)


def test_a_restore_that_breaks_ends_nothing_but_itself(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    class Stubborn(ScriptedPhone):
        async def restore(self, prior: Mapping[str, str]) -> None:
            raise OSError("no route to host")

    bad, good = Stubborn(identity("bad")), ScriptedPhone(identity("good"))
    summary, _ = go(tmp_path, campaign, artifacts, bad, good)
    assert summary.is_complete
    assert "no route to host" in summary.stopped["bad"]
    with contextlib.closing(DevicesState(tmp_path)) as state:
        assert state.changed("bad")
        assert state.lease("bad") is None


def test_an_answer_to_another_request_takes_no_place(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    class Forger(ScriptedPhone):
        async def run(
            self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
        ) -> RunRecord:
            record = await super().run(request, pushed, on_progress, deadline_s)
            if len(self.runs) != 2:
                return record
            other = request.model_copy(update={"run_id": "cell.r5.a0"})
            return record.model_copy(update={"request": other})

    forger = Forger(identity())
    summary, _ = go(tmp_path, campaign, artifacts, forger)
    assert summary.is_complete
    assert "cell.r5.a0" not in records(tmp_path)
    outcome = read_finished_record(tmp_path / "test" / forger.runs[1].run_id).outcome
    assert isinstance(outcome, Failed)
    assert "cell.r5.a0" in outcome.message


def test_a_damaged_folder_costs_one_run(tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    first = ScriptedPhone(identity())
    go(tmp_path, campaign, artifacts, first)
    for damaged in (first.runs[2], first.runs[5]):
        (tmp_path / "test" / damaged.run_id / "record.json").write_text("{")
    for name in tmp_path.glob("index.sqlite*"):
        name.unlink()
    with Store(tmp_path) as store:
        assert len(store.catch_up("test")) == 2
    again = ScriptedPhone(identity())
    assert go(tmp_path, campaign, artifacts, again)[0].is_complete
    assert [run.run_id for run in again.runs] == [
        first.runs[number].run_id.removesuffix("0") + "1" for number in (2, 5)
    ]  # fmt: skip


def test_what_was_skipped_is_run_when_the_phone_is_cool(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    class Heating(ScriptedPhone):
        async def state(self) -> DeviceState:
            return DeviceState(battery_celsius=30.0 if len(self.runs) < 3 else 45.0)

    hot = Heating(identity())
    assert go(tmp_path, campaign, artifacts, hot)[0].skipped == 4
    cool = ScriptedPhone(identity())
    summary, _ = go(tmp_path, campaign, artifacts, cool)
    assert summary.is_complete
    assert summary.skipped == 0
    assert len(cool.runs) == 4
    assert all(run.run_id.endswith(".a1") for run in cool.runs)


def test_nothing_runs_after_a_failed_canary_until_it_is_well(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    phone = ScriptedPhone(identity(), failing(FailureKind.RUNTIME, lambda request: True))
    summary, _ = go(tmp_path, campaign, artifacts, phone)
    assert len(phone.runs) == 1
    assert "canary" in summary.stopped["p1"]
    well = ScriptedPhone(identity())
    summary, _ = go(tmp_path, campaign, artifacts, well)
    assert summary.is_complete
    assert [run.run_id.endswith(".a1") for run in well.runs[:2]] == [True, False]


def test_a_hot_phone_is_skipped_and_recorded(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    phone = ScriptedPhone(identity(), now=DeviceState(battery_celsius=41.5))
    summary, events = go(tmp_path, campaign, artifacts, phone)
    assert phone.runs == []
    assert summary.skipped == 1
    (name,) = records(tmp_path)
    outcome = read_finished_record(tmp_path / "test" / name).outcome
    assert isinstance(outcome, Skipped)
    assert "41.5" in outcome.message
    assert "37.0" in outcome.message
    cooling = [event for event in events if isinstance(event, DeviceEvent) and event.phase is Phase.COOLING]
    assert cooling[0].celsius == 41.5


def test_overridden_sensors_are_refused(tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    phone = ScriptedPhone(identity(), now=DeviceState(overridden=("thermal status",)))
    summary, _ = go(tmp_path, campaign, artifacts, phone)
    assert phone.runs == []
    assert "thermal status overridden" in summary.stopped["p1"]


def test_what_a_dead_farm_changed_is_restored_first(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    state = DevicesState(tmp_path)
    state.remember("p1", "airplane", "0")
    state.close()
    phone = ScriptedPhone(identity())
    go(tmp_path, campaign, artifacts, phone)
    assert phone.calls[:3] == ["restore {'airplane': '0'}", "prepare", "install"]


def test_a_leased_phone_is_left_alone(tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    other = DevicesState(tmp_path)
    assert other.lease("p1") is None
    phone = ScriptedPhone(identity())
    summary, _ = go(tmp_path, campaign, artifacts, phone)
    assert phone.calls == []
    assert "in use by another farm: process" in summary.stopped["p1"]
    assert not summary.is_complete


def test_farms_with_other_results_folders_leave_it_alone_too(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    script = (
        "import sys; from scripts.farm.store.lock import MachineLock\n"
        "lock = MachineLock.take('device-p1', 'records in /elsewhere'); print('taken', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout
    assert holder.stdout.readline() == b"taken\n"
    phone = ScriptedPhone(identity())
    summary, _ = go(tmp_path, campaign, artifacts, phone)
    assert phone.calls == []
    assert summary.stopped["p1"] == f"in use by another farm: process {holder.pid}, records in /elsewhere"
    holder.kill()
    holder.communicate()
    assert go(tmp_path, campaign, artifacts, phone)[0].is_complete


def test_no_run_begins_after_the_budget(tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    phone = ScriptedPhone(identity())
    summary, _ = go(tmp_path, campaign.model_copy(update={"budget_minutes": 1e-9}), artifacts, phone)
    assert phone.runs == []
    assert "budget_minutes" in summary.stopped["p1"]


def test_cancelling_restores_and_releases(tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    phone = ScriptedPhone(identity())

    async def work() -> None:
        state = DevicesState(tmp_path)
        with contextlib.closing(state), Store(tmp_path) as store:
            queues = [(phone, plan_device(campaign, artifacts, phone.identity))]
            task = asyncio.create_task(
                run_campaign(campaign, queues, store, state, lambda event: None, "session-1", QUICK)
            )
            while len(phone.runs) < 3:
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert not state.changed("p1")

    asyncio.run(work())
    assert phone.calls[-1].startswith("restore")
    other = DevicesState(tmp_path)
    assert other.lease("p1") is None
    other.release("p1")
    rest = ScriptedPhone(identity())
    assert go(tmp_path, campaign, artifacts, rest)[0].is_complete
    finished = {path.name for path in (tmp_path / "test").iterdir()}
    assert len(finished) == 7


def test_what_only_a_person_can_mend_is_tried_once_and_keeps_no_phone_from_the_next_run(
    tmp_path: Path, campaign: Campaign, artifacts: list[ArtifactFolder]
) -> None:
    def refuse(request: RunRequest) -> Failed | None:
        raise DeviceError("Failure [INSTALL_FAILED_USER_RESTRICTED]", hint="allow it on the screen", needs_person=True)

    phone, other = ScriptedPhone(identity("p1"), refuse), ScriptedPhone(identity("p2"))
    summary, _ = go(tmp_path, campaign, artifacts, phone, other)
    assert len(phone.runs) == 1
    assert "allow it on the screen" in summary.stopped["p1"]
    assert "somebody has to look at it" in summary.stopped["p1"]
    assert "p2" not in summary.stopped
    phone.script = lambda request: None
    again, _ = go(tmp_path, campaign, artifacts, phone, other)
    assert again.is_complete, "there was no quarantine"
