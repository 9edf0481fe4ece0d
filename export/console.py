"""How all commands speak and end: of `export`, which may not import `scripts`, and of everything in `scripts`.

Results go to standard output, all else to standard error. Neither rich nor typer is imported before `run_app` needs it,
so that programs which only print a line start fast. Tables for people are drawn by `scripts.console`.
"""

import itertools
import os
import sqlite3
import sys
import traceback
from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from models.errors import UserError

if TYPE_CHECKING:
    import typer

_VERBOSITY_VARIABLE = "DEEPNARROW_VERBOSITY"


class ExitCode(IntEnum):
    """What a command's exit code means. `analysis compare` adds 3: no verdict."""

    DONE = 0
    FAILED = 1  # something failed or became worse
    BAD_INPUT = 2
    INTERRUPTED = 130


class Verbosity(StrEnum):
    """How much is said on standard error; in the environment, so that the processes of a command inherit it."""

    QUIET = "quiet"  # no progress
    NORMAL = "normal"
    VERBOSE = "verbose"  # errors come with their traceback


def set_verbosity(wanted: Verbosity) -> None:
    """For this process and those that it starts."""
    os.environ[_VERBOSITY_VARIABLE] = wanted


def verbosity() -> Verbosity:
    """What was set here or by the process that started this one.

    Raises:
        UserError: the environment holds another word.
    """
    word = os.environ.get(_VERBOSITY_VARIABLE, Verbosity.NORMAL)
    if word not in set(Verbosity):
        raise UserError(f"{_VERBOSITY_VARIABLE}={word}: not one of {', '.join(Verbosity)}")
    return Verbosity(word)


def say(line: str) -> None:
    """One line on standard error."""
    print(line, file=sys.stderr, flush=True)


def say_progress(line: str) -> None:
    """One line on standard error, unless progress is not wanted."""
    if verbosity() is not Verbosity.QUIET:
        say(line)


def print_json(value: object) -> None:
    """One compact line on standard output; models under the names of their schemas."""
    from pydantic import TypeAdapter

    sys.stdout.write(TypeAdapter(object).dump_json(value, by_alias=True).decode() + "\n")
    sys.stdout.flush()


def describe_os_error(error: OSError) -> str:
    """What the system said, and about which file if about one."""
    what = (error.strerror or str(error) or type(error).__name__).lower()
    return what if error.filename is None else f"{what}: {error.filename}"


def run_app(app: "typer.Typer", prog_name: str, arguments: Sequence[str] | None = None) -> int:
    """Run `app`; what a person can act on ends as one line on standard error.

    With `--json` or `--format json` among the arguments that line is printed as JSON on standard output, too.

    Args:
        app: with commands that raise `UserError` for bad input and `typer.Exit` for other codes than 0.
        prog_name: how the person called it.
        arguments: None for those of the process.

    Returns:
        the exit code.
    """
    import typer

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code: object = typer.main.get_command(app).main(given, prog_name=prog_name, standalone_mode=False)
    except typer.TyperException as error:
        return _end_usage(error, given)
    except UserError as error:
        return _end(f"error: {error}", ExitCode.BAD_INPUT, given)
    except OSError as error:
        return _end(f"error: {describe_os_error(error)}", ExitCode.FAILED, given)
    except sqlite3.Error as error:
        line = f"error: index.sqlite or state.sqlite in the results folder: {error}"
        return _end(line, ExitCode.FAILED, given)
    except (KeyboardInterrupt, typer.Abort):
        code = ExitCode.INTERRUPTED
    if code == ExitCode.INTERRUPTED:
        line = "interrupted; what is finished is kept, run the same command again to go on"
        return _end(line, ExitCode.INTERRUPTED, given)
    return code if isinstance(code, int) else ExitCode.DONE


def _end(line: str, code: ExitCode, given: Sequence[str]) -> int:
    if code is not ExitCode.INTERRUPTED and os.environ.get(_VERBOSITY_VARIABLE) == Verbosity.VERBOSE:
        traceback.print_exc()
    say(line)
    if "--json" in given or "--format=json" in given or ("--format", "json") in itertools.pairwise(given):
        print_json({"error": line, "exit_code": int(code)})
    return code


def _end_usage(error: "typer.TyperException", given: Sequence[str]) -> int:
    """A wrong option, argument or command. A group without a command shows its help, which typer raises as an error."""
    message = " ".join(error.format_message().split())
    context: typer.Context | None = getattr(error, "ctx", None)
    if not message:  # the help is already printed
        return ExitCode.BAD_INPUT
    hint = f"; see: {context.command_path} --help" if context else ""
    return _end(f"error: {message[0].lower()}{message[1:].rstrip('.')}{hint}", ExitCode.BAD_INPUT, given)
