"""A phone that is a process: the real adb program talks to it, and its harness really runs models.

    python -m scripts.testing.android.fake_phone --root phones --port 16000 --count 2 \
        --harness-jar android_app/core/target/deepnarrow-harness.jar
    adb connect 127.0.0.1:16000

It speaks adb's device protocol over TCP on the loopback address, keeps a folder as its storage, and runs `am
instrument` as the desktop build of the Android harness. Its records carry `device.kind` "fake". See
`scripts.testing.android.faults` for what can be made to go wrong.
"""

import contextlib
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer

from export.console import run_app
from models.errors import UserError
from scripts.testing.android.adb_sync import SyncService
from scripts.testing.android.adb_wire import Connection, Stream, StreamClosedError
from scripts.testing.android.faults import Fault, Faults, parse_faults
from scripts.testing.android.personality import Personality, read_personality
from scripts.testing.android.phone_files import FileCommands
from scripts.testing.android.phone_instrument import ActivityCommands, Harness, java_harness
from scripts.testing.android.phone_services import ServiceCommands
from scripts.testing.android.phone_shell import ShellIo, run_line
from scripts.testing.android.phone_state import Death, PhoneState

FEATURES = "shell_v2,cmd,stat_v2,ls_v2,fixed_push_mkdir,sendrecv_v2"
STORAGE_BYTES = 16 << 30
OFFLINE_S = 2.0
ANDROID_S = 2.0  # until Android is up, after adb is
_OUT, _ERR, _EXIT = 1, 2, 3
_SHELL_HEAD = struct.Struct("<BI")


class FakePhone:
    """One phone.

    Args:
        port: on the loopback address; 0 takes a free one.
        storage_bytes: what `df` says the phone's storage holds.
    """

    def __init__(
        self, root: Path, serial: str, harness: Harness, *, personality: Personality | None = None,
        faults: Faults | None = None, port: int = 0, storage_bytes: int = STORAGE_BYTES,
    ) -> None:  # fmt: skip
        self.faults = faults or Faults()
        self.state = PhoneState(root, serial, personality or Personality(), self.faults)
        self._activities = ActivityCommands(self.state, harness, self.restart)
        files = FileCommands(self.state.locate, storage_bytes, self.state.wall_clock_s)
        services = ServiceCommands(self.state)
        self._commands = {**files.table(), **services.table(), **self._activities.table()}
        self._commands["reboot"] = self._reboot
        self._connections: set[Connection] = set()
        self._offline_until_s = 0.0
        self._pushed_bytes = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        """Accept hosts from now on, in threads."""
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Switch the phone off; its storage stays."""
        # A close alone leaves the thread that accepts with one more connection to take.
        with contextlib.suppress(OSError):  # macOS: a listener is not connected
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._activities.force_stop(Death.UNKNOWN)
        self.disconnect(0)

    def disconnect(self, seconds: float) -> None:
        """Fall off the bus; hosts are refused for so long."""
        self._offline_until_s = time.monotonic() + seconds
        for connection in list(self._connections):
            connection.close()

    def restart(self) -> None:
        """Restart: the run dies, volatile settings are lost, the bus is silent for a while, Android for longer."""
        self.state.boot(OFFLINE_S + ANDROID_S)
        self.disconnect(OFFLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # stopped
            if time.monotonic() < self._offline_until_s:
                sock.close()
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve_host, args=(sock,), daemon=True).start()

    def _serve_host(self, sock: socket.socket) -> None:
        connection = Connection(sock, self._banner(), self._authorized, self._serve)
        self._connections.add(connection)
        try:
            connection.run()
        finally:
            self._connections.discard(connection)

    def _banner(self) -> str:
        model = self.state.personality.model
        return f"device::ro.product.name={model};ro.product.model={model};ro.product.device=fake;features={FEATURES}"

    def _authorized(self) -> bool:
        return self.faults.value(Fault.UNAUTHORIZED) is None

    def _serve(self, stream: Stream) -> None:
        kind, _, command = stream.service.partition(":")
        if kind == "sync":
            SyncService(stream, self.state.locate, self.state.refuse_push, self._arrived).serve()
        elif "v2" in kind.split(","):
            self._serve_shell(stream, command)
        else:
            io = ShellIo(stream.write, stream.write, stream.read_some)
            run_line(command, self._commands, io)

    def _serve_shell(self, stream: Stream, command: str) -> None:
        lock = threading.Lock()

        def send(kind: int, data: bytes) -> None:
            with lock:
                stream.write(_SHELL_HEAD.pack(kind, len(data)) + data)

        io = ShellIo(lambda data: send(_OUT, data), lambda data: send(_ERR, data), _no_input)
        code = run_line(command, self._commands, io)
        send(_EXIT, bytes([code & 0xFF]))

    def _arrived(self, count: int) -> None:
        """Bytes of a push are here: slow them down, or fall off the bus."""
        if rate := self.faults.value(Fault.SLOW_LINK):
            time.sleep(count / float(rate))
        self._pushed_bytes += count
        limit = self.faults.value(Fault.DROP_PUSH)
        if limit is not None and self._pushed_bytes >= int(limit) and self.faults.strike(Fault.DROP_PUSH):
            self._pushed_bytes = 0
            self.disconnect(OFFLINE_S)

    def _reboot(self, _io: ShellIo, _words: list[str]) -> int:
        self._activities.force_stop(Death.UNKNOWN)
        self.restart()
        return 0


def _no_input(_: int) -> memoryview:
    raise StreamClosedError


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    root: Annotated[Path, typer.Option(help="Folder of the phones' storages; made if missing.")],
    harness_jar: Annotated[Path, typer.Option(help="Desktop build of the Android harness.")],
    port: Annotated[int, typer.Option(help="Port of the first phone.", min=1, max=65_000)] = 16_000,
    count: Annotated[int, typer.Option(help="Phones, on consecutive ports.", min=1, max=64)] = 1,
    serial: Annotated[str, typer.Option(help="Serial number; a second phone gets -2 behind it.")] = "FAKE0001",
    personality: Annotated[Path | None, typer.Option(help="TOML file: who the phone is.")] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help=f"NAME[=VALUE][xTIMES], repeatable: {', '.join(Fault)}.")
    ] = None,
) -> None:
    """Start phones that are processes; the real adb program reaches them with `adb connect 127.0.0.1:PORT`."""
    if not harness_jar.is_file():
        raise UserError(f"--harness-jar {harness_jar}: no such file; make it with mvn -f android_app/pom.xml package")
    who = read_personality(personality)
    for number in range(count):
        name = serial if number == 0 else f"{serial}-{number + 1}"
        phone = FakePhone(
            root / name, name, java_harness(harness_jar), personality=who, faults=parse_faults(fault or []),
            port=port + number,
        )  # fmt: skip
        phone.start()
        print(f"ready {phone.address} {name}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(run_app(app, "python -m scripts.testing.android.fake_phone"))
