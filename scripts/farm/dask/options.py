"""How to reach a Dask cluster. Imports no Dask, so that the command line starts without it."""

from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError


@dataclass(frozen=True, slots=True)
class DaskOptions:
    """Address and, for `tls://`, the three files; all or none of them.

    Raises:
        UserError: only some of the files are given, one is missing, or they do not fit the address.
    """

    address: str
    tls_ca_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        files = (self.tls_ca_file, self.tls_cert, self.tls_key)
        given = [file for file in files if file is not None]
        if given and len(given) < len(files):
            raise UserError("--tls-ca-file, --tls-cert and --tls-key belong together: give all three or none")
        if bool(given) != self.address.startswith("tls://"):
            raise UserError(f"--scheduler {self.address}: tls:// needs the three --tls files, others take none")
        for file in given:
            if not file.is_file():
                raise UserError(f"{file}: no such file")

    @property
    def tls_files(self) -> tuple[str, str, str] | None:
        """(authority, certificate, key), or None without TLS."""
        if self.tls_ca_file and self.tls_cert and self.tls_key:
            return str(self.tls_ca_file), str(self.tls_cert), str(self.tls_key)
        return None
