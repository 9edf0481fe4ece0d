"""Schemas of the store's two SQLite files, as numbered steps. A step that was released is never edited; add another."""

import sqlite3

from models.errors import UserError
from scripts.farm.migrations import m001_runs, s001_devices

INDEX_STEPS = (m001_runs.SQL,)
STATE_STEPS = (s001_devices.SQL,)


def migrate(connection: sqlite3.Connection, steps: tuple[str, ...], name: str) -> None:
    """Bring a file to the newest schema, in one transaction; `user_version` counts the steps done.

    Raises:
        UserError: a newer version of this program wrote the file.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise UserError(f"{name}: schema {version} is of a newer version of deepnarrow; this one knows {len(steps)}")
    if version == len(steps):
        return
    script = "".join(steps[version:])
    connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {len(steps)}; COMMIT;")
