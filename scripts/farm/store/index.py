"""The index: one row per record, so that questions need no reading of thousands of files."""

import json
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from scripts.farm.store.schema import is_current_index, replace_index
from scripts.records import FAILURE_CLASS, Failed, RunRecord, Skipped
from scripts.records.comparable import comparison_key

INDEX_FILE = "index.sqlite"
BUSY_TIMEOUT_S = 30.0
_RETRY_S = 0.05
Row = dict[str, str | int | None]


def connect(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode: readers never wait for the writer, nor it for them. Transactions are explicit."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    connection.row_factory = sqlite3.Row
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Two processes that switch a new file at a time: SQLite refuses one of them at once, whatever the timeout."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_S)
        else:
            return


class Index:
    """`index.sqlite`.

    Attributes:
        is_current: the file has this version's schema; if not, `rebuild` makes it.
    """

    def __init__(self, root: Path) -> None:
        self._connection = connect(root / INDEX_FILE)
        self.is_current = is_current_index(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def insert(self, row: Row) -> None:
        """Add a record's row; one that is there stays as it is."""
        names = ", ".join(row)
        places = ", ".join(f":{name}" for name in row)
        self._connection.execute(f"INSERT OR IGNORE INTO run ({names}) VALUES ({places})", row)

    def rebuild(self, rows: Iterable[Row]) -> int:
        """Replace everything by `rows` in one transaction; readers see the old index or the new one.

        `rows` is read inside the transaction, so that the row of a record that a farm stores meanwhile comes after it.

        Returns:
            number of rows.
        """
        count = 0
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            replace_index(self._connection)
            for row in rows:
                self.insert(row)
                count += 1
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return count

    def query(self, sql: str, parameters: tuple[str | int, ...] = ()) -> list[sqlite3.Row]:
        """Rows of a SELECT."""
        return self._connection.execute(sql, parameters).fetchall()


def row_of(record: RunRecord, campaign: str, record_sha256: str) -> Row:
    """A record's row; a function of the record and its folder alone, so that an index can be rebuilt."""
    plan, outcome, device, artifact = record.request.plan, record.outcome, record.device, record.artifact
    failed = outcome if isinstance(outcome, Failed) else None
    before, runtime = record.environment_before, record.observed
    return {
        "campaign": campaign,
        "run_id": record.run_id,
        "slot_id": record.run_id.rsplit(".a", 1)[0],
        "cell": plan.cell if plan else "",
        "block": plan.block if plan else "",
        "repetition": plan.repetition if plan else 0,
        "queue_order": plan.order if plan else 0,
        "attempt": plan.attempt if plan else 0,
        "canary": int(plan.canary) if plan else 0,
        "outcome": outcome.kind,
        "valid": int(record.valid),
        "stage": failed.stage if failed else None,
        "failure": failed.failure if failed else None,
        "failure_class": FAILURE_CLASS[failed.failure] if failed else None,
        "message": outcome.message if isinstance(outcome, Failed | Skipped) else None,
        "device_id": plan.device_id if plan else "",
        "device_kind": device.kind,
        "device_model": device.model,
        "soc": device.soc,
        "os": device.os,
        "os_version": device.os_version,
        "os_build": device.os_build,
        "harness_name": record.harness.name,
        "harness_build": record.harness.build,
        "runtime_name": runtime.name if runtime else None,
        "runtime_version": runtime.version if runtime else None,
        "charging": None if before is None or before.plugged is None else int(before.plugged),
        "content_id": artifact.content_id if artifact else record.request.content_id,
        "session": record.request.session,
        "pair": artifact.pair if artifact else None,
        "arm": artifact.arm if artifact else None,
        "shape_name": artifact.shape_name if artifact else None,
        "target": artifact.target if artifact else None,
        "scheme": artifact.scheme if artifact else None,
        "num_threads": record.request.protocol.num_threads,
        "protocol": record.request.protocol.model_dump_json(),
        "concerns": json.dumps([concern.code for concern in record.concerns]),
        "started_utc": record.started_utc,
        "duration_ns": _int64(record.duration_ns),
        "record_sha256": record_sha256,
        "comparison_key": str(key) if (key := comparison_key(record)) else None,
    }


def _int64(value: int | None) -> int | None:
    """What SQLite cannot hold is no duration; the record keeps what the device has said."""
    return value if value is None or abs(value) < 1 << 63 else None
