"""Runs inside one file that can be sent to somebody: an HTML page with the records of its numbers in it.

The page holds one element of `SHARED_TYPE`, which browsers neither run nor show. Its text is base64 of a gzip of a JSON
object: the schema, and for each run its place below the results folder and the very text of its files, so that the hash
in `done.json` still holds.
"""

import base64
import binascii
import gzip
import io
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.errors import UserError
from scripts.records.files import DONE_FILE, RECORD_FILE

SHARED_TYPE = "application/x-deepnarrow-records"
SHARED_SCHEMA = "deepnarrow/shared-runs/1"
# Of the file, and of what comes out of it: a foreign file must not fill memory or disk.
MAX_FILE_BYTES, MAX_UNPACKED_BYTES = 1 << 28, 1 << 31
_OPEN = f'<script type="{SHARED_TYPE}">'
_ELEMENT = re.compile(re.escape(_OPEN.encode()) + rb"\s*([A-Za-z0-9+/=]+)\s*</script>")
_PLACE = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$"


class SharedRun(BaseModel):
    """One run.

    Attributes:
        place: its folder below the results folder.
        record: text of `record.json`.
        done: text of `done.json`; None where its process died.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    place: str = Field(pattern=_PLACE, max_length=500)
    record: str
    done: str | None


class SharedRuns(BaseModel):
    """Schema `deepnarrow/shared-runs/1`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    schema_: Literal["deepnarrow/shared-runs/1"] = Field(SHARED_SCHEMA, alias="schema")
    runs: tuple[SharedRun, ...]


def shared_element(root: Path) -> str:
    """The element with every run below the folder `root`, readable or not.

    Raises:
        UserError: a run's folder has a name that could not be unpacked elsewhere.
    """
    try:
        runs = tuple(_packed(path.parent, root) for path in sorted(root.rglob(RECORD_FILE)) if not _is_hidden(path))
        text = SharedRuns(schema=SHARED_SCHEMA, runs=runs).model_dump_json(by_alias=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{root}: {first['input']}: {first['msg']}; names are of letters, digits and . _ -") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{root}: a record is no text: {error}") from error
    return f"{_OPEN}{base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()}</script>"


@contextmanager
def unpacked(path: Path) -> Generator[Path, None, None]:
    """A results folder with the runs of a shared file, gone afterwards.

    Raises:
        UserError: the file is too large, or holds no runs that can be read.
    """
    runs = _read(path)
    with tempfile.TemporaryDirectory(prefix="deepnarrow-shared-") as folder:
        for run in runs.runs:
            place = Path(folder) / run.place
            place.mkdir(parents=True, exist_ok=True)
            (place / RECORD_FILE).write_text(run.record, encoding="utf-8")
            if run.done is not None:
                (place / DONE_FILE).write_text(run.done, encoding="utf-8")
        yield Path(folder)


def _packed(folder: Path, root: Path) -> SharedRun:
    done = folder / DONE_FILE
    return SharedRun(
        place=(folder.relative_to(root) if folder != root else Path(folder.name)).as_posix(),
        record=(folder / RECORD_FILE).read_bytes().decode(),
        done=done.read_bytes().decode() if done.is_file() else None,
    )


def _is_hidden(record: Path) -> bool:
    return record.parent.name.startswith(".")


def _read(path: Path) -> SharedRuns:
    if (size := path.stat().st_size) > MAX_FILE_BYTES:
        raise UserError(f"{path}: {size} bytes; at most {MAX_FILE_BYTES} are read")
    found = _ELEMENT.search(path.read_bytes())
    if found is None:
        raise UserError(
            f"{path}: no records in it; give a folder of records, such as results/, or a file that "
            "`python -m scripts.report share` wrote"
        )
    try:
        packed = base64.b64decode(found.group(1), validate=True)
        with gzip.open(io.BytesIO(packed)) as stream:
            text = stream.read(MAX_UNPACKED_BYTES + 1)
        if len(text) > MAX_UNPACKED_BYTES:
            raise UserError(f"{path}: its records are larger than {MAX_UNPACKED_BYTES} bytes")
        return SharedRuns.model_validate_json(text)
    except (binascii.Error, EOFError, OSError, ValidationError) as error:
        raise UserError(f"{path}: its records are damaged: {str(error).splitlines()[0]}") from error
