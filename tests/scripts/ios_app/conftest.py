"""The Swift desktop command; its tests are skipped where it was not built."""

from pathlib import Path

import pytest

from scripts.testing.swift_command import Configuration, swift_program
from tests.scripts.ios_app.command import SwiftHarness


@pytest.fixture
def swift_harness(tmp_path: Path) -> SwiftHarness:
    """The Swift command; skips where it was not built."""
    program = swift_program(Configuration.DEBUG)
    if not program:
        pytest.skip("the Swift command is not built here: bash ios_app/ci/test.sh needs Swift 6 or a Debian 13 root")
    return SwiftHarness(program, tmp_path)
