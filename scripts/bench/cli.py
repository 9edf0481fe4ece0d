"""The command line: `python -m scripts.bench decode|peers|export`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from export.targets.base import TargetName
from models.errors import UserError
from models.pair import Arm
from scripts.bench.decode import measure, summarize
from scripts.bench.decode_run import Protocol
from scripts.bench.display import DecodeReport, ExportReport, print_decode, print_exports, say, write_report
from scripts.bench.exports import measure_exports
from scripts.bench.machine import this_machine
from scripts.bench.peers import Tool, make_peer, write_checkpoint
from scripts.bench.subjects import open_artifact, open_peer

EXIT_USAGE = 2

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Measure how fast artifacts decode and how fast they are made on this machine, beside the peers'. "
    "Close everything else first: figures of a busy machine compare with nothing.",
)

Report = Annotated[Path | None, typer.Option("--out", help="Also write all figures, raw ones included, as JSON.")]
PairName = Annotated[str, typer.Option("--pair", help="A pair from `python -m export list`.")]
WhichArm = Annotated[Arm, typer.Option("--shape", help="Which shape of the pair.")]
MaxContext = Annotated[int, typer.Option("--max-context", min=2, help="Positions the KV cache holds.")]


@app.command("decode")
def decode(
    artifacts: Annotated[
        list[Path] | None, typer.Argument(help="Artifact folders of `python -m export all`.", show_default=False)
    ] = None,
    peer: Annotated[
        list[str] | None, typer.Option("--peer", metavar="NAME=DIR", help="A folder that `peers` made. Repeatable.")
    ] = None,
    baseline: Annotated[
        list[str] | None, typer.Option("--baseline", help="Compare with this name, paired by round. Repeatable.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Runs of each subject.")] = 5,
    threads: Annotated[list[int] | None, typer.Option("--threads", min=1, help="Repeatable. Default: 1 and 2.")] = None,
    out: Report = None,
) -> None:
    """Time load, prefill and single-token steps at two contexts, each run in a fresh process, subjects interleaved.

    For example:

        python -m scripts.bench decode artifacts/mobilellm-125m/deep-30x576/onnx-int4

        python -m scripts.bench decode artifacts/mobilellm-125m/deep-30x576/{executorch,onnx}-int4
        --peer export_llama=peers/deep/export_llama --peer genai=peers/deep/genai
        --baseline export_llama --baseline genai --out decode-deep.json
    """
    subjects = [*map(open_artifact, artifacts or []), *map(open_peer, peer or [])]
    baselines = baseline or []
    names = [subject.name for subject in subjects]
    if not subjects:
        raise UserError("nothing to measure; give artifact folders, or peers with --peer NAME=DIR")
    for name in baselines:
        if name not in names:
            raise UserError(f"unknown baseline {name!r}; choose from {', '.join(names)}")
    machine, protocol = this_machine(), Protocol()
    session = measure(subjects, threads or [1, 2], rounds, protocol, say)
    figures = summarize(session, subjects, baselines)
    print_decode(machine, figures, rounds, session)
    if out:
        report = DecodeReport(
            machine=machine, subjects=tuple(subjects), baselines=tuple(baselines), figures=tuple(figures),
            session=session,
        )  # fmt: skip
        write_report(report, out)


@app.command("peers")
def peers(
    out: Annotated[Path, typer.Option("--out", help="Where the checkpoint and one folder per tool go.")],
    pair: PairName = "mobilellm-125m",
    shape: WhichArm = Arm.DEEP,
    tool: Annotated[
        list[Tool] | None, typer.Option("--tool", help="Repeatable. Default: all. export_llama takes minutes.")
    ] = None,
    max_context: MaxContext = 1024,
) -> None:
    """Let the peers' exporters make artifacts of the same shape from one random checkpoint, each timed as a whole.

    For example:

        python -m scripts.bench peers --shape deep --out peers/deep

        python -m scripts.bench peers --shape wide --tool genai --out peers/wide
    """
    checkpoint = write_checkpoint(pair, shape, max_context, out)
    for each in tool or list(Tool):
        say(f"{each}, its output goes to {checkpoint.folder / f'{each}.log'}")
        record = make_peer(checkpoint, each)
        effort = record.effort
        say(f"{record.tool} {record.version}: {effort.wall_s:.1f} s, peak RSS {effort.peak_rss_bytes / 1e6:.0f} MB")


@app.command("export")
def export(
    pair: PairName = "mobilellm-125m",
    shape: WhichArm = Arm.DEEP,
    target: Annotated[list[TargetName] | None, typer.Option("--target", help="Repeatable. Default: all.")] = None,
    tool: Annotated[list[Tool] | None, typer.Option("--tool", help="A peer to run as well. Repeatable.")] = None,
    with_peers: Annotated[bool, typer.Option("--with-peers", help="All peers; export_llama takes 10 minutes.")] = False,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Times each export is repeated.")] = 1,
    folder: Annotated[Path, typer.Option("--folder", help="Where checkpoint and artifacts go.")] = Path("bench-export"),
    max_context: MaxContext = 1024,
    out: Report = None,
) -> None:
    """Time whole exports of one checkpoint, gates included, and the peers' exports of the same checkpoint.

    For example:

        python -m scripts.bench export --target onnx

        python -m scripts.bench export --with-peers --rounds 3 --out export-deep.json
    """
    machine = this_machine()
    checkpoint = write_checkpoint(pair, shape, max_context, folder)
    tools: list[Tool] = list(Tool) if with_peers else tool or []
    records = measure_exports(checkpoint, target or list(TargetName), tools, rounds, say)
    print_exports(machine, records)
    if out:
        write_report(ExportReport(machine=machine, records=tuple(records)), out)


def main() -> None:
    """Run a command; what a person can act on ends as one line and an exit code."""
    try:
        app(prog_name="python -m scripts.bench")
    except UserError as error:
        say(f"error: {error}")
        sys.exit(EXIT_USAGE)
