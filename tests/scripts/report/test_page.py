"""What the command writes, without a browser."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from scripts.records import Concern, ConcernCode, DeviceKind, Severity
from scripts.report.cli import main
from scripts.report.kit.words import change
from scripts.testing.records.generator import Campaign, GeneratedDevice, generate_records, pair_networks
from tests.scripts.report.conftest import PHONE, write_page


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scripts.report", *arguments], capture_output=True, text=True, check=False
    )


def tables(html: str, caption: str) -> list[str]:
    """The tables whose captions begin so."""
    found = re.findall(r"<table>\s*<caption>.*?</table>", html, re.DOTALL)
    return [table for table in found if re.match(rf"<table>\s*<caption><span>{re.escape(caption)}", table)]


class Elements(HTMLParser):
    """What a browser would make of a page, as far as it matters whether a text became an element.

    Attributes:
        found: (tag, attributes) in order.
        text: outside scripts and styles.
        scripts: the contents of `script` elements.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text, self.scripts = "", list[str]()
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag if tag in self.CDATA_CONTENT_ELEMENTS else ""
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif not self._inside:
            self.text += data


def test_texts_of_a_record_are_no_elements_and_end_no_script(tmp_path: Path):
    """The same as in a browser, for machines without one."""
    evil = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    build = "</script><b id=owned>"

    def page(model: str, os_build: str) -> Elements:
        device = GeneratedDevice(device_id="evil", model=model, kind=DeviceKind.PHONE, os_build=os_build)
        records = generate_records([device], pair_networks("tiny"), Campaign(repetitions=5))
        return Elements(write_page(tmp_path / model[:1].replace("<", "evil"), records).read_text())

    for name in ("evil", "P"):
        (tmp_path / name).mkdir()
    harmless, attacked = page("Phone", "build"), page(evil, build)
    assert [tag for tag, _ in attacked.found] == [tag for tag, _ in harmless.found]
    assert not [tag for tag, attributes in attacked.found if "onerror" in attributes or attributes.get("id") == "owned"]
    assert evil in attacked.text
    blobs = [script for script in attacked.scripts if script.lstrip().startswith('{"data"')]
    assert len(blobs) == 1
    assert evil in json.dumps(json.loads(blobs[0]), ensure_ascii=False).replace('\\"', '"')


def test_rows_of_a_fake_are_marked_and_those_of_a_phone_are_not(full_page: Path):
    html = full_page.read_text()
    cards = re.findall(r'<p class="where">(.*?)</p>', html)
    assert any("fake-1" in card for card in cards)
    for card in cards:
        assert ("not a phone" in card) == ("fake-1" in card)


def test_a_page_without_a_phone_says_so_at_its_top(tmp_path: Path):
    records = generate_records([GeneratedDevice()], pair_networks("tiny"), Campaign(repetitions=5))
    assert "not a phone: everything here was measured on fake" in write_page(tmp_path, records).read_text()


def test_busy_runs_are_counted_above_the_sentence(tmp_path: Path):
    busy = Concern(code=ConcernCode.BUSY_MACHINE, severity=Severity.WARNING, detail="others kept 1.4 of 2 cores busy")
    records = generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=5))
    html = write_page(tmp_path, [each.model_copy(update={"concerns": (busy,)}) for each in records[:7]] + records[7:])
    text = html.read_text()
    assert "10 of 10 runs usable</li>" in text
    assert '<li class="doubt">7 of them on a busy machine</li>' in text
    assert text.index("on a busy machine") < text.index('class="headline"')


def test_no_difference_says_what_the_interval_allows_and_what_would_have_been_found(tmp_path: Path):
    shape = pair_networks("tiny")[1].shape
    arms = [replace(network, shape=shape) for network in pair_networks("tiny")]
    html = write_page(tmp_path, generate_records([PHONE], arms, Campaign(repetitions=6))).read_text()
    assert "no difference in speed is shown in 2 of 2 comparisons" in html
    told = re.search(r"95 % interval ([\d.]+) to ([\d.]+), which is (.*?) time; n 6 \+ 6 runs", html)
    assert told
    low, high = float(told.group(1)), float(told.group(2))
    assert low < 1 < high
    assert re.fullmatch(r"\d+ % less to \d+ % more", told.group(3))
    assert re.search(r"such runs show one of [\d.]+ % in 80% of repetitions", html)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.890, 1.69, "11 % less to 69 % more time"),
        (1.05, 1.69, "5 to 69 % more time"),
        (0.80, 0.95, "20 to 5 % less time"),
    ],
)
def test_an_interval_of_a_ratio_is_told_as_time(low: float, high: float, words: str):
    assert change(low, high) == words


def test_the_summary_holds_the_decisions_and_counts_of_the_page(full_page: Path):
    summary = json.loads(full_page.with_name("s.json").read_text())
    assert summary["schema"] == "deepnarrow/report-summary/1"
    assert (summary["runs"]["invalid"], summary["runs"]["failed"]) == (3, 3)
    phones = [each for each in summary["decisions"] if each["phone"]]
    assert {each["choice"] for each in phones} == {"wide"}
    assert all(verdict["ratio"] > 1 for each in phones for verdict in each["verdicts"])


def test_figures_are_written_as_svg_and_png(full_page: Path):
    figures = full_page.with_name("figures")
    names = {path.stem for path in figures.glob("*.svg")}
    assert {
        "latency",
        "timeline",
        "context",
        "bandwidth",
        "roofline",
        "gap",
        "tau",
        "fit",
        "shapes",
        "shapes-bandwidth",
        "verdicts",
        "temperature",
    } <= names
    assert {"sustained", "heat"} <= names
    assert names == {path.stem for path in figures.glob("*.png")}
    svg = (figures / "verdicts.svg").read_text()
    assert "var(--" not in svg
    assert "Which arm is faster" in svg
    # A picture is read away from the page, so it says what it shows and how sure that is.
    assert "512: 1." in svg
    assert "95 % interval that inverts" in svg
    assert "R5CT30" in (figures / "fit.svg").read_text()


def test_each_fit_has_a_price_card_with_its_interval_gaps_and_shapes_to_ship(full_page: Path):
    html = full_page.read_text()
    told = re.findall(
        r'class="answer">One more layer costs ([\d.]+) µs a token at equal bytes \(95 % interval (\S+) to (\S+);', html
    )
    assert len(told) == 2
    # The phones were generated with 40 and 90 µs a layer.
    for (tau, low, high), true in zip(told, (PHONE.tau_ns / 1e3, 90.0), strict=True):
        assert float(low) <= float(tau) <= float(high)
        assert abs(float(tau) / true - 1) < 0.25
    assert len(tables(html, "Gap of each shipped pair at int4")) == 2
    assert "Which shape of 125 M parameters?" in html
    # The generated phones have no attention term.
    (terms,) = [table for table in re.findall(r"<table>.*?</table>", html, re.DOTALL) if "attention GB/s" in table]
    columns = re.findall(r"<th [^>]*>(.*?)</th>", terms.partition("</thead>")[0])
    body = terms.partition("</thead>")[2]
    fits = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr.*?</tr>", body)]
    assert len(fits) == 2
    assert [row[columns.index("attention GB/s") - len(columns)] for row in fits] == ["not fitted", "not fitted"]


def test_temperatures_are_a_table_too(full_page: Path):
    (table,) = tables(full_page.read_text(), "Battery in °C")
    assert table.count("<tr><td>") == 3


def test_without_a_sustained_phase_there_is_no_chart_of_it(tmp_path: Path):
    records = generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=2))
    assert 'id="chart-sustained"' not in write_page(tmp_path, records).read_text()


def test_every_failure_is_listed_with_its_reason(full_page: Path):
    html = full_page.read_text()
    failed = [row for row in re.findall(r"<tr>.*?</tr>", html) if "<td>failed</td>" in row]
    assert len(failed) == 3
    assert all("<td>parity in self-check: text 0, step 5: generated</td></tr>" in row for row in failed)
    assert "thermal-status: thermal status 2" in html


def test_a_step_in_the_history_is_named(tmp_path: Path):
    records = [
        record
        for day in range(18)
        for record in generate_records(
            [PHONE],
            pair_networks("tiny")[:1],
            Campaign(
                name=f"night-{day:02d}", repetitions=2, started_day=day + 1, slower={"deep-8x64": 1.0 + (day > 11)}
            ),
            seed=day,
        )
    ]
    html = write_page(tmp_path, records).read_text()
    assert "Did a device become slower" in html
    assert "night-12" in html


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{missing}",), "no such folder"),
        (("{empty}",), "no record.json below it"),
        (("{full}", "--out", "{missing}/r.html"), "make it first"),
        (("{full}", "--out", "{empty}"), "is a folder; name a file"),
        (("{full}", "--out", "{empty}/r.html", "--figures", "{full_page}"), "is a file; name a folder"),
        (("{full}", "--out", "{empty}/r.html", "--seed-article", "{missing}"), "no such file"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    full_page: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    places = {
        "missing": tmp_path / "missing", "empty": tmp_path / "empty", "full": full_page.parent / "results",
        "full_page": full_page,
    }  # fmt: skip
    places["empty"].mkdir()
    monkeypatch.setattr(sys, "argv", ["report", *(each.format(**places) for each in arguments)])
    with pytest.raises(SystemExit) as done:
        main()
    said = capsys.readouterr().err
    assert done.value.code == 2
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert list(places["empty"].iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused(full_page: Path, tmp_path: Path):
    tmp_path.chmod(0o500)
    done = report(str(full_page.parent / "results"), "--out", str(tmp_path / "r.html"))
    assert done.returncode == 2
    assert "not writable" in done.stderr


def test_json_without_a_file_is_the_last_line_of_standard_output(tmp_path: Path):
    write_page(tmp_path, generate_records([PHONE], pair_networks("tiny"), Campaign(repetitions=2)))
    done = report(str(tmp_path / "results"), "--out", str(tmp_path / "again.html"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["decisions"][0]["choice"] == "undecided"


def test_claims_are_printed_without_any_record():
    done = report("claims", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["claims"]) == 12
