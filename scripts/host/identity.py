"""Which program this is."""

import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

from scripts.records import HarnessInfo

HARNESS_NAME = "deepnarrow-host"
_ROOT = Path(__file__).resolve().parents[2]
# Whatever decides how a run is measured: the harness, the records, and the code that opens artifacts.
_SOURCES = ("scripts/host", "scripts/records", "export/targets/executorch", "export/targets/onnx")


@functools.cache
def harness_build() -> str:
    """Hash of the harness's sources: runs of different builds are not compared."""
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).glob("*.py")):
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def harness_info() -> HarnessInfo:
    """As it stands in a record."""
    return HarnessInfo(name=HARNESS_NAME, version=version("deepnarrow"), build=harness_build(), debug=False)
