"""The plan: interleaving, order, identity of repeats, and what is left of it."""

import random
import shutil
from pathlib import Path

import pytest

from export.quantization import Scheme
from export.targets.base import TargetName
from models.errors import UserError
from models.pair import Arm
from scripts.farm.campaign import Campaign, Order
from scripts.farm.plan import (
    ArtifactFolder,
    Slot,
    interleave,
    plan_device,
    planned_artifacts,
    remaining,
    runs_on,
    targets_on,
)
from scripts.records import DeviceKind
from tests.scripts.farm.doubles import identity


def arms(slots: list[Slot]) -> list[Arm | None]:
    return [slot.artifact.manifest.arm for slot in slots if not slot.position.canary]


def test_arms_go_a_b_b_a(campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    slots = plan_device(campaign.model_copy(update={"repetitions": 6}), artifacts, identity())
    sequence = arms(slots)
    first, second = sequence[:2]
    assert first != second
    assert sequence == [first, second, second, first] * 3
    assert [slot.position.order for slot in slots] == list(range(13))
    assert slots[0].position.canary
    assert slots[0].artifact.manifest.model_bytes == min(each.manifest.model_bytes for each in artifacts)
    assert {slot.position.block for slot in slots[1:5]} == {"tiny/onnx-int4#0"}


def test_a_linear_drift_cancels_in_every_block(artifacts: list[ArtifactFolder]) -> None:
    rows = list(interleave(artifacts, 4, random.Random(3)))
    for block in (rows[:4], rows[4:]):
        places = {arm: [i for i, row in enumerate(block) if row[0].manifest.arm is arm] for arm in Arm}
        assert sum(places[Arm.DEEP]) == sum(places[Arm.WIDE])


def test_in_rounds_every_repetition_visits_all_groups(campaign: Campaign) -> None:
    wide = campaign.model_copy(update={"targets": (), "order": Order.ROUNDS, "repetitions": 4})
    slots = plan_device(wide, planned_artifacts(wide), identity())[1:]
    rounds = [slots[start : start + 4] for start in range(0, 16, 4)]
    assert all(len({slot.artifact.folder for slot in each}) == 4 for each in rounds)
    groups = [[slot.artifact.group for slot in each] for each in rounds]
    assert groups == [groups[0]] * 4
    first = arms(rounds[0])
    assert arms(rounds[1]) == [first[1], first[0], first[3], first[2]]
    assert arms(rounds[2]) == first


def test_the_same_input_gives_the_same_plan(campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    one, other = (
        plan_device(campaign, list(reversed(artifacts)) if turn else artifacts, identity()) for turn in (0, 1)
    )
    assert {slot.slot_id for slot in one} == {slot.slot_id for slot in other}
    again = plan_device(campaign, planned_artifacts(campaign), identity())
    assert [slot.slot_id for slot in one] == [slot.slot_id for slot in again]


def test_seeds_draw_who_is_first(campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    plans = (plan_device(campaign.model_copy(update={"seed": seed}), artifacts, identity()) for seed in range(12))
    assert {arms(slots)[0] for slots in plans} == set(Arm)


def test_another_os_build_or_device_begins_new_cells(campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    ids = [
        {slot.slot_id for slot in plan_device(campaign, artifacts, who)}
        for who in (identity(), identity(os_build="build-2"), identity("p2"))
    ]
    assert not ids[0] & ids[1]
    assert not ids[0] & ids[2]
    assert all(len(each) == 7 for each in ids)


def test_the_plan_minus_the_store(campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    slots = plan_device(campaign, artifacts, identity())
    assert remaining(slots, {slots[0].slot_id, slots[3].slot_id}) == [*slots[1:3], *slots[4:]]


def test_what_runs_where(campaign: Campaign, artifacts: list[ArtifactFolder]) -> None:
    phone = identity()
    fake = type(phone)(device_id="f", facts=phone.facts.model_copy(update={"kind": DeviceKind.FAKE}))
    apple = type(phone)(device_id="i", facts=phone.facts.model_copy(update={"os": "ios"}))
    fake_apple = type(phone)(device_id="j", facts=fake.facts.model_copy(update={"os": "ios"}))
    both = planned_artifacts(campaign.model_copy(update={"targets": ()}))
    assert sum(runs_on(each.manifest, phone) for each in both) == 4
    assert sum(runs_on(each.manifest, fake) for each in both) == 2
    assert sum(runs_on(each.manifest, apple) for each in both) == 4
    assert sum(runs_on(each.manifest, fake_apple) for each in both) == 2
    assert targets_on(apple) == (TargetName.COREML, TargetName.EXECUTORCH, TargetName.ONNX)
    assert targets_on(phone) == (TargetName.EXECUTORCH, TargetName.ONNX)
    assert targets_on(fake) == targets_on(fake_apple) == (TargetName.ONNX,)
    assert len(plan_device(campaign, artifacts, fake_apple)) == 7


def test_an_unknown_pair_names_what_is_there(campaign: Campaign) -> None:
    with pytest.raises(UserError, match=r"pair nope.*pairs there: tiny.*--pair nope"):
        planned_artifacts(campaign.model_copy(update={"pairs": ("nope",)}))


def test_a_scheme_without_artifacts_is_refused_not_left_out(campaign: Campaign) -> None:
    asked = campaign.model_copy(update={"schemes": (Scheme.INT4, Scheme.FP32)})
    with pytest.raises(UserError, match=r"pair tiny: \S+ has no artifact for onnx fp32 in .*--pair tiny .*scheme fp32"):
        planned_artifacts(asked)


def test_what_is_not_named_is_what_is_there(campaign: Campaign, tiny_artifacts: Path, tmp_path: Path) -> None:
    """One scheme through two runtimes, another through one."""
    everything = campaign.model_copy(update={"targets": (), "artifacts_folder": tmp_path})
    shutil.copytree(tiny_artifacts / "tiny", tmp_path / "tiny")
    for manifest in tmp_path.glob("tiny/*/executorch-int4/manifest.json"):
        manifest.write_text(manifest.read_text().replace('"scheme": "int4"', '"scheme": "int8"'))
    assert len(planned_artifacts(everything)) == 4
    assert len(planned_artifacts(everything.model_copy(update={"schemes": (Scheme.INT4, Scheme.INT8)}))) == 4


def test_a_missing_arm_is_named(campaign: Campaign, tiny_artifacts: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_artifacts / "tiny" / "deep-8x64", tmp_path / "tiny" / "deep-8x64")
    with pytest.raises(UserError, match=r"pair tiny: wide has no artifact for onnx"):
        planned_artifacts(campaign.model_copy(update={"artifacts_folder": tmp_path}))


def test_half_a_sweep_is_refused(campaign: Campaign, tiny_artifacts: Path, tmp_path: Path) -> None:
    one = shutil.copytree(tiny_artifacts / "tiny" / "deep-8x64", tmp_path / "sweep" / "20x512")
    for manifest in one.glob("*/manifest.json"):
        text = manifest.read_text().replace('"pair": "tiny"', '"pair": "sweep"').replace('"arm": "deep"', '"arm": null')
        manifest.write_text(text.replace('"shape_name": "deep-8x64"', '"shape_name": "20x512"'))
    with pytest.raises(UserError, match=r"pair sweep: \S+ has no artifact for onnx in .*python -m export sweep"):
        planned_artifacts(campaign.model_copy(update={"artifacts_folder": tmp_path, "pairs": ("sweep",)}))


def test_an_artifact_with_a_link_that_leads_out_is_refused(campaign: Campaign, tmp_path: Path) -> None:
    copy = tmp_path / "artifacts"
    shutil.copytree(campaign.artifacts_folder, copy)
    secret = tmp_path / "secret"
    secret.write_text("not for the phone")
    folder = next(path.parent for path in copy.rglob("model.onnx"))
    (folder / "notes").symlink_to(secret)
    with pytest.raises(UserError, match="leads out of the artifact's folder"):
        planned_artifacts(campaign.model_copy(update={"artifacts_folder": copy}))
