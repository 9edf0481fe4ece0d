"""The unmodified program `ios` of the npm package `go-ios`, as far as this machine can get it."""

import platform
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.limits import HUNG_S

VERSION = "1.2.0"
PROGRAMS = {"x86_64": "amd64", "aarch64": "arm64"}


def npm_go_ios(folder: Path) -> str:
    """The program's path, fetched into a folder; skips the test that asks where npm or its registry is missing."""
    if sys.platform != "linux" or platform.machine() not in PROGRAMS:
        pytest.skip("the package has programs for Linux on two processors that were looked at")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, and go-ios' own program comes from it")
    options = ["--no-audit", "--no-fund", "--ignore-scripts", f"go-ios@{VERSION}"]
    command = [npm, "install", "--prefix", str(folder), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot fetch go-ios: {done.stderr.strip().splitlines()[-1:]}")
    name = f"go-ios-linux-{PROGRAMS[platform.machine()]}_linux_{PROGRAMS[platform.machine()]}"
    program = folder / "node_modules" / "go-ios" / "dist" / name / "ios"
    program.chmod(stat.S_IRWXU)
    return str(program)
