"""Tiny artifacts, exported once per session through the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both arms of the pair `tiny` at int4, for ONNX and ExecuTorch; those in DEEPNARROW_ARTIFACTS, if it is set."""
    if made := os.environ.get("DEEPNARROW_ARTIFACTS"):
        return Path(made)
    folder = tmp_path_factory.mktemp("artifacts")
    subprocess.run(
        [sys.executable, "-m", "export", "all", "--pair", "tiny", "--scheme", "int4", "--target", "onnx,executorch",
         "--out", str(folder)],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder
