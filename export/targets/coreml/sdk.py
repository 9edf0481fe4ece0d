"""coremltools, imported quickly and quietly. Every other module of this folder gets it from here."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

from export.installation import Extra, install_hint
from models.errors import UserError

COREMLTOOLS_VERSION = "9.0"

Var: TypeAlias = Any  # a MIL variable or function; coremltools has no usable types for them
Proto: TypeAlias = Any  # a protobuf message, whose classes are made at run time

# coremltools imports each of these to offer converters and compressions that this target does not use; together with
# what they import in turn they are most of its import time.
UNUSED_BY_US = ("executorch", "libsvm", "sklearn", "tensorflow", "torchao", "torchaudio", "torchvision", "transformers",
                "xgboost")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sdk:
    """The parts of coremltools that this target uses. They carry no usable types, hence `Any`.

    Attributes:
        ct: the package itself.
        mb: the MIL builder.
        mil: the MIL program classes (`Function`, `Program`).
        types: MIL's element types.
        model_proto: protobuf classes of a Core ML model.
        mil_proto: protobuf classes of a MIL program.
    """

    ct: Any
    mb: Any
    mil: Any
    types: Any
    model_proto: Any
    mil_proto: Any


def coremltools_version() -> str:
    """Installed version, found without importing the package.

    Raises:
        UserError: coremltools is missing or not the version this target was written for.
    """
    try:
        found = version("coremltools")
    except PackageNotFoundError:
        raise UserError(f"target coreml: coremltools is not installed; {install_hint(Extra.EXPORT)}") from None
    if found != COREMLTOOLS_VERSION:
        raise UserError(f"target coreml: coremltools {found} is installed, but this target needs {COREMLTOOLS_VERSION}")
    return found


@cache
def load_sdk() -> Sdk:
    """Import coremltools.

    Raises:
        UserError: see `coremltools_version`.
    """
    coremltools_version()
    with _hidden(UNUSED_BY_US), _only_errors("coremltools"):
        import coremltools as ct
        from coremltools.converters.mil import Builder, mil
        from coremltools.converters.mil.mil import types
        from coremltools.proto import MIL_pb2, Model_pb2
    return Sdk(ct, Builder, mil, types, Model_pb2, MIL_pb2)


@contextmanager
def quiet_conversion() -> Generator[None]:
    """No progress bars from `ct.convert`, which has no switch for them; warnings and errors still come through."""
    load_sdk()
    from coremltools.converters.mil.mil.passes import pass_pipeline

    def no_bar(items: list[str], desc: str, unit: str) -> list[str]:
        del desc, unit
        return items

    progress_bar = pass_pipeline.tqdm
    pass_pipeline.tqdm = no_bar
    try:
        yield
    finally:
        pass_pipeline.tqdm = progress_bar


@contextmanager
def _hidden(names: tuple[str, ...]) -> Generator[None]:
    """Make importing `names` fail as if they were not installed: None in sys.modules is Python's documented way.

    Packages that are already imported cost nothing and stay visible; afterwards all can be imported again.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _only_errors(logger_name: str) -> Generator[None]:
    """Mute warnings of one logger: untested versions of packages we hid or pinned, and parts that only macOS has."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
