"""Schemas of the store's two SQLite files.

The index can be made again from the records, so it has no migrations: one of another schema is emptied, and the store
fills it again. The state of devices cannot be made again: a file of another schema is refused.
"""

import sqlite3
import zlib

from models.errors import UserError

INDEX_SQL = """
CREATE TABLE run (
    campaign TEXT NOT NULL,
    run_id TEXT NOT NULL,
    slot_id TEXT NOT NULL,
    cell TEXT NOT NULL,
    block TEXT NOT NULL,
    repetition INTEGER NOT NULL,
    queue_order INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    canary INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    valid INTEGER NOT NULL,
    stage TEXT,
    failure TEXT,
    failure_class TEXT,
    message TEXT,
    device_id TEXT NOT NULL,
    device_kind TEXT NOT NULL,
    device_model TEXT NOT NULL,
    soc TEXT,
    os TEXT NOT NULL,
    os_version TEXT NOT NULL,
    os_build TEXT NOT NULL,
    harness_name TEXT NOT NULL,
    harness_build TEXT,
    runtime_name TEXT,
    runtime_version TEXT,
    charging INTEGER,
    content_id TEXT,
    session TEXT,
    pair TEXT,
    arm TEXT,
    shape_name TEXT,
    target TEXT,
    scheme TEXT,
    num_threads INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    concerns TEXT NOT NULL,
    started_utc TEXT NOT NULL,
    duration_ns INTEGER,
    record_sha256 TEXT NOT NULL,
    comparison_key TEXT,
    PRIMARY KEY (campaign, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_by_slot ON run (campaign, slot_id);
CREATE TRIGGER run_never_changes BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'records never change'); END;
CREATE TRIGGER run_never_goes BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE VIEW comparable AS
SELECT * FROM run WHERE outcome = 'completed' AND valid = 1 AND canary = 0;
"""
STATE_SQL = """
CREATE TABLE lease (
    device_id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    expires_s REAL NOT NULL
) STRICT;
CREATE TABLE changed (
    device_id TEXT NOT NULL,
    setting TEXT NOT NULL,
    prior TEXT NOT NULL,
    PRIMARY KEY (device_id, setting)
) STRICT;
CREATE TABLE quarantine (
    device_id TEXT PRIMARY KEY,
    until_s REAL NOT NULL,
    reason TEXT NOT NULL
) STRICT;
"""


def is_current_index(connection: sqlite3.Connection) -> bool:
    """Whether the file is an index of this schema; another one has to be replaced and filled in one transaction."""
    return _version(connection) == _fingerprint(INDEX_SQL)


def open_state(connection: sqlite3.Connection, name: str) -> None:
    """Make the tables of the devices' state.

    Raises:
        UserError: another version of this program wrote the file.
    """
    if _version(connection) not in (0, _fingerprint(STATE_SQL)):
        raise UserError(f"{name}: written by another version of deepnarrow; finish its campaigns with that version")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Two farms may begin at a time: the one that waited for the other's transaction finds nothing left to do.
        if _version(connection) == 0:
            _create(connection, STATE_SQL)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def replace_index(connection: sqlite3.Connection) -> None:
    """Drop everything and make it again, inside the caller's transaction."""
    for kind, name in connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'table')"
    ).fetchall():
        connection.execute(f'DROP {kind} "{name}"')
    _create(connection, INDEX_SQL)


def _create(connection: sqlite3.Connection, sql: str) -> None:
    for statement in _statements(sql):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {_fingerprint(sql)}")


def _fingerprint(sql: str) -> int:
    """A number for SQLite's `user_version`; another text, another number."""
    return zlib.crc32(sql.encode()) & 0x7FFFFFFF


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    """Split a script where SQLite itself says that a statement is complete; triggers hold semicolons."""
    found: list[str] = []
    pending = ""
    for piece in script.split(";")[:-1]:
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found
