"""The store: records are immutable, the index is rebuilt from them, damage is told and skipped."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.errors import UserError
from scripts.farm.store.index import INDEX_FILE, Index
from scripts.farm.store.state import STATE_FILE, DevicesState
from scripts.farm.store.store import INCOMING, Store, StoredRun
from scripts.records import Failed, FailureClass, FailureKind, RunRecord, Skipped, Stage
from scripts.records.comparable import comparison_key
from tests.limits import HUNG_S


def variant(golden: RunRecord, number: int, **changes: object) -> RunRecord:
    plan = golden.request.plan
    assert plan is not None
    plan = plan.model_copy(update={"repetition": number, "order": number, "attempt": 0})
    request = golden.request.model_copy(update={"run_id": f"cell.r{number}.a0", "plan": plan})
    return golden.model_copy(update={"request": request, **changes})


def rows(root: Path) -> list[tuple[object, ...]]:
    with Store(root) as store:
        return [tuple(row) for row in store.index.query("SELECT * FROM run ORDER BY campaign, run_id")]


def filled(root: Path, golden: RunRecord, count: int = 4) -> Path:
    with Store(root) as store:
        for number in range(count):
            store.add("c", variant(golden, number))
        store.add("c", variant(golden, 98, outcome=Skipped(message="hot")))
        failed = Failed(stage=Stage.LOAD, failure=FailureKind.OUT_OF_MEMORY, message="no memory")
        store.add("d", variant(golden, 99, outcome=failed))
    return root


def test_reindex_gives_the_same_index(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    before = rows(tmp_path)
    with Store(tmp_path) as store:
        assert store.reindex() == (6, [])
    assert rows(tmp_path) == before
    for name in tmp_path.glob(f"{INDEX_FILE}*"):
        name.unlink()
    with Store(tmp_path) as store:
        store.reindex()
    assert rows(tmp_path) == before
    assert len(before) == 6


def test_damaged_and_foreign_files_are_told_and_skipped(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    truncated = tmp_path / "c" / "cell.r0.a0" / "record.json"
    truncated.write_bytes(truncated.read_bytes()[:500])
    edited = tmp_path / "c" / "cell.r1.a0" / "record.json"
    edited.write_text(edited.read_text().replace('"Phone 1"', '"Phone 2"'))
    (tmp_path / "c" / "cell.r2.a0" / "done.json").unlink()
    (tmp_path / "c" / "notes").mkdir()
    (tmp_path / "c" / "notes" / "record.json").write_text('{"mine": 1}')
    (tmp_path / "c" / "cell.r3.a0").rename(tmp_path / "c" / "renamed")
    (tmp_path / "c" / "README.txt").write_text("not a run")
    with Store(tmp_path) as store:
        count, problems = store.reindex()
    assert count == 2
    assert len(problems) == 5
    assert all(problem.startswith("skipped: ") and "\n" not in problem for problem in problems)


def test_a_record_without_a_row_is_found_and_half_written_ones_go(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    with sqlite3.connect(tmp_path / INDEX_FILE) as index:
        index.execute("DROP TRIGGER run_never_goes")
        index.execute("DELETE FROM run WHERE run_id = 'cell.r2.a0'")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    of_the_dead = tmp_path / "c" / f"{INCOMING}{dead.pid}-cell.r9.a0"
    of_the_living = tmp_path / "c" / f"{INCOMING}{os.getppid()}-cell.r10.a0"
    of_the_dead.mkdir()
    of_the_living.mkdir()
    with Store(tmp_path) as store:
        assert store.catch_up("c") == []
        assert "cell.r2" in store.finished_slots("c")
    assert not of_the_dead.exists()
    assert of_the_living.exists()


def test_runs_whose_records_were_removed_are_to_do_again(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    shutil.rmtree(tmp_path / "c" / "cell.r2.a0")
    with Store(tmp_path) as store:
        assert store.catch_up("c") == []
        assert "cell.r2" not in store.finished_slots("c")
        assert "cell.r1" in store.finished_slots("c")


def test_records_and_rows_never_change(tmp_path: Path, golden: RunRecord) -> None:
    with Store(tmp_path) as store:
        folder = store.add("c", variant(golden, 0))
        content = (folder / "record.json").read_bytes()
        with pytest.raises(UserError, match="recorded once"):
            store.add("c", variant(golden, 0, started_utc="2030-01-01T00:00:00Z"))
        assert (folder / "record.json").read_bytes() == content
    with sqlite3.connect(tmp_path / INDEX_FILE) as index:
        for statement in ("UPDATE run SET valid = 0", "DELETE FROM run"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                index.execute(statement)


def test_which_slots_are_finished(tmp_path: Path, golden: RunRecord) -> None:
    infra = Failed(stage=Stage.ENVIRONMENT, failure=FailureKind.DEVICE, message="offline")
    hung = Failed(stage=Stage.DECODE, failure=FailureKind.HUNG, message="no sign of life")
    with Store(tmp_path) as store:
        store.add("c", variant(golden, 0, outcome=infra))
        store.add("c", variant(golden, 1, outcome=hung))
        store.add("c", variant(golden, 2, outcome=Skipped(message="hot")))
        store.add("c", variant(golden, 3))
        assert store.finished_slots("c") == {"cell.r1", "cell.r3"}
        for attempt in (1, 2):
            store.add("c", attempted(variant(golden, 0, outcome=infra), attempt))
        assert "cell.r0" not in store.finished_slots("c")
        store.add("c", attempted(variant(golden, 0), 3))
        assert "cell.r0" in store.finished_slots("c")


def test_a_class_that_was_final_can_be_opened_again(tmp_path: Path, golden: RunRecord) -> None:
    crashed = Failed(stage=Stage.DECODE, failure=FailureKind.CRASHED, message="Process crashed.")
    hung = Failed(stage=Stage.DECODE, failure=FailureKind.HUNG, message="no sign of life")
    with Store(tmp_path) as store:
        store.add("c", variant(golden, 0, outcome=crashed))
        store.add("c", variant(golden, 1, outcome=hung))
        store.add("c", variant(golden, 2, outcome=crashed))
        store.add("c", attempted(variant(golden, 2), 1))
        before = (tmp_path / "c" / "cell.r0.a0" / "record.json").read_bytes()
        assert store.reopen("c", [FailureClass.HARNESS]) == ["cell.r0.a0"], "cell.r2 has completed since"
        assert store.finished_slots("c") == {"cell.r1", "cell.r2"}
        assert store.reopen("c", [FailureClass.HARNESS]) == [], "once is enough"
        store.reindex()
        assert store.finished_slots("c") == {"cell.r1", "cell.r2"}, "the mark is beside the record, not in the index"
        store.add("c", attempted(variant(golden, 0, outcome=crashed), 1))
        assert "cell.r0" in store.finished_slots("c"), "the new attempt is final again"
        assert store.reopen("c", [FailureClass.HARNESS, FailureClass.HUNG]) == ["cell.r0.a1", "cell.r1.a0"]
        with pytest.raises(UserError, match="no records"):
            store.reopen("none", [FailureClass.HUNG])
    assert (tmp_path / "c" / "cell.r0.a0" / "record.json").read_bytes() == before


def test_the_command_that_opens_them(tmp_path: Path, golden: RunRecord) -> None:
    def retry(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scripts.farm", "retry", *words, "--results", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=HUNG_S, check=False)

    filled(tmp_path, golden)
    done = retry("d", "--class", "OOM")
    assert (done.returncode, done.stdout) == (0, "cell.r99.a0\n")
    assert "1 runs of d are open again" in done.stderr
    for words, expected in (
        (("d", "--class", "INFRA"), "choose from HARNESS, MODEL, OOM, HUNG"),
        (("d", "--class", "PHONE"), "'PHONE'"),
        (("none", "--class", "OOM"), "campaigns there: c, d"),
    ):
        refused = retry(*words)
        assert refused.returncode == 2
        assert expected in refused.stderr


def test_a_damaged_folder_takes_its_number_and_nothing_else(tmp_path: Path, golden: RunRecord) -> None:
    with Store(tmp_path) as store:
        assert store.next_attempt("c", "cell.r0") == 0
        for attempt in (0, 3, 10):
            store.add("c", attempted(variant(golden, 0), attempt))
        store.add("c", variant(golden, 1))
        (tmp_path / "c" / "cell.r0.a11").mkdir()
        (tmp_path / "c" / "cell.r0.about").mkdir()
        (tmp_path / "c" / "cell.r0.a10" / "record.json").write_text("{")
        assert store.next_attempt("c", "cell.r0") == 12
        assert store.next_attempt("c", "cell.r1") == 1
    for name in tmp_path.glob(f"{INDEX_FILE}*"):
        name.unlink()
    with Store(tmp_path) as store:
        problems = store.catch_up("c")
        assert len(problems) == 3
        assert "cell.r0.a11" in " ".join(problems)
        assert store.next_attempt("c", "cell.r0") == 12


def test_a_record_and_its_folders_are_flushed_before_its_row(
    tmp_path: Path, golden: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []

    def fsync(descriptor: int, real: Callable[[int], None] = os.fsync) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    with Store(tmp_path) as store:
        monkeypatch.setattr(os, "fsync", fsync)
        folder = store.add("c", variant(golden, 0))
    incoming = f"{INCOMING}{os.getpid()}-{folder.name}"
    assert [name for name in flushed if not name.startswith(".record") and not name.startswith(".done")] == [
        incoming, "c", tmp_path.name,
    ]  # fmt: skip


def test_a_record_that_is_stored_during_reindex_has_its_row(
    tmp_path: Path, golden: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, golden)
    writers: list[threading.Thread] = []

    def farm() -> None:
        with Store(tmp_path) as live:
            live.add("c", variant(golden, 50))

    class Scanning(Store):
        def runs(self, campaign: str | None, problems: list[str]) -> Iterator[StoredRun]:
            yield from super().runs(campaign, problems)
            writers.append(threading.Thread(target=farm))
            writers[0].start()
            writers[0].join(1.0)  # long enough to store a record, if nothing kept it from its row

    with Scanning(tmp_path) as store:
        assert store.reindex() == (6, [])
    writers[0].join()
    with Store(tmp_path) as store:
        assert "cell.r50" in store.finished_slots("c")


def test_a_duration_that_no_index_holds_harms_nobody(tmp_path: Path, golden: RunRecord) -> None:
    with Store(tmp_path) as store:
        store.add("c", variant(golden, 0, duration_ns=1 << 80))
        assert store.index.query("SELECT duration_ns FROM run")[0]["duration_ns"] is None


def attempted(record: RunRecord, attempt: int) -> RunRecord:
    run_id = f"{record.run_id.rsplit('.a', 1)[0]}.a{attempt}"
    return record.model_copy(update={"request": record.request.model_copy(update={"run_id": run_id})})


BEGINNER = """
import pathlib, sys
from scripts.farm.store.state import DevicesState
from scripts.farm.store.store import Store
sys.stdin.readline()
for number in range(25):
    root = pathlib.Path(sys.argv[1]) / str(number)
    DevicesState(root).close()
    with Store(root) as store:
        store.index.query("SELECT * FROM comparable")
"""


def test_four_farms_begin_on_a_new_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BEGINNER, str(tmp_path)]
    farms = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for each in farms:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    errors = [each.communicate(timeout=HUNG_S)[1] for each in farms]
    assert [each.returncode for each in farms] == [0] * 4, errors


def test_only_equals_are_comparable(tmp_path: Path, golden: RunRecord) -> None:
    device = golden.device.model_copy(update={"os_build": "another"})
    with Store(tmp_path) as store:
        store.add("c", variant(golden, 0))
        store.add("c", variant(golden, 1))
        store.add("c", variant(golden, 2, device=device))
        store.add("c", variant(golden, 3, outcome=Skipped(message="hot")))
        keys = [row["comparison_key"] for row in store.index.query("SELECT * FROM comparable ORDER BY run_id")]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] == str(comparison_key(golden))


READER = """
import sqlite3, sys
index = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=0)
first = last = index.execute("SELECT COUNT(*) FROM run").fetchone()[0]
print(first, flush=True)
while last < first + int(sys.argv[2]):
    count = index.execute("SELECT COUNT(*) FROM run").fetchone()[0]
    assert count >= last, (count, last)
    if count > last:
        print(count, flush=True)
    last = count
"""


def test_readers_do_not_wait_for_the_writer(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    added = 60
    command = [sys.executable, "-c", READER, str(tmp_path / INDEX_FILE), str(added)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        before = int(reader.stdout.readline())
        with Store(tmp_path) as store:
            store.add("c", variant(golden, 100))
            # While the writer has the file open, the reader sees each row once it is there.
            assert int(reader.stdout.readline()) == before + 1
            for number in range(101, 100 + added):
                store.add("c", variant(golden, number))
        _, errors = reader.communicate(timeout=HUNG_S)
    assert reader.returncode == 0, errors


def test_an_index_of_another_schema_is_made_again_from_the_records(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    with Store(tmp_path) as store:
        before = [tuple(row) for row in store.index.query("SELECT * FROM run ORDER BY run_id")]
    connection = sqlite3.connect(tmp_path / INDEX_FILE, isolation_level=None)
    connection.execute("DROP VIEW comparable")
    connection.execute("ALTER TABLE run ADD COLUMN note TEXT")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with Store(tmp_path) as store:
        assert [tuple(row) for row in store.index.query("SELECT * FROM run ORDER BY run_id")] == before
        assert store.index.query("SELECT * FROM comparable")
    assert before


def test_an_index_that_was_never_filled_is_filled_by_the_next_to_open_it(tmp_path: Path, golden: RunRecord) -> None:
    filled(tmp_path, golden)
    with Store(tmp_path) as store:
        count = len(store.index.query("SELECT run_id FROM run"))
    for path in tmp_path.glob(f"{INDEX_FILE}*"):
        path.unlink()
    with Index(tmp_path) as index:  # a farm that dies here has made a file and no row
        assert not index.is_current
    with Store(tmp_path) as store:
        assert len(store.index.query("SELECT run_id FROM run")) == count > 0


def test_the_state_of_another_version_is_refused(tmp_path: Path) -> None:
    DevicesState(tmp_path).close()
    connection = sqlite3.connect(tmp_path / STATE_FILE, isolation_level=None)
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with pytest.raises(UserError, match="written by another version"):
        DevicesState(tmp_path)


def test_a_lease_is_one_farms(tmp_path: Path) -> None:
    one, other = DevicesState(tmp_path), DevicesState(tmp_path)
    assert one.lease("p") is None
    assert one.lease("p") is None
    assert "process" in (other.lease("p") or "")
    other.release("p")
    assert other.lease("p") is not None
    one.release("p")
    assert other.lease("p") is None


def test_a_dead_farm_holds_nothing_and_its_changes_are_known(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from scripts.farm.store.state import DevicesState\n"
        "state = DevicesState(pathlib.Path(sys.argv[1])); assert state.lease('p') is None\n"
        "state.remember('p', 'stay', 'old'); state.remember('p', 'stay', 'ours')"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)
    state = DevicesState(tmp_path)
    assert state.lease("p") is None
    assert dict(state.changed("p")) == {"stay": "old"}
    state.restored("p")
    assert not state.changed("p")


def test_quarantine_ends_by_hand(tmp_path: Path) -> None:
    state = DevicesState(tmp_path)
    state.quarantine("p", "offline three times")
    assert "offline three times" in (state.quarantined("p") or "")
    assert state.end_quarantine("p")
    assert state.quarantined("p") is None
    assert not state.end_quarantine("p")
