"""How the Swift desktop command is started on this machine, for tests and comparisons."""

import os
import shutil
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Configuration(StrEnum):
    """How the command was compiled: `ios_app/ci/test.sh` leaves a debug build; its hot loops are optimised."""

    DEBUG = "debug"
    RELEASE = "release"


def swift_program(configuration: Configuration) -> tuple[str, ...]:
    """The first words of a call; empty where the command is not built so."""
    binary = ROOT / "build" / "swift" / configuration / "deepnarrow-harness"
    if not binary.is_file():
        return ()
    if shutil.which("swift"):
        return (str(binary),)
    swift_root = Path(os.environ.get("DEEPNARROW_SWIFT_ROOT", ROOT / "build" / "swift-root"))
    libraries = [swift_root / "usr/lib/x86_64-linux-gnu", swift_root / "usr/libexec/swift/lib/swift/linux"]
    loader = swift_root / "lib64/ld-linux-x86-64.so.2"
    # The program was linked in the root; its own loader and libraries run it on an older system.
    return (str(loader), "--library-path", ":".join(map(str, libraries)), str(binary)) if loader.is_file() else ()
