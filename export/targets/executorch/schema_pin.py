"""The one ExecuTorch these writers were held against: its version and its file formats.

The schema classes and serialisers are not a public interface. A changed format must stop the export, not produce files
that load and compute nonsense.
"""

import hashlib
from importlib import metadata
from pathlib import Path

from export.installation import Extra, install_hint
from models.errors import UserError

EXECUTORCH_VERSION = "1.5.1"
INSTALL_HINT = f"install executorch=={EXECUTORCH_VERSION}, {install_hint(Extra.EXPORT)}"

SCHEMA_SHA256 = {
    "exir/_serialize/program.fbs": "da7b809b497abea70e813cb23f39e46b6c76e2501d66ef3e91d4f9e1c9cfd62f",
    "exir/_serialize/scalar_type.fbs": "a4c83c25ee7da8eedf61f04fe3df979e5866035763f0ee8d3ed68463e3baad8f",
    "exir/schema.py": "023a3cf13c46f2529e07eeaea72043fa2995f1ceb7800286e102e75fb828bd2d",
    "exir/_serialize/_program.py": "0f9b042c85b7f8be9f27942e89b6f3fe9382b47442009d216d051f8552cb0686",
    "exir/_serialize/_flatbuffer_program.py": "ba8337c9a4b40b93839169f1c061e6828266d54048ff3db64612817ae16d87aa",
    "backends/xnnpack/serialization/schema.fbs": "a4dca505a91b7c9ff690d0f58d5f2a49dc044a44d9261743fc32331eb644102d",
    "backends/xnnpack/serialization/xnnpack_graph_schema.py": (
        "85baee5f81dee0696e4a8f726d38a8f636d8c596cb9abb0e2244dae41e62a5f8"
    ),
    "backends/xnnpack/serialization/xnnpack_graph_serialize.py": (
        "06105346ebec145493657f22bd9dac54668654e937ccc547a6fba66a0e77bd5a"
    ),
}


def executorch_root() -> Path:
    """The folder of the installed `executorch` package; nothing of it is imported.

    Raises:
        UserError: the package is missing or has another version.
    """
    try:
        distribution = metadata.distribution("executorch")
    except metadata.PackageNotFoundError as error:
        raise UserError(f"executorch is not installed: {INSTALL_HINT}") from error
    if distribution.version.partition("+")[0] != EXECUTORCH_VERSION:
        raise UserError(f"executorch {distribution.version} is not {EXECUTORCH_VERSION}: {INSTALL_HINT}")
    return Path(str(distribution.locate_file("executorch")))


def check_schema(root: Path) -> None:
    """Compare every schema file below `root` with the pinned ones.

    Raises:
        UserError: a file is missing or differs.
    """
    for name, expected in SCHEMA_SHA256.items():
        path = root / name
        if not path.is_file():
            raise UserError(f"executorch: schema file {path} is missing: {INSTALL_HINT}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise UserError(f"executorch: schema file {path} is not the one of {EXECUTORCH_VERSION}: {INSTALL_HINT}")
