"""State, step 1: who holds a device, what was changed on it, and which are in quarantine."""

SQL = """
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
