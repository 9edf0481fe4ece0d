"""The Swift desktop command as `ios_app/ci/test.sh` leaves it, and how a test calls it."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.records import REQUEST_SCHEMA, Protocol, RunRequest
from scripts.records.request import ProbeProtocol

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
