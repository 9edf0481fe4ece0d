"""Keeps what SDKs print out of people's sight, unless something goes wrong."""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from typing import TextIO

from export.proof.gates import GateError
from models.errors import UserError


@contextmanager
def sdk_output_hidden() -> Generator[TextIO]:
    """Send the process's standard error to a log, native code's included; yields the real one.

    The log is shown when the block ends with an error that its message does not explain.
    """
    with tempfile.TemporaryFile("w+b") as log, os.fdopen(os.dup(2), "w", encoding="utf-8") as terminal:
        sys.stderr.flush()
        os.dup2(log.fileno(), 2)
        explained = False
        try:
            yield terminal
            explained = True
        except (GateError, UserError, KeyboardInterrupt):
            explained = True
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal.fileno(), 2)
            if not explained:
                log.seek(0)
                terminal.write(log.read().decode(errors="replace"))
