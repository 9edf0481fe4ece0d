"""Which program this is."""

import ast
import functools
import hashlib
from importlib.metadata import version
from pathlib import Path

from scripts.records import HarnessInfo

HARNESS_NAME = "deepnarrow-host"
_ROOT = Path(__file__).resolve().parents[2]
# What stands around a timed call: the harness, and the code that opens and calls an artifact. Writers are not in it.
_SOURCES = (
    "scripts/host/*.py",
    "export/targets/executorch/header.py",
    "export/targets/executorch/runtime.py",
    "export/targets/onnx/runtime.py",
)


@functools.cache
def harness_build() -> str:
    """Hash of the harness's code: runs of different builds are not compared. Comments and docstrings are no code."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            code = _code_of(path.read_text(encoding="utf-8"))
            digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + code.encode())
    return digest.hexdigest()[:16]


def harness_info() -> HarnessInfo:
    """As it stands in a record."""
    return HarnessInfo(name=HARNESS_NAME, version=version("deepnarrow"), build=harness_build(), debug=False)


def _code_of(source: str) -> str:
    """The syntax tree as text, docstrings left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return ast.dump(tree)
