"""How to install what is missing. The project is on no package index: it is installed from a clone."""

import shlex
import sys
from enum import StrEnum


class Extra(StrEnum):
    """The optional parts that pyproject.toml names."""

    EXPORT = "export"
    FARM = "farm"
    REPORT = "report"


def install_hint(extra: Extra) -> str:
    """The command that adds the part to the interpreter that runs now."""
    return f"in a clone of the project: {shlex.quote(sys.executable)} -m pip install -e '.[{extra}]'"
