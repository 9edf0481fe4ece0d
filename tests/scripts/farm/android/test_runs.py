"""Runs on fake phones: the real adb, the desktop harness, real ONNX inference; and everything that can go wrong."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from export.manifest import Manifest
from scripts.farm.android.device import AdbDevice
from scripts.farm.android.push import push
from scripts.farm.android.run import AdbRun
from scripts.farm.device import DeviceError, Progress
from scripts.records import (
    Completed,
    DeviceKind,
    Failed,
    FailureKind,
    RunRecord,
    RunRequest,
    Stage,
)
from scripts.testing.android.fake_phone import FakePhone
from scripts.testing.android.phone_instrument import Harness
from scripts.testing.android.phone_state import MEDIA_DIR
from tests.scripts.farm.android.conftest import Connected, MakePhone, request, wait_for

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
        pushed = await device.push(*artifact)
        return await device.run(asked or request(), pushed, seen.append, deadline_s), seen

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
    assert record.artifact.content_id == artifact[1].content_id
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
        pushed = await device.push(*artifact)
        asked = request(run_id, sustained_s=15)
        return await device.run(asked, pushed, another_app_dies, DEADLINE_S)

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
        pushed = await push(link, *artifact)
        attempt = AdbRun(link, MEDIA_DIR, device.identity.facts, request(), pushed, silence_s=5)
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
        pushed = await device.push(*artifact)
        return await device.run(request(), pushed, break_once, DEADLINE_S)

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
        pushed = await device.push(*artifact)
        begun = asyncio.Event()
        task = asyncio.create_task(device.run(request(), pushed, lambda progress: begun.set(), DEADLINE_S))
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
