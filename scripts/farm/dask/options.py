"""How to reach a Dask cluster. Imports no Dask, so that the command line starts without it."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError


@dataclass(frozen=True, slots=True)
class DaskOptions:
    """Address and, for `tls://`, the three files; all or none of them.

    Dask runs the code that it is sent, so an address without TLS that others can reach lets them run theirs.

    Attributes:
        insecure: use an address without TLS although it is not of this machine alone.

    Raises:
        UserError: only some of the files are given, one is missing, they do not fit the address, or the address is
            neither encrypted, nor of this machine alone, nor `insecure`.
    """

    address: str
    tls_ca_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False

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
        if not given and not self.insecure and not is_own(self.address):
            raise UserError(
                f"--scheduler {self.address}: without TLS whoever reaches it can run code on every host of the farm; "
                "use tls:// with the three --tls files, an address of this machine, or --insecure"
            )

    @property
    def tls_files(self) -> tuple[str, str, str] | None:
        """(authority, certificate, key), or None without TLS."""
        if self.tls_ca_file and self.tls_cert and self.tls_key:
            return str(self.tls_ca_file), str(self.tls_cert), str(self.tls_key)
        return None


def is_own(address: str) -> bool:
    """Whether a Dask address can be reached from this machine alone: `inproc://`, `localhost`, 127.0.0.0/8 or ::1."""
    if address.startswith("inproc://"):
        return True
    host = host_of(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_of(address: str) -> str:
    """The host in `SCHEME://HOST:PORT`, without the brackets of an IPv6 address; the scheme may be missing."""
    place = address.rpartition("://")[2]
    return place.partition("]")[0][1:] if place.startswith("[") else place.partition(":")[0]
