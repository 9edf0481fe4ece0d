"""JSON Schemas of what the exporters write, generated from the models: `python -m export.schema [--check]`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from export.manifest import Index, Manifest
from export.proof.reference import Reference

FOLDER = Path(__file__).parent / "schemas"
SCHEMAS: Mapping[str, TypeAdapter[Any]] = {
    "manifest-1.json": TypeAdapter(Manifest),
    "reference-1.json": TypeAdapter(Reference),
    "index-1.json": TypeAdapter(Index),
}


def render(name: str, adapter: TypeAdapter[Any]) -> str:
    """The schema file `name` as it should be."""
    schema = adapter.json_schema(by_alias=True, mode="serialization")
    dialect = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:deepnarrow:{name.removesuffix('.json')}",
    }
    return json.dumps({**dialect, **schema}, indent=1, ensure_ascii=False) + "\n"


def drifted(folder: Path, schemas: Mapping[str, TypeAdapter[Any]]) -> list[str]:
    """Names of schema files in `folder` that are not what the models say."""
    return [
        name for name, adapter in schemas.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != render(name, adapter)
    ]  # fmt: skip


def update(folder: Path, schemas: Mapping[str, TypeAdapter[Any]], arguments: list[str]) -> int:
    """Write the schemas, or with `--check` tell which are out of date; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(f"error: {' '.join(arguments)}: not --check, and nothing else is known", file=sys.stderr)
        return 2
    if arguments:
        stale = drifted(folder, schemas)
        if stale:
            print(f"out of date: {', '.join(stale)}; run `make schemas`", file=sys.stderr)
        return 1 if stale else 0
    folder.mkdir(exist_ok=True)
    for name, adapter in schemas.items():
        (folder / name).write_text(render(name, adapter), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(update(FOLDER, SCHEMAS, sys.argv[1:]))
