"""Schemas of the store's two SQLite files, as numbered steps. A step that was released is never edited; add another."""

import sqlite3

from models.errors import UserError
from scripts.farm.migrations import m001_runs, s001_devices

INDEX_STEPS = (m001_runs.SQL,)
STATE_STEPS = (s001_devices.SQL,)


def migrate(connection: sqlite3.Connection, steps: tuple[str, ...], name: str) -> None:
    """Bring a file to the newest schema, in one transaction; `user_version` counts the steps done.

    Two farms may begin at a time: the one that waited for the other's transaction finds nothing left to do.

    Raises:
        UserError: a newer version of this program wrote the file.
    """
    if _version(connection, steps, name) == len(steps):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements("".join(steps[_version(connection, steps, name) :])):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def statements(script: str) -> list[str]:
    """Split a script where SQLite itself says that a statement is complete; triggers hold semicolons."""
    found: list[str] = []
    pending = ""
    for piece in script.split(";")[:-1]:
        pending += piece + ";"
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found


def _version(connection: sqlite3.Connection, steps: tuple[str, ...], name: str) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise UserError(f"{name}: schema {version} is of a newer version of deepnarrow; this one knows {len(steps)}")
    return version
