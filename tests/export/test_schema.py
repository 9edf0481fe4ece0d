"""The committed JSON Schemas are what the models say."""

import json
from collections.abc import Iterator
from typing import Any

from export.schema import FOLDER, SCHEMAS, drifted, render


def objects(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, schema) of every object with named properties, wherever it stands in a schema."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield place, schema
        for key, value in schema.items():
            yield from objects(value, f"{place}/{key}")
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value, place)


def open_objects(text: str) -> list[str]:
    """Where a schema lets unknown keys pass."""
    found = list(objects(json.loads(text)))
    assert found, "a schema without an object says nothing"
    return [place for place, schema in found if schema.get("additionalProperties") is not False]


def test_schemas_are_up_to_date() -> None:
    assert drifted(FOLDER, SCHEMAS) == []


def test_schemas_refuse_unknown_keys_everywhere() -> None:
    for name, adapter in SCHEMAS.items():
        assert open_objects(render(name, adapter)) == [], name


def test_one_open_object_is_seen() -> None:
    inner = {"properties": {"a": {}}}
    assert open_objects(json.dumps({"$defs": {"x": inner}, "additionalProperties": False, "properties": {}})) == [
        "/$defs/x"
    ]
