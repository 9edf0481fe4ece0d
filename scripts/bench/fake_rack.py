"""A rack of fake phones for benchmarks of the farm: processes apart, behind one real adb server of their own."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from scripts.farm.android.server import HOME_VARIABLE, PORT_VARIABLE, own_server

# They stay cool: start limits cost nothing that is the farm's.
_PERSONALITY = "[thermal]\nbusy_celsius = 29.0\n"
_LAST_PORT = 60_000
CAMPAIGN_NAME = "rack"
_CAMPAIGN = """\
name = "rack"
artifacts_folder = "{artifacts}"
pairs = ["tiny"]
targets = ["onnx"]
schemes = ["int4"]
devices = [["kind:fake"]]
repetitions = {repetitions}
[protocol]
num_threads = 1
prompt_lengths = [16]
prefill_repetitions = 1
contexts = [0]
decode_steps = 8
warm_up_steps = 1
probe = {{buffer_bytes = 1048576, passes = 3}}
[discovery]
adb_connect = {addresses}
android_apk = "{apk}"
"""


@dataclass(frozen=True, slots=True)
class Rack:
    """Phones that answer.

    Attributes:
        addresses: for `adb connect`.
        apk: stands for the harness's package; the phones keep it unopened.
    """

    folder: Path
    addresses: tuple[str, ...]
    apk: Path

    def campaign_file(self, artifacts: Path, runs: int) -> Path:
        """A campaign of short runs of the pair `tiny`: `runs` on each phone, the canary apart."""
        path = self.folder / "campaign.toml"
        text = _CAMPAIGN.format(
            artifacts=artifacts.absolute(), repetitions=runs // 2, addresses=json.dumps(self.addresses), apk=self.apk
        )
        path.write_text(text, encoding="utf-8")
        return path


@contextlib.contextmanager
def fake_rack(
    folder: Path, count: int, jar: Path, *, java_options: str = "", link_bytes_per_s: int | None = None
) -> Generator[Rack]:  # fmt: skip
    """Start phones and an adb server on free ports; both are ended with the block.

    Args:
        folder: for everything that the phones and the server keep.
        count: number of phones.
        jar: desktop build of the Android harness.
        java_options: for the JVM of every run.
        link_bytes_per_s: towards each phone; None for what the loopback device gives.

    Raises:
        UserError: the harness is not built, or a phone does not start.
    """
    if not jar.is_file():
        raise UserError(f"--jar {jar}: no such file; make it: mvn -q -f android_app/pom.xml -pl core -am package")
    personality, apk = folder / "personality.toml", folder / "harness.apk"
    personality.write_text(_PERSONALITY, encoding="utf-8")
    apk.write_bytes(b"stands for the package")
    os.environ[PORT_VARIABLE], os.environ[HOME_VARIABLE] = str(_free_port()), str(folder / "adb")
    command = [
        sys.executable, "-m", "scripts.testing.android.fake_phone", "--root", str(folder / "phones"),
        "--harness-jar", str(jar),
        "--port", str(_free_ports(count)), "--count", str(count), "--personality", str(personality),
    ]  # fmt: skip
    command += [] if link_bytes_per_s is None else ["--fault", f"slow-link={link_bytes_per_s}"]
    environment = {**os.environ, "JDK_JAVA_OPTIONS": java_options}
    phones = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        yield Rack(folder, tuple(_address(phones) for _ in range(count)), apk)
    finally:
        asyncio.run(own_server().run(["kill-server"]))
        phones.terminate()
        phones.wait()


def _address(phones: subprocess.Popen[str]) -> str:
    assert phones.stdout
    words = phones.stdout.readline().split()
    if words[:1] != ["ready"]:
        raise UserError("a fake phone did not start; its message is above")
    return words[1]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    for first in range(16_000, _LAST_PORT, count):
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise UserError(f"no {count} free ports in a row")


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
