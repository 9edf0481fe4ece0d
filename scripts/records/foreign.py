"""Timings of other programs, kept beside our records and never pooled with them.

They are no `RunRecord`: another program has no manifest, self-check, probe or protocol of ours, so most of a record
would have to be invented. One file is one process of the other program, `RESULTS/NAME.foreign.json`; it stands in the
results folder itself, since every folder there is a campaign.
"""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, JsonValue, TypeAdapter, model_validator

from export.files import read_json, write_json
from models.errors import UserError
from scripts.records.request import WireModel

FOREIGN_SCHEMA = "deepnarrow/foreign-timing/1"
MAX_FOREIGN_BYTES = 16 << 20
_ENDING = ".foreign.json"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


class Program(StrEnum):
    """Programs whose output can be imported."""

    LLAMA_BENCH = "llama-bench"  # of llama.cpp


class ForeignTest(WireModel):
    """One test of a process: the same work, repeated.

    Attributes:
        model_file: as the program was given it.
        model_type: the program's own description of architecture and format.
        backends: as the program names them.
        prompt_tokens: processed in batches; 0 for none.
        generated_tokens: one at a time; 0 for none.
        context: positions in the cache before the test.
        started_utc: ISO 8601, by the program.
        sample_ns: one for each repetition, of all its tokens together.
        settings: all else the program said of the test, by its own names.
    """

    model_file: str
    model_type: str
    model_bytes: Annotated[int, Field(ge=0)]
    num_params: Annotated[int, Field(ge=0)]
    backends: str
    num_threads: Annotated[int, Field(ge=1)]
    prompt_tokens: Annotated[int, Field(ge=0)]
    generated_tokens: Annotated[int, Field(ge=0)]
    context: Annotated[int, Field(ge=0)]
    started_utc: Annotated[str, Field(min_length=1)]
    sample_ns: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    settings: dict[str, JsonValue]

    @model_validator(mode="after")
    def _has_tokens(self) -> "ForeignTest":
        if self.num_tokens == 0:
            raise ValueError("a test of no tokens: prompt and generated tokens are both 0")
        return self

    @property
    def num_tokens(self) -> int:
        """Of one repetition."""
        return self.prompt_tokens + self.generated_tokens


class ForeignTiming(WireModel):
    """Schema `deepnarrow/foreign-timing/1`: what one process of another program measured.

    Attributes:
        build: of the program.
        source_sha256: of the file that was imported.
        device: what the person who imported it calls the device; None if not said. The program does not know.
        cpu: as the program names it; may be empty.
        gpu: likewise.
    """

    schema_: Literal["deepnarrow/foreign-timing/1"] = Field(FOREIGN_SCHEMA, alias="schema")
    program: Program
    build: str
    source_sha256: str
    device: Annotated[str, Field(min_length=1, max_length=200)] | None
    cpu: str
    gpu: str
    tests: Annotated[tuple[ForeignTest, ...], Field(min_length=1)]


def write_foreign(timing: ForeignTiming, results: Path, name: str) -> Path:
    """Keep a timing in a results folder, which is made if its parent exists.

    Returns:
        the new file.

    Raises:
        UserError: the name is not one for a file, or the folder holds the same name or the same process already.
    """
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r}: a name is of letters, digits and . _ -, at most 100; rename the file")
    path = results / f"{name}{_ENDING}"
    if path.exists():
        raise UserError(f"{path} exists; rename the file that is imported, or remove this one")
    for other, known in read_foreign(results, []):
        if known.source_sha256 == timing.source_sha256:
            raise UserError(f"{other} holds this file already; a process counts once")
    results.mkdir(exist_ok=True)
    write_json(timing, path)
    return path


def read_foreign(results: Path, problems: list[str]) -> list[tuple[Path, ForeignTiming]]:
    """Timings in a results folder, by name; a damaged file adds a line to `problems`. None in a shared file."""
    found: list[tuple[Path, ForeignTiming]] = []
    for path in sorted(results.glob(f"*{_ENDING}")) if results.is_dir() else ():
        try:
            found.append((path, read_json(TypeAdapter(ForeignTiming), path, MAX_FOREIGN_BYTES)))
        except UserError as error:
            problems.append(f"skipped: {error}")
    return found
