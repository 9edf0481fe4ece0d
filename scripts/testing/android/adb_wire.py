"""The transport of adb's device side: messages, and streams with one message in flight, over a TCP socket.

Written from the protocol's description in AOSP (packages/modules/adb/protocol.txt); the client is the real adb program.
"""

import contextlib
import queue
import socket
import struct
import threading
from collections.abc import Callable

VERSION = 0x0100_0001  # from this version on checksums may be 0
MAX_DATA = 1 << 20
_HEADER = struct.Struct("<6I")


def _command(name: bytes) -> int:
    return int.from_bytes(name, "little")


CNXN, OPEN, OKAY = _command(b"CNXN"), _command(b"OPEN"), _command(b"OKAY")
CLSE, WRTE, AUTH = _command(b"CLSE"), _command(b"WRTE"), _command(b"AUTH")


class StreamClosedError(Exception):
    """The other side closed the stream, or the connection is gone."""


class Stream:
    """One service call of the host."""

    def __init__(self, connection: "Connection", local: int, remote: int, service: str) -> None:
        self.service = service
        self._connection, self._local, self._remote = connection, local, remote
        self._incoming: queue.SimpleQueue[memoryview | None] = queue.SimpleQueue()
        self._rest = memoryview(b"")
        self._ready = threading.Semaphore(0)
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._closed

    def write(self, data: bytes | memoryview) -> None:
        """Send all of `data`, waiting for the host to acknowledge each message.

        Raises:
            StreamClosedError: the host is not listening.
        """
        view = memoryview(data)
        for start in range(0, len(view), self._connection.max_data):
            if self._closed:
                raise StreamClosedError
            part = view[start : start + self._connection.max_data]
            self._connection.send(WRTE, self._local, self._remote, part)
            self._ready.acquire()

    def read_some(self, most: int) -> memoryview:
        """Up to `most` bytes, at least one.

        Raises:
            StreamClosedError: no more will come.
        """
        if not self._rest:
            message = None if self._closed and self._incoming.empty() else self._incoming.get()
            if message is None:
                raise StreamClosedError
            # Acknowledged when taken, so that a slow reader slows the sender down.
            self._connection.send(OKAY, self._local, self._remote)
            self._rest = message
        part, self._rest = self._rest[:most], self._rest[most:]
        return part

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes.

        Raises:
            StreamClosedError: the stream ends before.
        """
        parts: list[memoryview] = []
        missing = count
        while missing:
            parts.append(self.read_some(missing))
            missing -= len(parts[-1])
        return b"".join(parts)

    def receive(self, data: memoryview) -> None:
        """A message of the host arrived."""
        self._incoming.put(data)

    def acknowledge(self) -> None:
        """The host took our last message."""
        self._ready.release()

    def end(self) -> None:
        """Nothing more will come or go."""
        self._closed = True
        self._incoming.put(None)
        self._ready.release()


class Connection:
    """One host on one socket: reads messages until it ends, each service in a thread of its own."""

    def __init__(
        self, sock: socket.socket, banner: str, authorize: Callable[[], bool], serve: Callable[[Stream], None]
    ) -> None:
        self.max_data = 4096
        self._checksums = True
        self._socket, self._banner, self._authorize, self._serve = sock, banner, authorize, serve
        self._send_lock = threading.Lock()
        self._streams: dict[int, Stream] = {}
        self._next_id = 1

    def run(self) -> None:
        """Serve until either side ends the connection."""
        try:
            while True:
                command, first, second, length, _, _ = _HEADER.unpack(self._read(_HEADER.size))
                self._handle(command, first, second, self._read(length))
        except (OSError, EOFError, StreamClosedError):
            self.close()

    def close(self) -> None:
        """End the connection and all of its streams, as if the cable were pulled."""
        with contextlib.suppress(OSError):  # it may be gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for stream in list(self._streams.values()):
            stream.end()

    def send(self, command: int, first: int, second: int, data: bytes | memoryview = b"") -> None:
        """Send one message.

        Raises:
            StreamClosedError: the connection is gone.
        """
        checksum = sum(data) & 0xFFFF_FFFF if self._checksums else 0
        header = _HEADER.pack(command, first, second, len(data), checksum, command ^ 0xFFFF_FFFF)
        try:
            with self._send_lock:
                self._socket.sendall(header)
                if len(data):
                    self._socket.sendall(data)
        except OSError as error:
            raise StreamClosedError from error

    def _handle(self, command: int, first: int, second: int, data: memoryview) -> None:
        if command == CNXN:
            self._connect(first, second)
        elif command == AUTH:
            self._ask_for_key()
        elif command == OPEN:
            self._open(first, bytes(data).rstrip(b"\0").decode())
        elif command == WRTE and second in self._streams:
            self._streams[second].receive(data)
        elif command == OKAY and second in self._streams:
            self._streams[second].acknowledge()
        elif command == CLSE and (stream := self._streams.pop(second, None)):
            stream.end()
            # adb does not need the answer, other clients wait for it.
            self.send(CLSE, second, first)

    def _connect(self, version: int, max_data: int) -> None:
        if not self._authorize():
            self._ask_for_key()
            return
        self.max_data = min(MAX_DATA, max_data)
        self.send(CNXN, VERSION, MAX_DATA, self._banner.encode())
        self._checksums = version < VERSION

    def _ask_for_key(self) -> None:
        self.send(AUTH, 1, 0, bytes(20))

    def _open(self, remote: int, service: str) -> None:
        if not service.startswith(("shell", "exec:", "sync:")):
            self.send(CLSE, 0, remote)
            return
        stream = Stream(self, self._next_id, remote, service)
        self._streams[self._next_id] = stream
        self.send(OKAY, self._next_id, remote)
        threading.Thread(target=self._run_service, args=(stream, self._next_id, remote), daemon=True).start()
        self._next_id += 1

    def _run_service(self, stream: Stream, local: int, remote: int) -> None:
        try:
            self._serve(stream)
            if not stream.closed:
                self.send(CLSE, local, remote)
        except StreamClosedError:
            pass  # the host has gone; there is nobody to tell
        finally:
            self._streams.pop(local, None)

    def _read(self, count: int) -> memoryview:
        buffer = memoryview(bytearray(count))
        filled = 0
        while filled < count:
            got = self._socket.recv_into(buffer[filled:])
            if not got:
                raise EOFError
            filled += got
        return buffer
