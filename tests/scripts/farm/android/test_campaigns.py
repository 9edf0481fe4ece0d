"""Whole campaigns on fake phones, through the real adb and the desktop harness."""

from pathlib import Path

import pytest

from models.pair import Arm
from scripts.farm.android.device import AdbDiscovery
from scripts.farm.campaign import Campaign
from scripts.farm.progress import PlainDisplay
from scripts.farm.session import plan_campaign, run_planned
from scripts.records import (
    Completed,
    Failed,
    FailureKind,
    RunRecord,
    Skipped,
    read_finished_record,
)
from scripts.testing.android.fake_phone import FakePhone
from scripts.testing.android.phone_instrument import Harness
from tests.scripts.farm.android.conftest import NO_WAIT, SMALL, MakePhone, wait_for


def campaign_of(artifacts: Path, apk: Path, phones: list[FakePhone], repetitions: int) -> Campaign:
    return Campaign.model_validate(
        {"name": "phones", "artifacts_folder": artifacts, "pairs": ["tiny"], "targets": ["onnx"],
         "repetitions": repetitions, "protocol": SMALL, "start_limits": NO_WAIT, "devices": [["kind:fake"]],
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
    failures = [each.outcome.failure for each in records if isinstance(each.outcome, Failed)]
    assert failures == [FailureKind.DEVICE, FailureKind.DEVICE]
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
