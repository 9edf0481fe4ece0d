"""How commands end: what a person can act on is one line and an exit code."""

import sys

import typer

from export.display import say
from models.errors import UserError

EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130


def run_app(app: typer.Typer, prog_name: str) -> None:
    """Run `app`; bad input ends with `EXIT_USAGE`, what the system refuses with `EXIT_FAILED`."""
    try:
        app(prog_name=prog_name)
    except UserError as error:
        say(f"error: {error}")
        sys.exit(EXIT_USAGE)
    except OSError as error:
        say(f"error: {(error.strerror or str(error)).lower()}: {error.filename}")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
