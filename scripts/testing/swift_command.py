"""How the Swift desktop command is started on this machine, for tests and comparisons."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "build" / "swift" / "release" / "deepnarrow-harness"


def swift_program() -> tuple[str, ...]:
    """The first words of a call; empty where `ios_app/ci/test.sh` has not built the command."""
    if not BINARY.is_file():
        return ()
    if shutil.which("swift"):
        return (str(BINARY),)
    swift_root = Path(os.environ.get("DEEPNARROW_SWIFT_ROOT", ROOT / "build" / "swift-root"))
    libraries = [swift_root / "usr/lib/x86_64-linux-gnu", swift_root / "usr/libexec/swift/lib/swift/linux"]
    loader = swift_root / "lib64/ld-linux-x86-64.so.2"
    # The program was linked in the root; its own loader and libraries run it on an older system.
    return (str(loader), "--library-path", ":".join(map(str, libraries)), str(BINARY)) if loader.is_file() else ()
