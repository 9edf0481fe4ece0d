import contextlib
import csv
import io
import math

import pytest

from export.console import run_app
from models.errors import UserError
from scripts.analysis.cli import app
from scripts.records import DeviceKind
from scripts.tables import Column, Entry, ResultTable, TableFormat, number, text, wanted_format, write_tables

COLUMNS = (
    Column("network", ("network",)), Column(">ms", ("median_ms",)), Column(">interval", ("low_ms", "high_ms")),
)  # fmt: skip


def table(name="a|b", kind=DeviceKind.HOST, title="this machine"):
    row = (text(name), number("1.23", 1.23456), Entry("none", (math.nan, None)))
    return ResultTable(title=title, kind=kind, columns=COLUMNS, rows=(row,), notes=("mind: <b>",))


def written(form, *tables, notes=("ms: median",)):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        write_tables(tables, form, notes)
    return out.getvalue(), err.getvalue()


def test_markdown_is_a_pipe_table_with_kind_alignment_and_meaning():
    out, err = written(TableFormat.MARKDOWN, table())
    assert out.splitlines() == [
        "**this machine** (kind of device: host)", "", "| network | ms | interval |", "|:---|---:|---:|",
        r"| a\|b | 1.23 | none |", "", r"- mind: \<b>", "", "ms: median", "",
    ]  # fmt: skip
    assert not err


def test_a_phone_is_named_in_markdown_too():
    assert "(kind of device: phone)" in written(TableFormat.MARKDOWN, table(kind=DeviceKind.PHONE))[0]


def test_csv_has_whole_numbers_units_and_nothing_else():
    out, err = written(TableFormat.CSV, table('x,"y"'), table(title="other"))
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[0] == {
        "table": "1", "setup": "this machine", "device_kind": "host", "network": 'x,"y"', "median_ms": "1.23456",
        "low_ms": "", "high_ms": "",
    }  # fmt: skip
    assert [(row["table"], row["setup"]) for row in rows] == [("1", "this machine"), ("2", "other")]
    assert err == "ms: median\n"


def test_csv_names_the_tables_that_it_leaves_out():
    beside = ResultTable(title="residuals", kind=None, columns=(Column("shape"),), rows=((text("x"),),))
    out, err = written(TableFormat.CSV, table(), beside)
    assert len(out.splitlines()) == 2
    assert "not in CSV, see --format json: residuals" in err


def test_a_terminal_shows_the_same_rows():
    out, _ = written(TableFormat.TABLE, table())
    for part in ("this machine [host]", "a|b", "1.23", "none", "mind: <b>", "ms: median"):
        assert part in out


def test_json_is_short_for_its_format():
    assert wanted_format(None, False) is TableFormat.TABLE
    assert wanted_format(None, True) is wanted_format(TableFormat.JSON, True) is TableFormat.JSON
    assert wanted_format(TableFormat.CSV, False) is TableFormat.CSV


@pytest.mark.parametrize("form", [TableFormat.TABLE, TableFormat.MARKDOWN, TableFormat.CSV])
def test_two_formats_exclude_each_other(form):
    with pytest.raises(UserError, match=f"excludes --format {form}"):
        wanted_format(form, True)


@pytest.mark.parametrize("command", ["metrics", "price", "verdicts"])
@pytest.mark.parametrize(("options", "told"), [(["--format", "md", "--json"], "excludes"), (["--format", "no"], "md")])
def test_a_wrong_format_is_one_line(tmp_path, command, options, told):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_app(app, "analysis", [command, str(tmp_path), *options])
    assert code == 2
    assert err.getvalue().count("\n") == 1
    assert told in err.getvalue()
