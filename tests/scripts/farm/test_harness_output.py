"""What a harness may write that is no answer: endless lines, half a record."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from export.manifest import MANIFEST_FILE, read_manifest, sha256
from scripts.farm import host_device
from scripts.farm.device import DiscoveryOptions, Progress
from scripts.farm.host_device import HostDevice
from scripts.farm.lines import MAX_LINE_BYTES, read_line
from scripts.farm.outcomes import NO_EVIDENCE, empty_record, record_left
from scripts.records import (
    Failed,
    FailureKind,
    Protocol,
    Running,
    RunRecord,
    RunRequest,
    Stage,
    artifact_facts,
    write_record,
)
from tests.scripts.farm.doubles import FACTS, SMALL

REQUEST = RunRequest(run_id="r1", protocol=Protocol.model_validate(SMALL))
CRASHED = Failed(stage=Stage.ENVIRONMENT, failure=FailureKind.CRASHED, message="exit code 9")


@pytest.mark.parametrize("size", [0, 10, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 1 << 20])
def test_lines_of_any_length_are_read(size: int) -> None:
    async def read() -> list[bytes]:
        stream = asyncio.StreamReader(limit=64 << 10)
        stream.feed_data(b"first\n" + b"x" * size + b"\nlast")
        stream.feed_eof()
        return [line async for line in _lines(stream)]

    first, long, last = asyncio.run(read())
    assert (first, last) == (b"first\n", b"last")
    assert long.startswith(b"x" * min(size, MAX_LINE_BYTES))
    assert len(long) == min(size + 1, MAX_LINE_BYTES)


async def _lines(stream: asyncio.StreamReader) -> AsyncGenerator[bytes]:
    while line := await read_line(stream):
        yield line


CHATTERBOX = """
import sys
print("x" * (1 << 20))
print('{"stage": "load", "done": 1, "total": 1}', flush=True)
out, = [sys.argv[i + 1] for i, word in enumerate(sys.argv) if word == "--out"]
import pathlib
folder = pathlib.Path(out) / "r1"
folder.mkdir(parents=True)
(folder / "record.json").write_text('{"schema": "half')
sys.exit(9)
"""


def test_a_chatty_harness_that_leaves_half_a_record_is_a_crash(
    tiny_artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "scripts" / "host"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(CHATTERBOX)
    monkeypatch.setattr(host_device, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    folder = next(path.parent for path in sorted(tiny_artifacts.rglob(MANIFEST_FILE)))
    seen: list[Progress] = []
    record = asyncio.run(HostDevice(DiscoveryOptions()).run(REQUEST, str(folder), seen.append, 60.0))
    assert seen == [Progress(Stage.LOAD, 1, 1)]
    assert isinstance(record.outcome, Failed)
    assert record.outcome.failure is FailureKind.CRASHED
    assert "cannot be read" in record.outcome.message
    assert record.evidence is not None
    assert record.evidence.exit_info == "exit code 9"
    assert record.artifact == artifact_facts(read_manifest(folder), sha256(folder / MANIFEST_FILE))


def test_a_record_that_can_be_read_says_how_far_it_got(tmp_path: Path, golden: RunRecord) -> None:
    empty = empty_record(REQUEST, CRASHED, FACTS, None)
    assert record_left(tmp_path / "record.json", empty, NO_EVIDENCE).outcome == CRASHED
    write_record(golden.model_copy(update={"outcome": Running(stage=Stage.DECODE)}), tmp_path)
    told = record_left(tmp_path / "record.json", empty, NO_EVIDENCE)
    assert told.outcome == CRASHED.model_copy(update={"stage": Stage.DECODE})
    assert told.decode == golden.decode
