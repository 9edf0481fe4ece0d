"""`results`: deep beside wide, for every runtime and context that was measured under equal conditions.

The index decides which runs may be compared (its view `comparable`), `scripts.analysis` what they say.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from export.console import print_json
from export.installation import Extra, install_hint
from models.errors import UserError
from scripts.console import print_table
from scripts.farm.store.store import Store
from scripts.records import RECORD_FILE, RunRecord, read_record

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


def print_results(store: Store, campaign: str, as_json: bool) -> None:
    """The verdict table of a campaign.

    Raises:
        UserError: nothing can be compared, or the statistics are not installed.
    """
    try:
        from scripts.analysis.cells import group_cells
        from scripts.analysis.pairs import pair_verdicts
    except ModuleNotFoundError as error:
        raise UserError(f"verdicts need {error.name}; {install_hint(Extra.REPORT)}") from error
    verdicts = pair_verdicts(group_cells(comparable_records(store, campaign)))
    if not verdicts:
        raise UserError(f"campaign {campaign}: no pair has valid runs of both arms; see: python -m scripts.farm status")
    rows = list(_rows(verdicts))
    if as_json:
        print_json({"verdicts": rows})
        return
    columns = ("setup", "pair", ">context", ">deep ms", ">wide ms", ">deep/wide", ">95 % interval", "deep is", ">runs",
               "because")  # fmt: skip
    print_table(columns, [tuple(_cell(value) for value in row.values()) for row in rows])
    print("ms: median over runs of each run's median decode step, the runtime's call alone")


def _rows(verdicts: "list[PairVerdict]") -> Iterator[dict[str, str | int | float | None]]:
    for each in verdicts:
        verdict = each.verdict
        yield {
            "setup": each.setup.label, "pair": each.pair, "context": each.at,
            "deep_ms": each.deep.median(each.metric, each.at), "wide_ms": each.wide.median(each.metric, each.at),
            "ratio": verdict.ratio, "interval": f"{verdict.low:.3f}..{verdict.high:.3f}", "deep_is": verdict.word,
            "runs": f"{verdict.n_a}+{verdict.n_b}", "reason": verdict.reason,
        }  # fmt: skip


def _cell(value: str | int | float | None) -> str | int | None:
    return f"{value:.3f}" if isinstance(value, float) else value
