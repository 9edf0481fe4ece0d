"""Records in other tools' formats. Values are raw: aggregates of ours are not invented here."""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from export.files import written_whole
from models.errors import UserError
from scripts.farm.formats.androidx import androidx_document
from scripts.farm.formats.pytorch_oss import oss_records
from scripts.farm.store.store import StoredRun
from scripts.records import Completed


class RecordFormat(StrEnum):
    """What `convert` writes."""

    PARQUET = "parquet"  # one row per timed call
    CSV = "csv"  # the same
    PYTORCH_V3 = "pytorch-v3"  # JSON list of PyTorch OSS benchmark database records
    ANDROIDX = "androidx"  # androidx.benchmark's benchmarkData.json


def write_records(runs: Iterable[StoredRun], to: RecordFormat, out: Path) -> int:
    """Write the completed runs that are no canaries.

    Returns:
        their number.

    Raises:
        UserError: there is none, or the format cannot hold these.
    """
    kept = [run for run in runs if isinstance(run.record.outcome, Completed) and not _is_canary(run)]
    if not kept:
        raise UserError("no completed run to convert; see: python -m scripts.farm status")
    out.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(out) as temporary:
        _WRITERS[to](kept, temporary)
    return len(kept)


def samples(run: StoredRun) -> Iterator[dict[str, object]]:
    """One row per timed call: what was run, the phase, where in the text, and nanoseconds."""
    row = run.row()
    facts = {name: row[name] for name in _FACTS}
    for prefill in run.record.prefill:
        for index, ns in enumerate(prefill.prefill_ns):
            position = prefill.prompt_length
            yield {**facts, "phase": "prefill", "position": position, "step": index, "forward_ns": None, "step_ns": ns}
    for decode in run.record.decode:
        for index, (forward_ns, step_ns) in enumerate(zip(decode.forward_ns, decode.step_ns, strict=True)):
            times = {"forward_ns": forward_ns, "step_ns": step_ns}
            yield {**facts, "phase": "decode", "position": decode.context, "step": index, **times}


_FACTS = (
    "campaign", "run_id", "cell", "block", "repetition", "queue_order", "attempt", "valid", "device_id", "device_kind",
    "device_model", "soc", "os", "os_version", "os_build", "harness_name", "harness_build", "runtime_name",
    "runtime_version", "charging", "content_id", "pair", "arm", "shape_name", "target", "scheme", "num_threads",
    "concerns", "started_utc",
)  # fmt: skip
_INTEGERS = {
    "repetition", "queue_order", "attempt", "valid", "charging", "num_threads", "position", "step", "forward_ns",
    "step_ns",
}  # fmt: skip


def _write_table(runs: list[StoredRun], path: Path, to: RecordFormat) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    names = (*_FACTS, "phase", "position", "step", "forward_ns", "step_ns")
    schema = pa.schema([(name, pa.int64() if name in _INTEGERS else pa.string()) for name in names])
    make = pyarrow.parquet.ParquetWriter if to is RecordFormat.PARQUET else pyarrow.csv.CSVWriter
    with make(path, schema) as writer:
        for run in runs:
            writer.write_table(pa.Table.from_pylist(list(samples(run)), schema))


def _write_parquet(runs: list[StoredRun], path: Path) -> None:
    _write_table(runs, path, RecordFormat.PARQUET)


def _write_csv(runs: list[StoredRun], path: Path) -> None:
    _write_table(runs, path, RecordFormat.CSV)


def _write_oss(runs: list[StoredRun], path: Path) -> None:
    import json

    records = [record for run in runs for record in oss_records(run.record)]
    path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def _write_androidx(runs: list[StoredRun], path: Path) -> None:
    import json

    path.write_text(json.dumps(androidx_document([run.record for run in runs]), indent=1) + "\n", encoding="utf-8")


def _is_canary(run: StoredRun) -> bool:
    plan = run.record.request.plan
    return plan is not None and plan.canary


_WRITERS: dict[RecordFormat, Callable[[list[StoredRun], Path], None]] = {
    RecordFormat.PARQUET: _write_parquet,
    RecordFormat.CSV: _write_csv,
    RecordFormat.PYTORCH_V3: _write_oss,
    RecordFormat.ANDROIDX: _write_androidx,
}
