"""JSON Schemas of requests and records, generated from the models: `python -m scripts.records.schema [--check]`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from export.schema import update
from scripts.records import Done, RunRecord, RunRequest
from scripts.records.foreign import ForeignTiming

FOLDER = Path(__file__).parent / "schemas"
SCHEMAS: Mapping[str, TypeAdapter[Any]] = {
    "run-request-1.json": TypeAdapter(RunRequest),
    "run-record-1.json": TypeAdapter(RunRecord),
    "done-1.json": TypeAdapter(Done),
    "foreign-timing-1.json": TypeAdapter(ForeignTiming),
}

if __name__ == "__main__":
    sys.exit(update(FOLDER, SCHEMAS, sys.argv[1:]))
