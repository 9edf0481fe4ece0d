"""The command line of the host harness: one run, as docs/harness-contract.md has it."""

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from models.errors import UserError
from scripts.host.journal import Journal
from scripts.host.run import execute
from scripts.records import Completed, Failed, RunRecord, Skipped, Stage, read_request

EXIT_COMPLETED, EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


def _print_line(fields: dict[str, object]) -> None:
    print(json.dumps(fields), flush=True)


def _print_progress(stage: Stage, done: int, total: int) -> None:
    _print_line({"stage": stage, "done": done, "total": total})


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
    _print_line(
        {"run_id": record.run_id, "outcome": record.outcome.kind, "record": str(folder / "record.json"),
         "message": _message(record)}
    )  # fmt: skip
    raise typer.Exit(EXIT_COMPLETED if isinstance(record.outcome, Completed) else EXIT_FAILED)


def _message(record: RunRecord) -> str | None:
    return record.outcome.message if isinstance(record.outcome, Failed | Skipped) else None


def main() -> None:
    """Run; what a person can act on ends as one line and an exit code."""
    try:
        app(prog_name="python -m scripts.host", standalone_mode=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:
        print(f"error: {(error.strerror or str(error)).lower()}: {error.filename}", file=sys.stderr)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
