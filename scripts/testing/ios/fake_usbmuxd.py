"""An iPhone behind a usbmuxd socket, for the unmodified program `ios` of go-ios.

    python -m scripts.testing.ios.fake_usbmuxd SOCKET FOLDER
    USBMUXD_SOCKET_ADDRESS=SOCKET ios list

It speaks usbmuxd's messages, lockdown without TLS, house_arrest with AFC on a folder, installation_proxy and
diagnostics_relay, as far as the farm's commands need them. Instruments (launch, kill) and installing are not imitated:
asked for them, lockdown answers InvalidService, as an iPhone without the developer image does.
"""

import contextlib
import plistlib
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.testing.ios.fake_iphone import BUILD, BUNDLE_ID, FAKE_KEY, VERSION

UDID = "00008110-000A11112222801E"
LOCKDOWN_PORT = 62_078
HOUSE_ARREST, APPS, DIAGNOSTICS = 50_001, 50_002, 50_003
SERVICES = {
    "com.apple.mobile.house_arrest": HOUSE_ARREST,
    "com.apple.mobile.installation_proxy": APPS,
    "com.apple.mobile.diagnostics_relay": DIAGNOSTICS,
}
VALUES = {
    "ProductType": "iPhone17,1", "ProductVersion": "16.7", "BuildVersion": "20H19", "UniqueDeviceID": UDID,
    "DeviceName": "double", FAKE_KEY: True,
}  # fmt: skip
APP = {
    "CFBundleIdentifier": BUNDLE_ID, "CFBundleShortVersionString": VERSION, "CFBundleVersion": BUILD,
    "ApplicationType": "User", "UIFileSharingEnabled": True,
}  # fmt: skip
BATTERY = {"Temperature": 3050, "CurrentCapacity": 81, "IsCharging": False, "ExternalConnected": True, "Voltage": 4100}
PAIR_RECORD = {
    "HostID": "H", "SystemBUID": "B", "DeviceCertificate": b"", "HostCertificate": b"", "HostPrivateKey": b"",
    "RootCertificate": b"", "RootPrivateKey": b"", "EscrowBag": b"", "WiFiMACAddress": "",
}  # fmt: skip
_MUX_HEAD = struct.Struct("<IIII")
_AFC_HEAD = struct.Struct("<8sQQQQ")
_AFC_MAGIC, _AFC_OK, _AFC_UNKNOWN, _AFC_NOT_FOUND = b"CFA6LPAA", 0, 1, 8
_STATUS, _DATA, _HANDLE = 1, 2, 0x0E  # kinds of AFC's answers


class FakeUsbmuxd:
    """The service.

    Args:
        path: of its socket.
        container: folder that is the app's container.
        connections: how the phone is listed: once for each.
        paired: False for a phone that has not been trusted.
    """

    def __init__(
        self, path: Path, container: Path, connections: tuple[str, ...] = ("USB",), *, paired: bool = True
    ) -> None:
        self._container, self._connections, self._paired = container, connections, paired
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def serve(self) -> None:
        """Take connections, each in a thread, until `close`."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._guard, args=(connection,), daemon=True).start()

    def close(self) -> None:
        """Take no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _guard(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(EOFError, OSError):
            port = self._mux(connection)
            if port == LOCKDOWN_PORT:
                _lockdown(connection)
            elif port == HOUSE_ARREST:
                _receive(connection)
                _send(connection, {"Status": "Complete"})
                _Afc(connection, self._container).serve()
            elif port == APPS:
                _receive(connection)
                listed = {"Status": "BrowsingApplications", "CurrentAmount": 1, "CurrentIndex": 0, "CurrentList": [APP]}
                _send(connection, listed)
                _send(connection, {"Status": "Complete"})
            else:
                while True:
                    _receive(connection)
                    _send(connection, {"Status": "Success", "Diagnostics": {"IORegistry": BATTERY}})

    def _mux(self, connection: socket.socket) -> int:
        """Answer usbmuxd's own messages; returns the port of the phone that was asked for."""
        while True:
            size, _, _, tag = _MUX_HEAD.unpack(_take(connection, _MUX_HEAD.size))
            asked = plistlib.loads(_take(connection, size - _MUX_HEAD.size))
            answer: dict[str, Any] = {"MessageType": "Result", "Number": 0}
            match asked["MessageType"]:
                case "ListDevices":
                    answer = {"DeviceList": list(self._listed())}
                case "ReadPairRecord" if self._paired:
                    answer = {"PairRecordData": plistlib.dumps(PAIR_RECORD)}
                case "ReadPairRecord":
                    answer["Number"] = 2
                case _:
                    pass
            body = plistlib.dumps(answer)
            connection.sendall(_MUX_HEAD.pack(_MUX_HEAD.size + len(body), 1, 8, tag) + body)
            if asked["MessageType"] == "Connect":
                return socket.ntohs(asked["PortNumber"])

    def _listed(self) -> Iterator[dict[str, Any]]:
        for number, kind in enumerate(self._connections, start=1):
            properties = {"ConnectionType": kind, "DeviceID": number, "ProductID": 4776, "SerialNumber": UDID}
            yield {"DeviceID": number, "MessageType": "Attached", "Properties": properties}


def _lockdown(connection: socket.socket) -> None:
    while True:
        asked = _receive(connection)
        answer: dict[str, Any] = {"Request": asked["Request"]}
        match asked["Request"]:
            case "StartSession":
                answer |= {"EnableSessionSSL": False, "SessionID": "S"}
            case "GetValue":
                answer["Value"] = VALUES.get(asked["Key"], "") if asked.get("Key") else VALUES
            case "StartService" if asked["Service"] in SERVICES:
                answer |= {"Service": asked["Service"], "Port": SERVICES[asked["Service"]], "EnableServiceSSL": False}
            case "StartService":
                answer["Error"] = "InvalidService"
            case "QueryType":
                answer["Type"] = "com.apple.mobile.lockdown"
            case _:
                pass
        _send(connection, answer)


class _Afc:
    """Apple's file protocol on a folder."""

    def __init__(self, connection: socket.socket, root: Path) -> None:
        self._connection, self._root = connection, root
        self._files: dict[int, Any] = {}

    def serve(self) -> None:
        """Answer operations until the host goes."""
        while True:
            _, whole, this, packet, operation = _AFC_HEAD.unpack(_take(self._connection, _AFC_HEAD.size))
            head, body = _take(self._connection, this - _AFC_HEAD.size), _take(self._connection, whole - this)
            try:
                kind, extra, data = self._do(operation, head, body)
            except FileNotFoundError:
                kind, extra, data = _STATUS, struct.pack("<Q", _AFC_NOT_FOUND), b""
            size = _AFC_HEAD.size + len(extra)
            answer = _AFC_HEAD.pack(_AFC_MAGIC, size + len(data), size, packet, kind)
            self._connection.sendall(answer + extra + data)

    def _do(self, operation: int, head: bytes, body: bytes) -> tuple[int, bytes, bytes]:
        """(kind, header, payload) of the answer."""
        match operation:
            case 0x0A:
                return _DATA, b"", _texts(*self._facts(self._place(head)))
            case 0x03:
                return _DATA, b"", _texts(".", "..", *(child.name for child in self._place(head).iterdir()))
            case 0x0D:
                return _HANDLE, struct.pack("<Q", self._open(head)), b""
            case 0x0F:
                handle, size = struct.unpack("<QQ", head[:16])
                return _DATA, b"", self._files[handle].read(size)
            case 0x10:
                self._files[struct.unpack("<Q", head[:8])[0]].write(body)
            case 0x14:
                self._files.pop(struct.unpack("<Q", head[:8])[0]).close()
            case 0x09:
                self._place(head).mkdir(parents=True, exist_ok=True)
            case 0x08 | 0x22:
                self._remove(self._place(head))
            case _:
                return _STATUS, struct.pack("<Q", _AFC_UNKNOWN), b""
        return _STATUS, struct.pack("<Q", _AFC_OK), b""

    def _place(self, raw: bytes) -> Path:
        place = (self._root / raw.split(b"\0")[0].decode().lstrip("/")).resolve()
        if not place.is_relative_to(self._root.resolve()):
            raise FileNotFoundError(place)
        return place

    def _open(self, head: bytes) -> int:
        mode = "rb" if struct.unpack("<Q", head[:8])[0] == 1 else "wb"
        handle = max(self._files, default=0) + 1
        self._files[handle] = self._place(head[8:]).open(mode)
        return handle

    def _facts(self, place: Path) -> tuple[str, ...]:
        found = place.stat()
        kind = "S_IFDIR" if place.is_dir() else "S_IFREG"
        return ("st_size", str(found.st_size), "st_blocks", "1", "st_nlink", "1", "st_ifmt", kind, "st_mtime", "0",
                "st_birthtime", "0")  # fmt: skip

    def _remove(self, place: Path) -> None:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()


def _texts(*texts: str) -> bytes:
    return b"".join(text.encode() + b"\0" for text in texts)


def _take(connection: socket.socket, count: int) -> bytes:
    data = connection.recv(count, socket.MSG_WAITALL) if count else b""
    if len(data) < count:
        raise EOFError
    return data


def _receive(connection: socket.socket) -> dict[str, Any]:
    return plistlib.loads(_take(connection, struct.unpack(">I", _take(connection, 4))[0]))


def _send(connection: socket.socket, value: dict[str, Any]) -> None:
    body = plistlib.dumps(value)
    connection.sendall(struct.pack(">I", len(body)) + body)


if __name__ == "__main__":
    (Path(sys.argv[2]) / "Documents").mkdir(parents=True, exist_ok=True)
    FakeUsbmuxd(Path(sys.argv[1]), Path(sys.argv[2])).serve()
