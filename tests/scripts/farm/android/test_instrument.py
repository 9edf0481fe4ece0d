"""The parser of `am instrument -w -r`, on output as Android prints it."""

import json

import pytest

from scripts.farm.android.instrument import InstrumentationParser, progress_of
from scripts.farm.device import Progress
from scripts.records import Stage
from scripts.records.vocabulary import Refusal
from tests.scripts.records.test_records import GOLDEN


def read(text: str) -> tuple[InstrumentationParser, list[dict[str, str]]]:
    parser = InstrumentationParser()
    statuses = [status for line in text.splitlines(keepends=True) if (status := parser.feed(line)) is not None]
    return parser, statuses


def test_a_run_gives_progress_and_a_result() -> None:
    parser, statuses = read(
        "INSTRUMENTATION_STATUS: stage=decode\nINSTRUMENTATION_STATUS: done=3\nINSTRUMENTATION_STATUS: total=8\n"
        "INSTRUMENTATION_STATUS_CODE: 1\n"
        "INSTRUMENTATION_RESULT: run_id=r1\nINSTRUMENTATION_RESULT: outcome=completed\nINSTRUMENTATION_CODE: -1\n"
    )
    assert [progress_of(each) for each in statuses] == [Progress(Stage.DECODE, 3, 8)]
    assert parser.result.code == -1
    assert parser.result.values == {"run_id": "r1", "outcome": "completed"}
    assert parser.result.crash is None
    assert parser.result.refused is None


def test_statuses_do_not_leak_into_each_other() -> None:
    _, statuses = read(
        "INSTRUMENTATION_STATUS: a=1\nINSTRUMENTATION_STATUS: b=2\nINSTRUMENTATION_STATUS_CODE: 1\n"
        "INSTRUMENTATION_STATUS: a=3\nINSTRUMENTATION_STATUS_CODE: 1\n"
    )
    assert statuses == [{"a": "1", "b": "2"}, {"a": "3"}]


def test_values_go_on_over_lines_and_may_hold_equal_signs() -> None:
    parser, _ = read(
        "INSTRUMENTATION_RESULT: message=x = 1\n  at line two\n\nlast\nINSTRUMENTATION_RESULT: outcome=failed\n"
        "INSTRUMENTATION_CODE: -1\ntrailing noise\n"
    )
    assert parser.result.values == {"message": "x = 1\n  at line two\n\nlast", "outcome": "failed"}


def test_carriage_returns_of_old_shells_are_dropped() -> None:
    parser, statuses = read("INSTRUMENTATION_STATUS: stage=load\r\nINSTRUMENTATION_STATUS_CODE: 1\r\n")
    assert statuses == [{"stage": "load"}]
    assert parser.result.code is None


def test_a_crash_is_told() -> None:
    parser, _ = read(
        "INSTRUMENTATION_RESULT: shortMsg=Process crashed.\n"
        "INSTRUMENTATION_RESULT: longMsg=Native crash: Aborted\nINSTRUMENTATION_CODE: 0\n"
    )
    assert parser.result.crash == "Process crashed. Native crash: Aborted"
    assert parser.result.code == 0


@pytest.mark.parametrize(
    "line",
    [
        "INSTRUMENTATION_FAILED: dev.deepnarrow.harness/.HarnessInstrumentation",
        "INSTRUMENTATION_ABORTED: System has crashed.",
    ],
)
def test_a_refusal_is_told(line: str) -> None:
    parser, _ = read(
        f"android.util.AndroidException: INSTRUMENTATION_FAILED: x\n\tat com.android.commands.am\n{line}\n"
    )
    assert parser.result.refused == line
    assert parser.result.code is None


def test_a_package_that_is_not_installed_is_a_refusal() -> None:
    error = "Unable to find instrumentation info for: ComponentInfo{dev.deepnarrow.harness/.HarnessInstrumentation}"
    parser, _ = read(
        f"INSTRUMENTATION_STATUS: id=ActivityManagerService\nINSTRUMENTATION_STATUS: Error={error}\n"
        "INSTRUMENTATION_STATUS_CODE: -1\n"
    )
    assert parser.result.refused == error


def test_the_codes_of_a_refusal_are_the_golden_ones() -> None:
    codes = json.loads((GOLDEN / "refusals.json").read_text(encoding="utf-8"))
    assert codes == list(Refusal)
    for code in codes:
        answer = f"INSTRUMENTATION_RESULT: refusal={code}\nINSTRUMENTATION_RESULT: message=m\nINSTRUMENTATION_CODE: 0\n"
        assert read(answer)[0].result.refusal == code


@pytest.mark.parametrize("line", ["", "INSTRUMENTATION_RESULT: refusal=of-a-later-version\n"])
def test_a_refusal_without_a_code_that_is_known_is_one_of_the_request(line: str) -> None:
    assert read(f"{line}INSTRUMENTATION_CODE: 0\n")[0].result.refusal is Refusal.REQUEST


@pytest.mark.parametrize("status", [{}, {"stage": "decode"}, {"stage": "sleep", "done": "1", "total": "2"},
                                    {"stage": "decode", "done": "one", "total": "2"}])  # fmt: skip
def test_other_statuses_are_no_progress(status: dict[str, str]) -> None:
    assert progress_of(status) is None


def test_an_output_that_breaks_off_has_no_code() -> None:
    parser, _ = read("INSTRUMENTATION_STATUS: stage=decode\nINSTRUMENTATION_STATUS_CODE: 1\nINSTRUMENTATION_CO")
    assert parser.result.code is None
    assert read("INSTRUMENTATION_CODE: x\n")[0].result.code is None
