"""`status`: records of each cell, counted by outcome."""

from export.console import print_json, say
from scripts.console import print_table
from scripts.farm.store.store import Store

_SQL = """
SELECT campaign, device_id, cell,
    SUM(outcome = 'completed' AND valid) AS completed,
    SUM(outcome = 'completed' AND NOT valid) AS invalid,
    SUM(outcome = 'skipped') AS skipped,
    SUM(outcome = 'failed' AND failure_class = 'INFRA') AS device_failures,
    SUM(outcome = 'failed' AND failure_class != 'INFRA') AS failed,
    MAX(started_utc) AS last_started
FROM run WHERE campaign = ? OR ? = '' GROUP BY campaign, device_id, cell ORDER BY campaign, device_id, MIN(queue_order)
"""


def print_status(store: Store, campaign: str | None, as_json: bool) -> None:
    """One row per campaign, device and cell.

    Raises:
        UserError: no record of that campaign.
    """
    if campaign:
        store.check_campaign(campaign)
    rows = [dict(row) for row in store.index.query(_SQL, (campaign or "", campaign or ""))]
    if as_json:
        print_json({"cells": rows})
        return
    if not rows:
        say(f"no records in {store.root}")
        return
    columns = ("campaign", "device", "cell", ">completed", ">invalid", ">skipped", ">device failed", ">run failed",
               "last started")  # fmt: skip
    print_table(columns, [tuple(row.values()) for row in rows])
