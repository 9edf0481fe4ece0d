"""One file that carries a result: written, read back, compared, and refused where it is damaged."""

import base64
import gzip
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from models.errors import UserError
from scripts.analysis.cells import load_records
from scripts.analysis.cli import app as analysis
from scripts.records import RECORD_FILE, RunRecord
from scripts.records.shared import SHARED_TYPE, unpacked
from scripts.report.cli import app
from scripts.testing.records.generator import Campaign, generate_records, pair_networks, write_results
from tests.scripts.report.conftest import PHONE


def _records(campaign: str, slower: float = 1.0) -> list[RunRecord]:
    plan = Campaign(name=campaign, repetitions=5, slower={"deep-8x64": slower}, failed_runs=1)
    return generate_records([PHONE], pair_networks("tiny"), plan)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_results(_records("night"), tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture
def shared(results: Path) -> Path:
    out = results.parent / "shared.html"
    done = CliRunner().invoke(app, ["share", str(results), "--out", str(out)])
    assert done.exit_code == 0, (done.output, done.exception)
    return out


def test_the_records_come_back_as_they_were(results: Path, shared: Path):
    assert load_records(shared).records == load_records(results).records
    with unpacked(shared) as folder:
        files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.json")}
    assert files == {path.relative_to(results): path.read_bytes() for path in results.rglob("*.json")}


def test_the_page_can_be_written_again_from_it(results: Path, shared: Path, tmp_path: Path):
    def summary(source: Path) -> dict[str, object]:
        out = tmp_path / "s.json"
        done = CliRunner().invoke(app, [str(source), "--out", str(tmp_path / "again.html"), "--json", str(out)])
        assert done.exit_code == 0, done.output
        return json.loads(out.read_text())

    assert summary(shared) == summary(results)


def test_it_is_compared_with_a_folder(shared: Path, tmp_path: Path):
    write_results(_records("day", slower=1.5), tmp_path / "mine")
    done = CliRunner().invoke(analysis, ["compare", str(shared), str(tmp_path / "mine")])
    assert done.exit_code in (1, 3), (done.output, done.exception)
    assert "deep-8x64" in done.output


def test_a_damaged_run_stays_damaged_and_is_named_by_its_place(results: Path, tmp_path: Path):
    record = next(iter(sorted(results.rglob(RECORD_FILE))))
    record.write_text(record.read_text().replace("Phone 1", "Phone 7"))
    out = tmp_path / "shared.html"
    assert CliRunner().invoke(app, ["share", str(results), "--out", str(out)]).exit_code == 0
    bad = load_records(out).unreadable
    assert [each.path.relative_to(out) for each in bad] == [record.relative_to(results)]
    assert "its hash is not the one in done.json" in bad[0].reason


def _with_runs(path: Path, runs: object) -> Path:
    text = json.dumps({"schema": "deepnarrow/shared-runs/1", "runs": runs})
    block = base64.b64encode(gzip.compress(text.encode())).decode()
    path.write_text(f'<script type="{SHARED_TYPE}">{block}</script>')
    return path


@pytest.mark.parametrize("place", ["../outside", "/etc/run", "a/../../b", ".hidden/run", ""])
def test_a_place_that_leads_outside_is_refused(tmp_path: Path, place: str):
    file = _with_runs(tmp_path / "evil.html", [{"place": place, "record": "{}", "done": None}])
    with pytest.raises(UserError, match="its records are damaged"):
        load_records(file)
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_without_records_is_refused(tmp_path: Path):
    page = tmp_path / "page.html"
    page.write_text("<html></html>")
    with pytest.raises(UserError, match="no records in it; give a folder of records"):
        load_records(page)


def test_a_cut_file_is_refused(shared: Path):
    text = shared.read_text()
    shared.write_text(re.sub(rf'(<script type="{SHARED_TYPE}">.{{400}})[^<]*', r"\1", text))
    with pytest.raises(UserError, match="its records are damaged"):
        load_records(shared)
