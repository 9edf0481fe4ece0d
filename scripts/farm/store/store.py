"""The store: results/<campaign>/<run_id>/record.json and done.json are the truth, the index follows them.

A run's folder is written beside its place, flushed and renamed, and its row is inserted after. A farm that dies in
between leaves a record without a row, which the next start adds.
"""

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from export.manifest import sha256
from models.errors import UserError
from scripts.farm.store.index import Index, Row, row_of
from scripts.farm.store.lock import is_alive
from scripts.records import DONE_FILE, RECORD_FILE, FailureClass, RunRecord, read_finished_record
from scripts.records import write_done as write_done_file
from scripts.records import write_record as write_record_file

INCOMING = ".incoming-"
# A note beside a record, which itself never changes: somebody wants this run of a slot to be done again.
RETRY_FILE = "retry"
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A finished run on the disk."""

    campaign: str
    folder: Path
    record: RunRecord

    def row(self) -> Row:
        """For the index."""
        return row_of(self.record, self.campaign, sha256(self.folder / RECORD_FILE))


class Store:
    """One results folder."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.index = Index(root)
        if not self.index.is_current:
            self.reindex()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.index.__exit__(kind, error, trace)

    def add(self, campaign: str, record: RunRecord) -> Path:
        """Keep a record for good.

        Returns:
            its folder.

        Raises:
            UserError: there is one with this id already; records never change.
        """
        folder = self.root / campaign / record.run_id
        if folder.exists():
            raise UserError(f"{folder} exists; a run is recorded once")
        incoming = folder.with_name(f"{INCOMING}{os.getpid()}-{record.run_id}")
        is_first = not folder.parent.exists()
        write_record_file(record, incoming)
        write_done_file(record.run_id, incoming)
        _flush(incoming)
        incoming.rename(folder)
        _flush(folder.parent)
        if is_first:
            _flush(self.root)
        self.index.insert(StoredRun(campaign, folder, record).row())
        return folder

    def catch_up(self, campaign: str) -> list[str]:
        """Index what a farm that died has left without a row, and remove what it was still writing.

        Where rows have lost their records, because somebody removed these to measure again, the index is rebuilt.

        Returns:
            one line for each folder that holds no finished record of ours.
        """
        for leftover in self.root.joinpath(campaign).glob(f"{INCOMING}*"):
            if not _is_being_written(leftover):
                shutil.rmtree(leftover)
        known = {row["run_id"] for row in self.index.query("SELECT run_id FROM run WHERE campaign = ?", (campaign,))}
        folders, problems = _run_folders(self.root / campaign), list[str]()
        if known - {folder.name for folder in folders}:
            return self.reindex()[1]
        for folder in folders:
            if folder.name not in known and (found := _read(folder, problems)):
                self.index.insert(found.row())
        return problems

    def reindex(self) -> tuple[int, list[str]]:
        """Rebuild the index from the files.

        Returns:
            number of runs, and one line for each folder that was skipped.
        """
        problems: list[str] = []
        return self.index.rebuild(self._rows(problems)), problems

    def runs(self, campaign: str | None, problems: list[str]) -> Iterator[StoredRun]:
        """Finished runs from the files, one at a time; what is truncated or foreign adds a line to `problems`."""
        for folder in sorted(self._campaigns(campaign)):
            for run in _run_folders(folder):
                if found := _read(run, problems):
                    yield found

    def finished_slots(self, campaign: str) -> set[str]:
        """Slots that need no run any more: completed, or failed for reasons that are not the device's.

        A canary counts only if it completed. Skipped runs and the device's failures leave a slot open for the next
        farm: a phone cools down, and a cable is plugged in again. So do failures that `reopen` has marked.
        """
        rows = self.index.query(
            "SELECT slot_id, run_id, outcome FROM run WHERE campaign = ? AND "
            "(outcome = 'completed' OR (canary = 0 AND outcome = 'failed' AND failure_class != ?))",
            (campaign, FailureClass.INFRA),
        )
        return {
            row["slot_id"] for row in rows
            if row["outcome"] == "completed" or not (self.root / campaign / row["run_id"] / RETRY_FILE).exists()
        }  # fmt: skip

    def reopen(self, campaign: str, classes: Collection[FailureClass]) -> list[str]:
        """Let the next farm fill the slots whose runs failed in one of these classes and did not complete since.

        Returns:
            ids of the runs that were marked now.

        Raises:
            UserError: there is no campaign of that name.
        """
        self.check_campaign(campaign)
        self.catch_up(campaign)
        sql = "SELECT slot_id, run_id, outcome, failure_class FROM run WHERE campaign = ? ORDER BY run_id"
        rows = self.index.query(sql, (campaign,))
        completed = {row["slot_id"] for row in rows if row["outcome"] == "completed"}
        marked: list[str] = []
        for row in rows:
            mark = self.root / campaign / row["run_id"] / RETRY_FILE
            is_wanted = row["outcome"] == "failed" and row["failure_class"] in classes
            if is_wanted and row["slot_id"] not in completed and not mark.exists():
                mark.touch()
                marked.append(row["run_id"])
        return marked

    def next_attempt(self, campaign: str, slot_id: str) -> int:
        """The number after the highest that has a folder; also of folders that are damaged, which stay as they are."""
        names = (path.name for path in self.root.joinpath(campaign).glob(f"{slot_id}.a*"))
        numbers = [int(end) for name in names if (end := name.removeprefix(f"{slot_id}.a")).isdecimal()]
        return max(numbers, default=-1) + 1

    def check_campaign(self, campaign: str) -> None:
        """See that there are records.

        Raises:
            UserError: there is no campaign of that name.
        """
        if not (self.root / campaign).is_dir():
            known = ", ".join(sorted(path.name for path in self._campaigns(None))) or "none"
            raise UserError(f"campaign {campaign}: no records in {self.root}; campaigns there: {known}")

    def only_campaign(self) -> str:
        """The name of the campaign, where there is one.

        Raises:
            UserError: there are none or several.
        """
        names = sorted(path.name for path in self._campaigns(None))
        if len(names) != 1:
            raise UserError(f"{self.root}: name one of its campaigns: {', '.join(names) or 'none yet'}")
        return names[0]

    def _campaigns(self, campaign: str | None) -> list[Path]:
        if campaign is not None:
            self.check_campaign(campaign)
            return [self.root / campaign]
        return [path for path in self.root.iterdir() if path.is_dir() and not path.name.startswith(".")]

    def _rows(self, problems: list[str]) -> Iterator[Row]:
        for run in self.runs(None, problems):
            yield run.row()


def _read(folder: Path, problems: list[str]) -> StoredRun | None:
    try:
        record = read_finished_record(folder)
    except (UserError, OSError) as error:
        problems.append(f"skipped: {error}")
        return None
    if record.run_id != folder.name:
        problems.append(f"skipped: {folder / RECORD_FILE}: of run {record.run_id}, in the folder of another")
        return None
    return StoredRun(folder.parent.name, folder, record)


def _is_being_written(incoming: Path) -> bool:
    """Whether the farm whose process id is in the name still runs; this one writes nothing while it looks."""
    pid = incoming.name.removeprefix(INCOMING).partition("-")[0]
    return not pid.isdecimal() or (int(pid) != os.getpid() and is_alive(int(pid)))


def _run_folders(campaign: Path) -> list[Path]:
    if not campaign.is_dir():
        return []
    return sorted(path for path in campaign.iterdir() if path.is_dir() and not path.name.startswith("."))


def _flush(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["DONE_FILE", "MAX_ATTEMPTS", "RECORD_FILE", "Store", "StoredRun"]
