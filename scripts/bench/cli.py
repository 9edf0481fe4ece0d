"""The command line: `python -m scripts.bench decode|peers|export`."""

from pathlib import Path
from typing import Annotated

import typer

from export.arguments import parse_choices
from export.console import run_app, say_progress
from export.targets.base import TargetName
from models.errors import UserError
from models.pair import Arm
from scripts.bench.contenders import open_artifact, open_peer
from scripts.bench.decode import measure, summarize
from scripts.bench.decode_run import Protocol
from scripts.bench.display import DecodeReport, ExportReport, print_decode, print_exports, write_report
from scripts.bench.exports import measure_exports
from scripts.bench.peers import Tool, make_peer, plan_checkpoint, write_checkpoint
from scripts.files import check_writable, make_folder
from scripts.host.machine import this_machine

_TOOLS = ", ".join(Tool)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure how fast artifacts decode and how fast they are made on this machine, beside the peers'. "
    "Close everything else first: figures of a busy machine compare with nothing.",
)

Report = Annotated[Path | None, typer.Option("--out", help="Also write all figures, raw ones included, as JSON.")]
PairName = Annotated[str, typer.Option("--pair", help="A pair of decoders from `python -m export list`.")]
WhichArm = Annotated[Arm, typer.Option("--shape", help="Which shape of the pair.")]
MaxContext = Annotated[int, typer.Option("--max-context", help="Positions the KV cache holds.")]


@app.command("decode")
def decode(
    artifacts: Annotated[
        list[Path] | None, typer.Argument(help="Artifact folders of `python -m export all`.", show_default=False)
    ] = None,
    peer: Annotated[
        list[str] | None, typer.Option("--peer", metavar="NAME=DIR", help="A folder that `peers` made. Repeatable.")
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option("--baseline", metavar="NAME", help="A peer or artifact to compare all with. Repeatable."),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Runs of each contender.")] = 5,
    threads: Annotated[
        list[int] | None, typer.Option("--threads", metavar="N", min=1, help="Repeatable. Default: 1 and 2.")
    ] = None,
    out: Report = None,
) -> None:
    r"""Time load, prefill and single tokens after 64 and after 900; a fresh process for each run, runs interleaved.

    Artifacts are named by their last two folders, such as deep-30x576/onnx-int4. They need a context of 948.

    For example:

    python -m scripts.bench decode artifacts/tiny/deep-8x64/{executorch,onnx}-int4

    python -m scripts.bench decode \
      artifacts/mobilellm-125m/deep-30x576/{executorch,onnx}-int4 \
      --peer export_llama=peers/deep/export_llama --baseline export_llama \
      --peer genai=peers/deep/genai --baseline genai --out decode-deep.json
    """
    contenders = [*map(open_artifact, artifacts or []), *map(open_peer, peer or [])]
    baselines = baseline or []
    names = [contender.name for contender in contenders]
    if not contenders:
        raise UserError("nothing to measure; give artifact folders, or peers with --peer NAME=DIR")
    for name in baselines:
        if name not in names:
            raise UserError(f"unknown baseline {name!r}; choose from {', '.join(names)}")
    if out:
        check_writable(out, "--out")
    machine, protocol = this_machine(), Protocol()
    session = measure(contenders, list(dict.fromkeys(threads or [1, 2])), rounds, protocol, say_progress)
    figures = summarize(session, contenders, baselines)
    print_decode(machine, figures, rounds, session)
    if out:
        report = DecodeReport(
            machine=machine, contenders=tuple(contenders), baselines=tuple(baselines), figures=tuple(figures),
            session=session,
        )  # fmt: skip
        write_report(report, out)


@app.command("peers")
def peers(
    out: Annotated[Path, typer.Option("--out", help="Where the checkpoint and one folder per tool go.")],
    pair: PairName = "mobilellm-125m",
    shape: WhichArm = Arm.DEEP,
    tool: Annotated[
        str, typer.Option("--tool", help=f"{_TOOLS}, with a comma, or all. export_llama takes minutes.")
    ] = "all",
    max_context: MaxContext = 1024,
) -> None:
    """Let the peers' exporters make artifacts of the same shape from one random checkpoint, each timed as a whole.

    For example:

    python -m scripts.bench peers --shape deep --out peers/deep

    python -m scripts.bench peers --shape wide --tool genai --out peers/wide
    """
    tools = parse_choices(tool, Tool, "tool")
    checkpoint = plan_checkpoint(pair, shape, max_context, out)
    make_folder(out, "--out")
    say_progress(f"writing the checkpoint to {checkpoint.folder}")
    write_checkpoint(checkpoint)
    for each in tools:
        say_progress(f"{each}, its output goes to {checkpoint.folder / f'{each}.log'}")
        record = make_peer(checkpoint, each)
        effort = record.effort
        say_progress(
            f"{record.tool} {record.version}: {effort.wall_s:.1f} s, peak RSS {effort.peak_rss_bytes / 1e6:.0f} MB"
        )


@app.command("export")
def export(
    pair: PairName = "mobilellm-125m",
    shape: WhichArm = Arm.DEEP,
    target: Annotated[
        str, typer.Option("--target", help=f"{', '.join(TargetName)}, several with commas, or all.")
    ] = "all",
    tool: Annotated[
        str | None, typer.Option("--tool", help=f"Peers to run as well: {_TOOLS}, or all. Default: none.")
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Times each export is repeated.")] = 1,
    folder: Annotated[Path, typer.Option("--folder", help="Where checkpoint and artifacts go.")] = Path("bench-export"),
    max_context: MaxContext = 1024,
    out: Report = None,
) -> None:
    """Time whole exports of one checkpoint, gates included, and the peers' exports of the same checkpoint.

    For example:

    python -m scripts.bench export --target onnx

    python -m scripts.bench export --tool all --rounds 3 --out export-deep.json
    """
    targets, tools = parse_choices(target, TargetName, "target"), parse_choices(tool, Tool, "tool") if tool else []
    checkpoint = plan_checkpoint(pair, shape, max_context, folder)
    make_folder(folder, "--folder")
    if out:
        check_writable(out, "--out")
    machine = this_machine()
    say_progress(f"writing the checkpoint to {checkpoint.folder}")
    write_checkpoint(checkpoint)
    records = measure_exports(checkpoint, targets, tools, rounds, say_progress)
    print_exports(machine, records)
    if out:
        write_report(ExportReport(machine=machine, records=tuple(records)), out)


def main() -> int:
    """Run a command; the exit code."""
    return run_app(app, "python -m scripts.bench")
