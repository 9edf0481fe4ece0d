"""The Swift harness beside Python's and the JVM's on the same ONNX artifacts, each in fresh processes.

Every round starts each harness once, in an order that is turned round from one round to the next, with the same
request: 64-token prompt, decode steps at contexts 0 and 512. Prints one table for each artifact and, as the very last
line, one JSON document. From the root of the repository, after `bash ios_app/ci/release.sh` (and, for the JVM, the
package of android_app/core):

    .venv/bin/python ios_app/bench/compare.py --rounds 5 --artifact artifacts/mobilellm-125m/deep-30x576/onnx-int4
"""

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from models.errors import UserError
from scripts.records import REQUEST_SCHEMA, Protocol, RunRecord, RunRequest, read_finished_record
from scripts.testing.swift_command import Configuration, swift_program

ROOT = Path(__file__).resolve().parents[2]
JAR = ROOT / "android_app" / "core" / "target" / "deepnarrow-harness.jar"
SWIFT, PYTHON, JVM = "swift", "python", "jvm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Median and range over the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.least:.3g} to {self.most:.3g})"


def over_rounds(values: list[float]) -> Figure:
    """Median and range of one number."""
    return Figure(median=median(values), least=min(values), most=max(values))


def harnesses(jar: Path) -> dict[str, list[str]]:
    """How each harness is started; the JVM only where its package is.

    Raises:
        UserError: the Swift command is not built.
    """
    swift = swift_program(Configuration.RELEASE)
    if not swift:
        raise UserError("the Swift command is not built; run bash ios_app/ci/release.sh")
    found = {SWIFT: [*swift, "run"], PYTHON: [sys.executable, "-m", "scripts.host"]}
    if jar.is_file():
        found[JVM] = ["java", "-jar", str(jar), "run"]
    return found


def run_harness(program: list[str], artifact: Path, protocol: Protocol) -> RunRecord:
    """One run in a process of its own.

    Raises:
        UserError: the run did not complete.
    """
    with tempfile.TemporaryDirectory() as name:
        request = Path(name) / "request.json"
        asked = RunRequest(schema=REQUEST_SCHEMA, run_id="run", protocol=protocol)
        request.write_text(asked.model_dump_json(by_alias=True), encoding="utf-8")
        words = [*program, "--artifact", str(artifact), "--request", str(request), "--out", name]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise UserError(f"{artifact}: {program[0]} ended with {done.returncode}: {said[-1]}")
        return read_finished_record(Path(name) / "run")


def step_p50_ms(record: RunRecord, index: int) -> float:
    """Median whole step (inputs, call, argmax)."""
    return median(record.decode[index].step_ns) / 1e6


def own_share_p50_us(record: RunRecord, index: int) -> float:
    """Median of what a step takes beside the runtime's call."""
    samples = record.decode[index]
    return median(step - forward for step, forward in zip(samples.step_ns, samples.forward_ns, strict=True)) / 1e3


def figures(rounds: list[dict[str, RunRecord]], index: int) -> dict[str, Figure]:
    """Of one context: step p50 of each harness, the ratios Swift / other within a round, and the own shares."""
    found: dict[str, Figure] = {}
    for name in rounds[0]:
        found[f"{name} step ms"] = over_rounds([step_p50_ms(records[name], index) for records in rounds])
    for name in [each for each in rounds[0] if each != SWIFT]:
        ratios = [step_p50_ms(records[SWIFT], index) / step_p50_ms(records[name], index) for records in rounds]
        found[f"swift / {name}"] = over_rounds(ratios)
    for name in rounds[0]:
        found[f"{name} own share us"] = over_rounds([own_share_p50_us(records[name], index) for records in rounds])
    return found


def compare(artifact: Path, programs: dict[str, list[str]], protocol: Protocol, rounds: int) -> dict[str, object]:
    """All rounds on one artifact; prints its table."""
    done: list[dict[str, RunRecord]] = []
    for number in range(rounds):
        print(f"{artifact}: round {number + 1} of {rounds}", file=sys.stderr)
        order = list(programs) if number % 2 == 0 else list(reversed(programs))
        records = {name: run_harness(programs[name], artifact, protocol) for name in order}
        done.append({name: records[name] for name in programs})
    by_context = {str(context): figures(done, index) for index, context in enumerate(protocol.contexts)}
    first = next(iter(by_context.values()))
    title = f"{artifact.parent.name}, {artifact.name}, {protocol.num_threads} threads, {rounds} rounds"
    table = Table("p50 per token", *(f"context {context}" for context in by_context), box=box.MARKDOWN, title=title)
    for name in first:
        table.add_row(name, *(str(row[name]) for row in by_context.values()))
    Console(width=160).print(table)
    versions = {name: str(record.observed.version) for name, record in done[0].items() if record.observed}
    rows = {context: {name: asdict(each) for name, each in row.items()} for context, row in by_context.items()}
    return {"artifact": str(artifact), "runtimes": versions, "contexts": rows}


def run(
    artifact: Annotated[list[Path], typer.Option(help="ONNX artifact folder.")],
    rounds: Annotated[int, typer.Option(min=1, help="Fresh processes of each harness for each artifact.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of the runtimes.")] = 2,
    steps: Annotated[int, typer.Option(min=2, help="Timed steps at each context.")] = 128,
    jar: Annotated[Path, typer.Option(help="The JVM harness; left out where there is none.")] = JAR,
) -> None:
    """Compare the harnesses."""
    programs = harnesses(jar)
    protocol = Protocol(num_threads=threads, prompt_lengths=(64,), contexts=(0, 512), decode_steps=steps)
    results = [compare(folder, programs, protocol, rounds) for folder in artifact]
    print(json.dumps({"rounds": rounds, "threads": threads, "steps": steps, "results": results}))


if __name__ == "__main__":
    try:
        typer.run(run)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
