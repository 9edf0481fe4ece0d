"""The JVM harness beside Python's ONNX Runtime on the same artifacts, and its bandwidth probe beside a loop in C.

Every round starts a fresh process of each, in an order that is turned round from one round to the next, with the same
request: 64-token prompt, 128 decode steps at contexts 0 and 512. Prints tables and, as the very last line, one JSON
document. From the root of the repository, after `mvn -B -q -f android_app/pom.xml -pl core -am package -DskipTests`:

    .venv/bin/python android_app/core/bench/compare.py --rounds 10
    .venv/bin/python android_app/core/bench/compare.py --rounds 1 --artifact artifacts/tiny/deep-8x64/onnx-int4
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from models.errors import UserError
from scripts.records import REQUEST_SCHEMA, ProbeMethod, Protocol, RunRecord, RunRequest, read_finished_record

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
JAR = HERE.parent / "target" / "deepnarrow-harness.jar"
DEFAULT_ARTIFACTS = tuple(ROOT / f"artifacts/mobilellm-125m/{arm}/onnx-int4" for arm in ("deep-30x576", "wide-12x864"))
JVM, PYTHON = "jvm", "python"


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round on one artifact: two runs and the C loop, one right after the other.

    Attributes:
        wall_s: whole process of each harness, from start to exit.
        c_bytes_per_s: bytes of the probe's buffer / the C loop's median pass.
    """

    records: dict[str, RunRecord]
    wall_s: dict[str, float]
    c_bytes_per_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Median and range over the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.least:.3g} to {self.most:.3g})"


def run_round(artifact: Path, protocol: Protocol, reader: Path, number: int) -> Round:
    """Both harnesses and the C loop, in an order that alternates with `number`."""
    records: dict[str, RunRecord] = {}
    wall_s: dict[str, float] = {}
    c_bytes_per_s = 0.0
    order = (PYTHON, JVM, "c")
    for subject in order if number % 2 == 0 else reversed(order):
        if subject == "c":
            c_bytes_per_s = read_in_c(reader, protocol)
        else:
            records[subject], wall_s[subject] = run_harness(subject, artifact, protocol)
    return Round(records=records, wall_s=wall_s, c_bytes_per_s=c_bytes_per_s)


def run_harness(harness: str, artifact: Path, protocol: Protocol) -> tuple[RunRecord, float]:
    """One run in a process of its own: its record, and the seconds from start to exit.

    Raises:
        UserError: the run did not complete.
    """
    program = ["java", "-jar", str(JAR), "run"] if harness == JVM else [sys.executable, "-m", "scripts.host"]
    with tempfile.TemporaryDirectory() as name:
        request = Path(name) / "request.json"
        request.write_text(
            RunRequest(schema=REQUEST_SCHEMA, run_id=harness, protocol=protocol).model_dump_json(by_alias=True),
            encoding="utf-8",
        )
        words = [*program, "--artifact", str(artifact), "--request", str(request), "--out", name]
        start = time.perf_counter()
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        wall_s = time.perf_counter() - start
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise UserError(f"{artifact}: the {harness} harness ended with {done.returncode}: {said[-1]}")
        return read_finished_record(Path(name) / harness), wall_s


def build_reader(folder: Path) -> Path:
    """Compile read.c.

    Raises:
        UserError: there is no C compiler, or it fails.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise UserError("cc is needed to compile read.c")
    reader = folder / "read"
    done = subprocess.run(
        [compiler, "-O3", "-pthread", str(HERE / "read.c"), "-o", str(reader)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"read.c does not compile: {done.stderr.strip().splitlines()[0]}")
    return reader


def read_in_c(reader: Path, protocol: Protocol) -> float:
    """Bytes per second of the C loop's median pass, with the threads, buffer and passes of the probe."""
    probe = protocol.probe
    words = [str(reader), str(probe.buffer_bytes), str(protocol.num_threads), str(probe.passes)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return probe.buffer_bytes / median(int(line) for line in printed.split()) * 1e9


def over_rounds(values: list[float]) -> Spread:
    """Median and range of one figure."""
    return Spread(median=median(values), least=min(values), most=max(values))


def step_p50_ns(record: RunRecord, index: int) -> float:
    """Median whole step (inputs, call, argmax) at a context."""
    return median(record.decode[index].step_ns)


def overhead_p50_us(record: RunRecord, index: int) -> float:
    """Median of what a step takes beside the runtime's call."""
    samples = record.decode[index]
    return median(step - forward for step, forward in zip(samples.step_ns, samples.forward_ns, strict=True)) / 1e3


def array_sum_bytes_per_s(record: RunRecord) -> float:
    """The probe's own loop, without the runtime's graph."""
    all_passes = record.bandwidth.passes if record.bandwidth else ()
    return next(p.bytes / median(p.pass_ns) * 1e9 for p in all_passes if p.method is ProbeMethod.ARRAY_SUM)


def decode_figures(rounds: list[Round]) -> dict[str, dict[str, Spread]]:
    """For each context: p50 of both in ms, their ratio, and the overhead of both in microseconds."""
    figures: dict[str, dict[str, Spread]] = {}
    for index, context in enumerate(rounds[0].records[JVM].request.protocol.contexts):
        pairs = [(r.records[JVM], r.records[PYTHON]) for r in rounds]
        figures[str(context)] = {
            "jvm_step_ms": over_rounds([step_p50_ns(jvm, index) / 1e6 for jvm, _ in pairs]),
            "python_step_ms": over_rounds([step_p50_ns(python, index) / 1e6 for _, python in pairs]),
            "jvm_over_python": over_rounds([step_p50_ns(j, index) / step_p50_ns(p, index) for j, p in pairs]),
            "jvm_overhead_us": over_rounds([overhead_p50_us(jvm, index) for jvm, _ in pairs]),
            "python_overhead_us": over_rounds([overhead_p50_us(python, index) for _, python in pairs]),
        }
    return figures


def process_figures(rounds: list[Round]) -> dict[str, Spread]:
    """Bandwidth in GB/s beside the C loop, and seconds of whole processes."""
    ceilings = [(r.records[JVM].bandwidth, r.c_bytes_per_s) for r in rounds]
    found = [(probe.ceiling_bytes_per_s, c) for probe, c in ceilings if probe is not None]
    return {
        "jvm_ceiling_gb_per_s": over_rounds([probe / 1e9 for probe, _ in found]),
        "jvm_array_sum_gb_per_s": over_rounds([array_sum_bytes_per_s(r.records[JVM]) / 1e9 for r in rounds]),
        "c_gb_per_s": over_rounds([c / 1e9 for _, c in found]),
        "jvm_ceiling_over_c": over_rounds([probe / c for probe, c in found]),
        "jvm_array_sum_over_c": over_rounds([array_sum_bytes_per_s(r.records[JVM]) / r.c_bytes_per_s for r in rounds]),
        "jvm_process_s": over_rounds([r.wall_s[JVM] for r in rounds]),
        "python_process_s": over_rounds([r.wall_s[PYTHON] for r in rounds]),
    }


def print_tables(title: str, decode: dict[str, dict[str, Spread]], whole: dict[str, Spread]) -> None:
    """One table of contexts and one of the rest, in Markdown."""
    console = Console(width=200)
    table = Table("p50 per token, context", *next(iter(decode.values())), box=box.MARKDOWN, title=title)
    for context, figures in decode.items():
        table.add_row(context, *(str(figure) for figure in figures.values()))
    console.print(table)
    rest = Table("whole run", "median (least to most)", box=box.MARKDOWN)
    for name, figure in whole.items():
        rest.add_row(name, str(figure))
    console.print(rest)


def compare(artifact: Path, protocol: Protocol, reader: Path, rounds: int) -> dict[str, object]:
    """All rounds on one artifact; prints its tables."""
    done: list[Round] = []
    for number in range(rounds):
        print(f"{artifact}: round {number + 1} of {rounds}", file=sys.stderr)
        done.append(run_round(artifact, protocol, reader, number))
    decode, whole = decode_figures(done), process_figures(done)
    facts = done[0].records[JVM].artifact
    print_tables(
        f"{facts.shape_name if facts else artifact}, {protocol.num_threads} threads, rounds: {rounds}", decode, whole
    )
    return {
        "artifact": str(artifact),
        "decode": {context: {name: asdict(figure) for name, figure in row.items()} for context, row in decode.items()},
        "whole": {name: asdict(figure) for name, figure in whole.items()},
    }


def run(
    artifact: Annotated[
        list[Path] | None, typer.Option(help="ONNX artifact folder; default: both of mobilellm-125m.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Fresh processes of each harness for each artifact.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="Threads of runtimes and probes.")] = 2,
) -> None:
    """Compare; needs the packaged harness, Java and a C compiler."""
    if not JAR.is_file():
        raise UserError(f"{JAR}: no such file; build it with mvn -B -q -f android_app/pom.xml -pl core -am package")
    protocol = Protocol(num_threads=threads, prompt_lengths=(64,), contexts=(0, 512), decode_steps=128)
    with tempfile.TemporaryDirectory() as name:
        reader = build_reader(Path(name))
        results = [compare(folder, protocol, reader, rounds) for folder in artifact or DEFAULT_ARTIFACTS]
    (core,) = JAR.parent.glob("core-*.jar")
    print(f"core without runtimes: {core.stat().st_size / 1e6:.2f} MB ({core.name})")
    print(json.dumps({"rounds": rounds, "threads": threads, "core_jar_bytes": core.stat().st_size, "results": results}))


if __name__ == "__main__":
    try:
        typer.run(run)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
