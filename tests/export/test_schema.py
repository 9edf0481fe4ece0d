"""The committed JSON Schemas are what the models say."""

from export.schema import FOLDER, SCHEMAS, drifted, render


def test_schemas_are_up_to_date() -> None:
    assert drifted(FOLDER, SCHEMAS) == []


def test_schemas_refuse_unknown_keys() -> None:
    for name, adapter in SCHEMAS.items():
        assert '"additionalProperties": false' in render(name, adapter)
