"""Which edits make another harness: code around the timed call does, a comment or a writer does not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.host import identity

Build = Callable[[], str]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """The harness's build, of a copy of the sources that a test may edit."""
    for folder in ("scripts/host", "export/targets"):
        shutil.copytree(identity._ROOT / folder, tmp_path / folder)
    monkeypatch.setattr(identity, "_ROOT", tmp_path)
    return identity.harness_build.__wrapped__


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_comments_docstrings_and_writers_are_no_other_harness(build: Build, tmp_path: Path) -> None:
    before = build()
    edit(tmp_path / "scripts/host/measure.py", '"""The stages', '"""All the stages')
    with (tmp_path / "scripts/host/run.py").open("a") as file:
        file.write("# a comment\n")
    with (tmp_path / "export/targets/onnx/graph.py").open("a") as file:
        file.write("ANOTHER = 1\n")
    assert build() == before


@pytest.mark.parametrize("place", ["scripts/host/measure.py", "export/targets/onnx/runtime.py"])
def test_code_around_the_timed_call_is_another_harness(build: Build, tmp_path: Path, place: str) -> None:
    before = build()
    with (tmp_path / place).open("a") as file:
        file.write("ANOTHER = 1\n")
    assert build() != before
