"""`results`: deep beside wide, for every runtime and context that was measured under equal conditions.

The index tells which runs are valid (its view `comparable`), `scripts.records.comparable` which repeat each other, and
`scripts.analysis` what they say.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from export.console import print_json
from export.installation import Extra, install_hint
from models.errors import UserError
from scripts.farm.store.store import Store
from scripts.records import RECORD_FILE, RunRecord, read_record
from scripts.tables import TableFormat, write_tables

if TYPE_CHECKING:
    from scripts.analysis.pairs import PairVerdict


def comparable_records(store: Store, campaign: str) -> list[RunRecord]:
    """Valid, completed runs that are no canaries.

    Raises:
        UserError: there is none.
    """
    store.check_campaign(campaign)
    sql = "SELECT run_id FROM comparable WHERE campaign = ? ORDER BY device_id, queue_order"
    rows = store.index.query(sql, (campaign,))
    if not rows:
        raise UserError(f"campaign {campaign}: no valid runs in {store.root}; see: python -m scripts.farm status")
    return [read_record(store.root / campaign / row["run_id"] / RECORD_FILE) for row in rows]


def print_results(store: Store, campaign: str, form: TableFormat) -> None:
    """The verdict table of a campaign.

    Raises:
        UserError: nothing can be compared, or the statistics are not installed.
    """
    try:
        from scripts.analysis.cells import group_cells
        from scripts.analysis.metrics import MetricName
        from scripts.analysis.pairs import pair_verdicts
        from scripts.analysis.tables import metric_note, verdict_tables
    except ModuleNotFoundError as error:
        raise UserError(f"verdicts need {error.name}; {install_hint(Extra.REPORT)}") from error
    metric = MetricName.DECODE_P50_MS
    verdicts = pair_verdicts(group_cells(comparable_records(store, campaign)), metric)
    if not verdicts:
        raise UserError(f"campaign {campaign}: no pair has valid runs of both arms; see: python -m scripts.farm status")
    if form is TableFormat.JSON:
        print_json({"verdicts": list(_rows(verdicts))})
    else:
        write_tables(verdict_tables(verdicts, [""] * len(verdicts)), form, [metric_note(metric)])


def _rows(verdicts: "list[PairVerdict]") -> Iterator[dict[str, str | int | float | None]]:
    for each in verdicts:
        verdict = each.verdict
        yield {
            "setup": each.setup.label, "pair": each.pair, "context": each.at,
            "deep_ms": each.deep.median(each.metric, each.at), "wide_ms": each.wide.median(each.metric, each.at),
            "ratio": verdict.ratio, "interval": f"{verdict.low:.3f}..{verdict.high:.3f}", "deep_is": verdict.word,
            "runs": f"{verdict.n_a}+{verdict.n_b}", "reason": verdict.reason,
        }  # fmt: skip
