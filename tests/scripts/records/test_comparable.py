"""What makes two runs comparable: the goldens that every language is held to, and what they mean."""

import json

import pytest

from scripts.records import RunRecord, read_record
from scripts.records.comparable import comparison_key
from tests.scripts.records.test_records import GOLDEN, builder

CASES = {case["name"]: case for case in json.loads((GOLDEN / "comparison_keys.json").read_text())}
SAME_CELL = {
    "the record itself",
    "the same network, written by another exporter",
    "another name of the same network",
    "another session of the campaign",
    "another repetition, attempt and place in the queue",
    "other limits at the start",
    "another time, temperature and result",
}


def test_the_goldens_are_what_the_builder_writes() -> None:
    assert list(CASES.values()) == builder.comparison_keys()


@pytest.mark.parametrize("name", CASES)
def test_a_patched_record_has_the_golden_key(name: str) -> None:
    record = json.loads((GOLDEN / "record_completed.json").read_text())
    patched = RunRecord.model_validate_json(json.dumps(builder.merged(record, CASES[name]["patch"])))
    key = comparison_key(patched)
    assert (key and key.as_json()) == CASES[name]["key"]


def test_only_what_changes_a_number_begins_another_cell() -> None:
    key = comparison_key(read_record(GOLDEN / "record_completed.json"))
    assert key is not None
    assert {name for name, case in CASES.items() if case["key"] == key.as_json()} == SAME_CELL


def test_equal_keys_are_equal_text() -> None:
    key = comparison_key(read_record(GOLDEN / "record_completed.json"))
    assert key is not None
    assert json.loads(str(key)) == key.as_json()
    assert str(key) == str(comparison_key(read_record(GOLDEN / "record_completed.json")))


def test_networks_of_one_campaign_share_a_setup_and_campaigns_share_conditions() -> None:
    record = read_record(GOLDEN / "record_completed.json")
    assert record.artifact is not None
    assert record.request.plan is not None
    other = record.model_copy(update={"artifact": record.artifact.model_copy(update={"content_id": "f" * 32})})
    plan = record.request.plan.model_copy(update={"campaign": "nightly-8"})
    later = record.model_copy(update={"request": record.request.model_copy(update={"plan": plan})})
    mine, theirs, after = (comparison_key(each) for each in (record, other, later))
    assert mine
    assert theirs
    assert after
    assert mine.setup == theirs.setup
    assert mine.setup != after.setup
    assert mine.setup.conditions == after.setup.conditions
