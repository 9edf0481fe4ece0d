"""The command line of the host harness: one run, as docs/harness-contract.md has it."""

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from export.console import ExitCode, print_json, run_app
from models.errors import UserError
from scripts.host.journal import Journal
from scripts.host.run import execute
from scripts.records import Completed, Failed, RunRecord, Skipped, Stage, read_request

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_progress(stage: Stage, done: int, total: int) -> None:
    print_json({"stage": stage, "done": done, "total": total})


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@app.command()
def run(
    artifact: Annotated[Path, typer.Option("--artifact", help="Artifact folder of `python -m export all`.")],
    request: Annotated[Path, typer.Option("--request", help="The RunRequest, a JSON file.")],
    out: Annotated[Path, typer.Option("--out", help="The record goes to OUT/<run_id>/record.json.")],
) -> None:
    """Measure one artifact in this process: bandwidth, load, self-check, prefill, decode; leaves one RunRecord.

    Progress is JSON on standard output, a line each. Exit code 0: completed; 1: failed or skipped, which is in the
    record; 2: bad input, nothing written.
    """
    signal.signal(signal.SIGTERM, _terminated)
    asked = read_request(request)
    folder = out / asked.run_id
    if folder.exists():
        raise UserError(f"{folder} exists; every run needs a run_id of its own")
    record = execute(Journal(folder, asked, _print_progress), artifact)
    print_json(
        {"run_id": record.run_id, "outcome": record.outcome.kind, "record": str(folder / "record.json"),
         "message": _message(record)}
    )  # fmt: skip
    raise typer.Exit(ExitCode.DONE if isinstance(record.outcome, Completed) else ExitCode.FAILED)


def _message(record: RunRecord) -> str | None:
    return record.outcome.message if isinstance(record.outcome, Failed | Skipped) else None


def main() -> int:
    """Run; the exit code."""
    return run_app(app, "python -m scripts.host")
