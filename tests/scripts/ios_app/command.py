"""The Swift desktop command as `ios_app/ci/test.sh` leaves it, and how a test calls it."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.records import REQUEST_SCHEMA, Protocol, RunRequest
from scripts.records.request import ProbeProtocol

ROOT = Path(__file__).resolve().parents[3]
BINARY = ROOT / "build" / "swift" / "release" / "deepnarrow-harness"
SWIFT_ROOT = Path(os.environ.get("DEEPNARROW_SWIFT_ROOT", ROOT / "build" / "swift-root"))
# A hung process must not hang the tests.
LIMIT_S = 300
SMALL = Protocol(
    num_threads=1, prompt_lengths=(16,), prefill_repetitions=2, contexts=(0, 16), decode_steps=8, warm_up_steps=1,
    probe=ProbeProtocol(buffer_bytes=1 << 20, passes=3),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SwiftHarness:
    """The command and a folder for its requests and runs."""

    program: tuple[str, ...]
    folder: Path

    def request(self, run_id: str = "run-1", protocol: Protocol = SMALL) -> Path:
        """A request as a file."""
        path = self.folder / f"{run_id}.request.json"
        request = RunRequest(schema=REQUEST_SCHEMA, run_id=run_id, protocol=protocol)
        path.write_text(request.model_dump_json(by_alias=True), encoding="utf-8")
        return path

    def words(self, artifact: Path, request: Path, *more: str) -> list[str]:
        """The command line of a run."""
        where = ["--artifact", str(artifact), "--request", str(request), "--out", str(self.folder)]
        return [*self.program, "run", *where, *more]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command with these words."""
        return run([*self.program, *words])


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    """A process to its end, with its output."""
    return subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def swift_program() -> tuple[str, ...]:
    """How the command is started here; empty where it was not built."""
    if not BINARY.is_file():
        return ()
    if shutil.which("swift"):
        return (str(BINARY),)
    libraries = [SWIFT_ROOT / "usr/lib/x86_64-linux-gnu", SWIFT_ROOT / "usr/libexec/swift/lib/swift/linux"]
    loader = SWIFT_ROOT / "lib64/ld-linux-x86-64.so.2"
    # The program was linked in the root; its own loader and libraries run it on an older system.
    return (str(loader), "--library-path", ":".join(map(str, libraries)), str(BINARY)) if loader.is_file() else ()
