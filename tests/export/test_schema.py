"""The committed JSON Schemas are what the models say."""

from export.schema import SCHEMAS, drifted, render


def test_schemas_are_up_to_date() -> None:
    assert drifted() == []


def test_schemas_refuse_unknown_keys() -> None:
    for name in SCHEMAS:
        assert '"additionalProperties": false' in render(name)
