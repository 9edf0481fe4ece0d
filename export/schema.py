"""JSON Schemas of what the exporters write, generated from the models: `python -m export.schema [--check]`."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from export.manifest import Index, Manifest
from export.reference import Reference

FOLDER = Path(__file__).parent / "schemas"
SCHEMAS: dict[str, TypeAdapter[Any]] = {
    "manifest-1.json": TypeAdapter(Manifest),
    "reference-1.json": TypeAdapter(Reference),
    "index-1.json": TypeAdapter(Index),
}


def render(name: str) -> str:
    """The schema file `name` as it should be."""
    schema = SCHEMAS[name].json_schema(by_alias=True, mode="serialization")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"deepnarrow/{name}"}
    return json.dumps({**dialect, **schema}, indent=1, ensure_ascii=False) + "\n"


def drifted() -> list[str]:
    """Names of schema files that are not what the models say."""
    return [
        name for name in SCHEMAS
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text(encoding="utf-8") != render(name)
    ]  # fmt: skip


def main() -> int:
    """Write the schemas, or with `--check` tell which are out of date."""
    if "--check" in sys.argv[1:]:
        stale = drifted()
        if stale:
            print(f"out of date: {', '.join(stale)}; run `make schemas`", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in SCHEMAS:
        (FOLDER / name).write_text(render(name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
