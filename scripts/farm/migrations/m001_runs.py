"""Index, step 1: one row per record, insert-only, and the view that comparisons go through."""

SQL = """
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
    job_id TEXT,
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
    PRIMARY KEY (campaign, run_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_by_slot ON run (campaign, slot_id);
CREATE TRIGGER run_never_changes BEFORE UPDATE ON run BEGIN SELECT RAISE(ABORT, 'records never change'); END;
CREATE TRIGGER run_never_goes BEFORE DELETE ON run BEGIN SELECT RAISE(ABORT, 'records are never deleted'); END;
CREATE VIEW comparable AS
SELECT *, json_array(
    device_kind, device_id, os_build, harness_name, harness_build, runtime_name, runtime_version, charging, target,
    scheme, protocol
) AS comparison_key
FROM run WHERE outcome = 'completed' AND valid = 1 AND canary = 0;
"""
