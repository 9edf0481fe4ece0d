"""What the farm must not forget about devices: leases, changed settings, quarantine (`state.sqlite`)."""

import os
import socket
import sqlite3
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from scripts.farm.store.index import connect
from scripts.farm.store.lock import is_alive
from scripts.farm.store.schema import open_state

STATE_FILE = "state.sqlite"
LEASE_S = 60.0
QUARANTINE_S = 1800.0


class DevicesState:
    """`state.sqlite`, shared by all farms that use one results folder."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._connection = connect(root / STATE_FILE)
        open_state(self._connection, str(root / STATE_FILE))
        self._owner, self._host, self._pid = uuid.uuid4().hex, socket.gethostname(), os.getpid()

    def close(self) -> None:
        """Close the file; leases stay."""
        self._connection.close()

    def lease(self, device_id: str) -> str | None:
        """Take or renew a device, in one transaction. A farm on this machine that has died holds nothing.

        Returns:
            None if it is ours now, else who has it.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        held = self._connection.execute("SELECT * FROM lease WHERE device_id = ?", (device_id,)).fetchone()
        if held is None or self._may_take(held):
            self._connection.execute(
                "INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?)",
                (device_id, self._owner, self._host, self._pid, time.time() + LEASE_S),
            )
            self._connection.execute("COMMIT")
            return None
        self._connection.execute("ROLLBACK")
        return f"process {held['pid']} on {held['host']}"

    def _may_take(self, held: sqlite3.Row) -> bool:
        if held["owner"] == self._owner or held["expires_s"] < time.time():
            return True
        return held["host"] == self._host and not is_alive(held["pid"])

    def release(self, device_id: str) -> None:
        """Give a device back."""
        self._connection.execute("DELETE FROM lease WHERE device_id = ? AND owner = ?", (device_id, self._owner))

    def remember(self, device_id: str, setting: str, prior: str) -> None:
        """Note a setting before it is changed. What was noted first is the truth: later values are our own."""
        self._connection.execute("INSERT OR IGNORE INTO changed VALUES (?, ?, ?)", (device_id, setting, prior))

    def changed(self, device_id: str) -> Mapping[str, str]:
        """Settings that were changed and not put back; not empty means that the device is dirty."""
        rows = self._connection.execute("SELECT setting, prior FROM changed WHERE device_id = ?", (device_id,))
        return {row["setting"]: row["prior"] for row in rows}

    def restored(self, device_id: str) -> None:
        """Everything is as it was."""
        self._connection.execute("DELETE FROM changed WHERE device_id = ?", (device_id,))

    def quarantine(self, device_id: str, reason: str) -> None:
        """Leave a device alone for a time."""
        row = (device_id, time.time() + QUARANTINE_S, reason)
        self._connection.execute("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)", row)

    def quarantined(self, device_id: str) -> str | None:
        """Why and for how long, or None."""
        sql = "SELECT until_s, reason FROM quarantine WHERE device_id = ? AND until_s > ?"
        row = self._connection.execute(sql, (device_id, time.time())).fetchone()
        if row is None:
            return None
        return f"for another {(row['until_s'] - time.time()) / 60:.0f} min: {row['reason']}"

    def end_quarantine(self, device_id: str) -> bool:
        """Use a device again at once; False if it was not in quarantine."""
        return bool(self._connection.execute("DELETE FROM quarantine WHERE device_id = ?", (device_id,)).rowcount)

    def quarantines(self) -> dict[str, str]:
        """All devices in quarantine."""
        ids = [row["device_id"] for row in self._connection.execute("SELECT device_id FROM quarantine")]
        return {each: reason for each in ids if (reason := self.quarantined(each))}
