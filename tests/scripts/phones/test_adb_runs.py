"""Runs on fake phones: the real adb, the desktop harness, real ONNX inference; and everything that can go wrong."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from export.manifest import Manifest
from models.pair import Arm
from scripts.farm.adb import AdbDevice, AdbDiscovery
from scripts.farm.adb_run import AdbRun
from scripts.farm.adb_staging import stage
from scripts.farm.campaign import Campaign
from scripts.farm.device import DeviceError, Progress
from scripts.farm.progress import PlainDisplay
from scripts.farm.session import plan_campaign, run_planned
from scripts.records import (
    Completed,
    DeviceKind,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Skipped,
    Stage,
    read_finished_record,
)
from scripts.testing.fake_phone import FakePhone
from scripts.testing.phone_instrument import Harness
from scripts.testing.phone_state import MEDIA_DIR
from tests.scripts.phones.conftest import NO_WAIT, SMALL, Connected, MakePhone, request, wait_for

Artifact = tuple[Path, Manifest]
Start = Callable[..., tuple[FakePhone, AdbDevice]]
DEADLINE_S = 120.0
# A phase that is long enough for a fault to hit it on any machine.
LONG = request(sustained_s=15)


@pytest.fixture
def start(make_phone: MakePhone, connected: Connected, harness: Harness) -> Start:
    """A phone that can run, and the farm's device for it."""

    def begin(*faults: str) -> tuple[FakePhone, AdbDevice]:
        phone = make_phone(*faults, harness=harness)
        return phone, connected(phone)

    return begin


def run(
    device: AdbDevice, artifact: Artifact, asked: RunRequest | None = None, deadline_s: float = DEADLINE_S
) -> tuple[RunRecord, list[Progress]]:
    async def both() -> tuple[RunRecord, list[Progress]]:
        seen: list[Progress] = []
        staged = await device.stage(*artifact)
        return await device.run(asked or request(), staged, seen.append, deadline_s), seen

    return wait_for(both())


def failure(record: RunRecord) -> Failed:
    assert isinstance(record.outcome, Failed), record.outcome
    return record.outcome


def left_on(phone: FakePhone) -> list[str]:
    folders = [phone.state.locate(f"{MEDIA_DIR}/{name}") for name in ("runs", "requests")]
    return [child.name for folder in folders for child in folder.iterdir()]


def test_a_run_comes_back_complete_and_leaves_nothing(start: Start, artifact: Artifact) -> None:
    phone, device = start()
    record, seen = run(device, artifact)
    assert isinstance(record.outcome, Completed), record.outcome
    assert record.device.kind is DeviceKind.FAKE
    assert record.device.model == device.identity.facts.model
    assert record.device.os_build == device.identity.facts.os_build
    assert [len(each.forward_ns) for each in record.decode] == [4]
    assert record.self_check is not None
    assert record.self_check.decisive_matches == record.self_check.decisive_steps
    assert record.artifact is not None
    assert record.artifact.job_id == artifact[1].job_id
    assert {Stage.LOAD, Stage.DECODE} <= {each.stage for each in seen}
    assert left_on(phone) == []


def test_a_request_that_the_harness_refuses_is_the_harness_s_word(start: Start, artifact: Artifact) -> None:
    _, device = start()
    record, _ = run(device, artifact, request(num_threads=4096))
    assert failure(record).failure is FailureKind.REQUEST
    assert "4096" in failure(record).message


def test_a_killed_harness_is_a_record_with_evidence(start: Start, artifact: Artifact) -> None:
    phone, device = start("kill-run=sustained")
    record, _ = run(device, artifact, LONG)
    told = failure(record)
    assert told.failure is FailureKind.OUT_OF_MEMORY
    assert told.stage is Stage.SUSTAINED
    assert record.load is not None
    assert record.evidence is not None
    assert "LOW_MEMORY" in (record.evidence.exit_info or "")
    assert "lowmemorykiller" in (record.evidence.crash_log or "")
    assert "Process crashed" in told.message
    assert left_on(phone) == []


def crash_log(record: RunRecord) -> list[str]:
    assert record.evidence is not None
    return (record.evidence.crash_log or "").splitlines()


def test_evidence_is_of_this_run_only(start: Start, artifact: Artifact) -> None:
    phone, device = start("kill-run=sustained")

    def another_app_dies(progress: Progress) -> None:
        if progress.stage is Stage.LOAD:
            phone.state.log_crash(77, "AndroidRuntime", "Process: com.example.game, PID: 77")

    async def both(run_id: str) -> RunRecord:
        staged = await device.stage(*artifact)
        asked = request(run_id, sustained_s=15)
        return await device.run(asked, staged, another_app_dies, DEADLINE_S)

    (first,), (second,) = crash_log(wait_for(both("r1"))), crash_log(wait_for(both("r2")))
    assert len([line for line in phone.state.log if line.pid == 77]) > 1
    assert "lowmemorykiller" in first
    assert "lowmemorykiller" in second
    assert first != second


def test_a_hung_harness_is_killed_at_the_deadline(start: Start, artifact: Artifact) -> None:
    phone, device = start("hang-run=load")
    began = time.monotonic()
    record, _ = run(device, artifact, deadline_s=6)
    assert time.monotonic() - began < 30
    assert failure(record).failure is FailureKind.HUNG
    assert "not done after 6 s" in failure(record).message
    assert phone.state.process is None or phone.state.process.poll() is not None
    assert left_on(phone) == []


def test_silence_is_a_hang_before_the_deadline(start: Start, artifact: Artifact) -> None:
    _, device = start("hang-run=load")

    async def watch() -> RunRecord:
        link = device._link  # pyright: ignore[reportPrivateUsage]
        staged = await stage(link, *artifact)
        attempt = AdbRun(link, MEDIA_DIR, device.identity.facts, request(), staged, silence_s=5)
        return await attempt.run(lambda progress: None, DEADLINE_S)

    assert "no progress for 5 s" in failure(wait_for(watch())).message


def test_a_damaged_record_is_never_believed(start: Start, artifact: Artifact) -> None:
    _, device = start("wrong-hash")
    with pytest.raises(DeviceError, match="damaged record") as told:
        run(device, artifact)
    assert told.value.failure is FailureKind.STORAGE


def test_a_restart_in_a_run_is_the_device_s_fault_and_the_next_attempt_works(start: Start, artifact: Artifact) -> None:
    _, device = start("reboot=sustainedx1")
    with pytest.raises(DeviceError) as told:
        run(device, artifact, LONG)
    assert told.value.failure is FailureKind.DEVICE
    record, _ = run(device, artifact)
    assert isinstance(record.outcome, Completed)


def test_a_link_that_breaks_does_not_end_the_run(start: Start, artifact: Artifact) -> None:
    phone, device = start()
    broken: list[Stage] = []

    def break_once(progress: Progress) -> None:
        if not broken:
            broken.append(progress.stage)
            phone.disconnect(0.5)

    async def both() -> RunRecord:
        staged = await device.stage(*artifact)
        return await device.run(request(), staged, break_once, DEADLINE_S)

    record = wait_for(both())
    assert broken
    assert isinstance(record.outcome, Completed)


def test_a_jump_of_the_wall_clock_changes_no_timing(start: Start, artifact: Artifact) -> None:
    _, device = start("clock-jump=3600")
    record, _ = run(device, artifact)
    assert isinstance(record.outcome, Completed)
    assert record.duration_ns is not None
    assert record.duration_ns < 120e9


def test_a_slow_link_is_only_slow(start: Start, artifact: Artifact) -> None:
    _, device = start("slow-link=1000000")
    assert isinstance(run(device, artifact)[0].outcome, Completed)


def test_what_an_earlier_attempt_left_is_removed_first(start: Start, artifact: Artifact) -> None:
    phone, device = start()
    old = phone.state.locate(f"{MEDIA_DIR}/runs/r1")
    old.mkdir(parents=True)
    (old / "record.json").write_text("{}")
    assert isinstance(run(device, artifact)[0].outcome, Completed)


def test_a_cancelled_run_is_ended_on_the_phone(start: Start, artifact: Artifact) -> None:
    phone, device = start("hang-run=load")

    async def cancel() -> None:
        staged = await device.stage(*artifact)
        begun = asyncio.Event()
        task = asyncio.create_task(device.run(request(), staged, lambda progress: begun.set(), DEADLINE_S))
        await begun.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    wait_for(cancel())
    assert phone.state.process is None or phone.state.process.poll() is not None
    assert left_on(phone) == []


def test_a_package_that_vanished_is_the_device_s_fault(start: Start, artifact: Artifact) -> None:
    phone, device = start()
    phone.state.packages.clear()
    with pytest.raises(DeviceError, match="Unable to find instrumentation"):
        run(device, artifact)


def campaign_of(artifacts: Path, apk: Path, phones: list[FakePhone], repetitions: int) -> Campaign:
    return Campaign.model_validate(
        {"name": "phones", "artifacts_folder": artifacts, "pairs": ["tiny"], "targets": ["onnx"],
         "repetitions": repetitions, "protocol": SMALL, "gates": NO_WAIT, "devices": [["kind:fake"]],
         "discovery": {"adb_connect": [phone.address for phone in phones], "android_apk": apk},
         "run_timeout_s": 60}
    )  # fmt: skip


def execute(campaign: Campaign, results: Path) -> list[RunRecord]:
    """Run a campaign to its end; its records in the order of the plan."""

    async def work() -> None:
        planned = await plan_campaign(campaign, [AdbDiscovery(campaign.discovery_options())])
        await run_planned(campaign, planned, results, PlainDisplay())

    wait_for(work())
    records = [read_finished_record(path.parent) for path in (results / campaign.name).glob("*/done.json")]
    return sorted(records, key=lambda record: (record.request.plan.order, record.request.plan.attempt))  # type: ignore[union-attr]


def of_device(records: list[RunRecord], device_id: str) -> list[RunRecord]:
    return [each for each in records if each.request.plan and each.request.plan.device_id == device_id]


def is_canary(record: RunRecord) -> bool:
    return record.request.plan is not None and record.request.plan.canary


def test_two_phones_run_a_campaign_in_the_order_a_b_b_a(
    make_phone: MakePhone, harness: Harness, tiny_artifacts: Path, apk: Path, tmp_path: Path
) -> None:
    phones = [make_phone(harness=harness), make_phone(harness=harness)]
    campaign = campaign_of(tiny_artifacts, apk, phones, repetitions=2)
    records = execute(campaign, tmp_path / "results")
    assert len(records) == 2 * 5
    assert all(isinstance(each.outcome, Completed) for each in records), [each.outcome for each in records]
    for phone in phones:
        canary, *runs = of_device(records, phone.state.serial)
        assert is_canary(canary)
        arms = [each.artifact.arm for each in runs if each.artifact]
        assert arms in ([Arm.DEEP, Arm.WIDE, Arm.WIDE, Arm.DEEP], [Arm.WIDE, Arm.DEEP, Arm.DEEP, Arm.WIDE])
        assert [each.started_utc for each in runs] == sorted(each.started_utc for each in runs)
        assert not phone.state.fixed_performance
        assert phone.state.settings.get(("global", "window_animation_scale")) != "0"


@pytest.mark.slow
def test_a_campaign_survives_a_drop_and_a_restart(
    make_phone: MakePhone, harness: Harness, tiny_artifacts: Path, apk: Path, tmp_path: Path
) -> None:
    phone = make_phone("drop-push=20000x1", "reboot=decodex1", harness=harness)
    records = execute(campaign_of(tiny_artifacts, apk, [phone], repetitions=1), tmp_path / "results")
    failed = [each for each in records if isinstance(each.outcome, Failed)]
    assert [failure(each).failure for each in failed] == [FailureKind.DEVICE, FailureKind.DEVICE]
    completed = [
        each.request.plan.order for each in records if isinstance(each.outcome, Completed) and each.request.plan
    ]
    assert completed == [0, 1, 2]


@pytest.mark.slow
def test_a_phone_that_never_cools_down_is_skipped_as_hot(
    make_phone: MakePhone, harness: Harness, tiny_artifacts: Path, apk: Path, tmp_path: Path
) -> None:
    phone = make_phone("hot=47", harness=harness)
    records = execute(campaign_of(tiny_artifacts, apk, [phone], repetitions=1), tmp_path / "results")
    assert records
    assert all(isinstance(each.outcome, Skipped) and "47" in each.outcome.message for each in records)
