"""The program `deepnarrow`, also `python -m scripts.deepnarrow`: every command under one name.

A command's module is imported when it is called, so that `deepnarrow --help` and completion need neither torch nor an
SDK. The `python -m` forms run the same commands.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer
from typer.core import TyperCommand, TyperGroup

from export.console import Verbosity, run_app, set_verbosity
from models.errors import UserError


@dataclass(frozen=True, slots=True)
class _Entry:
    """A command of the program.

    Attributes:
        module: has the Typer application `app`.
        help: one line.
        command: the one of its commands that is meant; all for None.
        first: a module to import before.
    """

    module: str
    help: str
    command: str | None = None
    first: str | None = None


_ENTRIES = {
    "quick": _Entry("scripts.farm.cli", "Deep or wide? One pair on the phone at hand, else on this machine.", "quick"),
    "export": _Entry("export.cli", "Export pairs and sweeps to ExecuTorch, ONNX and Core ML, and verify them."),
    "farm": _Entry("scripts.farm.cli", "Measure artifacts on phones and on this machine, campaign by campaign."),
    "analyse": _Entry("scripts.analysis.cli", "Metrics, the price of a layer, verdicts with error bars."),
    "report": _Entry("scripts.report.cli", "Write the page of everything that was measured."),
    "claims": _Entry("scripts.report.cli", "What is said of deep-narrow networks, held against records.", "claims"),
    "host": _Entry("scripts.host.cli", "One run of one artifact in this process.", first="scripts.host.one_thread"),
    "bench": _Entry("scripts.bench.cli", "How fast artifacts decode and are made, beside other tools."),
}


def _load(name: str) -> TyperCommand | TyperGroup:
    entry = _ENTRIES[name]
    if entry.first:
        import_module(entry.first)
    command = typer.main.get_command(import_module(entry.module).app)
    if entry.command:
        assert isinstance(command, TyperGroup)
        command = command.commands[entry.command]
    assert isinstance(command, TyperCommand | TyperGroup)
    return command


class _Program(TyperGroup):
    """Lists its commands by `_ENTRIES` and loads the one that is called or completed."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return list(_ENTRIES)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> TyperCommand | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        entry = _ENTRIES.get(cmd_name)
        return TyperCommand(cmd_name, help=entry.help) if entry else None

    def resolve_command(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, ctx: typer.Context, args: list[str]
    ) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name else None, rest


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"deepnarrow {version('deepnarrow')}")
        raise typer.Exit


app = typer.Typer(cls=_Program, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def program(
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress; results, warnings and errors only.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Errors come with their traceback.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """What does depth cost on this phone? Deep-narrow and shallow-wide LLMs: export, measure, decide.

    Exit codes: 0 done, 1 something failed or became worse, 2 bad input, 130 interrupted.
    """
    if quiet and verbose:
        raise UserError("--quiet and --verbose exclude each other")
    if quiet or verbose:
        set_verbosity(Verbosity.QUIET if quiet else Verbosity.VERBOSE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code.

    Args:
        arguments: None for those of the process.
    """
    return run_app(app, "deepnarrow", arguments)


if __name__ == "__main__":
    sys.exit(main())
