"""Who ended the harness, read from texts as real phones write them."""

import pytest

from scripts.farm.android.exits import crashes_of, event_cause, exits_of, newest_exit, ran_out_of_memory
from scripts.records import FailureKind

CRASHED, MEMORY, DEVICE = FailureKind.CRASHED, FailureKind.OUT_OF_MEMORY, FailureKind.DEVICE


def entry(what: str, number: int = 0, at: str = "2026-10-01 19:00:07.413", user: int = 0, pid: int = 10156) -> str:
    """One entry; `what` is what stands behind `process=`, with its second line."""
    first, _, second = what.partition("|")
    return (
        f"        ApplicationExitInfo #{number}:\n"
        f"          timestamp={at} pid={pid} realUid={user}10383 packageUid={user}10383 user={user}\n"
        f"          process=dev.deepnarrow.harness {first}\n          importance=100 pss=0.00 {second}\n"
    )


def dump(*entries: str, uid: str = "10383") -> str:
    head = (
        "ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)\n"
        "Last Timestamp of Persistence Into Persistent Storage: 2026-10-01 20:56:26.572\n"
        "  package: dev.deepnarrow.harness\n"
    )
    return head + f"    Historical Process Exit for uid={uid}\n" + "".join(entries)


NONE = "subreason=0 (UNKNOWN)"
USER, OTHER, ZERO = "reason=10 (USER REQUESTED)", "reason=13 (OTHER KILLS BY SYSTEM)", "status=0|rss=1MB"
STOP = f"{USER} subreason=21 (FORCE STOP) status=0|rss=618MB description=stop dev.deepnarrow.harness due to"


@pytest.mark.parametrize(
    ("what", "failure", "words"),
    [
        (f"reason=3 (LOW_MEMORY) {NONE} status=0|rss=93MB description=null", MEMORY, "free memory"),
        ("reason=3 (LOW_MEMORY) subreason=30 (OOM KILL) status=0|rss=93MB description=null", MEMORY, "free memory"),
        (f"reason=2 (SIGNALED) {NONE} status=9|rss=1.6GB description=null", MEMORY, "probably"),
        (f"reason=2 (SIGNALED) {NONE} status=9|rss=0.00 description=null", MEMORY, "probably"),
        (f"reason=2 (SIGNALED) {NONE} status=9|rss=84MB description=null", DEVICE, "does not say by what"),
        (f"reason=2 (SIGNALED) {NONE} status=9|rss=200MB description=lmkd oom kill", MEMORY, "memory"),
        (f"reason=2 (SIGNALED) {NONE} status=11|rss=1.6GB description=null", CRASHED, "signal"),
        (f"{STOP} RemoveTaskMemoryClean", DEVICE, "cleaner"),
        (f"{STOP} start instr", DEVICE, "another `am instrument`"),
        (f"{USER} {NONE} status=0|rss=618MB description=iAwareF[SystemManager]", DEVICE, "cleaner"),
        (f"{USER} subreason=22 (REMOVE TASK) status=0|rss=618MB description=remove task", DEVICE, "person"),
        (f"reason=11 (USER STOPPED) subreason=0 {ZERO} description=null", DEVICE, "user was stopped"),
        (f"reason=12 (DEPENDENCY DIED) subreason=0 {ZERO} description=depends on provider x", DEVICE, "has died"),
        (f"{OTHER} {NONE} status=0|rss=618MB description=o-kill(2)", DEVICE, "cleaner"),
        (f"{OTHER} subreason=6 (MEMORY PRESSURE) {ZERO} description=x", MEMORY, "memory"),
        (f"{OTHER} subreason=0 {ZERO} description=lmk: min2x watermark", MEMORY, "memory"),
        (f"reason=9 (EXCESSIVE RESOURCE USAGE) subreason=7 (EXCESSIVE CPU) {ZERO} description=x", DEVICE, "too much"),
        (f"reason=14 (FREEZER) subreason=20 (FREEZER BINDER TRANSACTION) {ZERO} description=x", DEVICE, "frozen"),
        (f"reason=16 (PACKAGE UPDATED) subreason=25 (PACKAGE UPDATE) {ZERO} description=x", DEVICE, "replaced"),
        (f"reason=5 (APP CRASH(NATIVE)) {NONE} status=6|rss=1.9GB description=crash", CRASHED, "native"),
        (f"reason=4 (APP CRASH(EXCEPTION)) {NONE} status=0|rss=9MB description=crash", CRASHED, "exception"),
        (f"reason=6 (ANR) {NONE} status=0|rss=9MB description=user request after error", CRASHED, "ANR"),
        ("reason=99 (NEW) subreason=0 status=0|rss=9MB description=null", CRASHED, "no reason"),
    ],
)  # fmt: skip
def test_reasons(what: str, failure: FailureKind, words: str) -> None:
    found = newest_exit(dump(entry(what)), "")
    assert found is not None
    assert found.cause.failure is failure
    assert words in found.cause.meaning
    assert what.split()[0].replace("=", " ") in found.told
    if failure is DEVICE:
        assert found.cause.advice


def test_android_s_words_are_told_whole() -> None:
    (found,) = exits_of(dump(entry(f"{STOP} RemoveTaskMemoryClean state=empty trace=null")))
    assert found.told == (
        "reason 10 (USER REQUESTED), subreason 21 (FORCE STOP), status 0, rss 618MB, "
        "description stop dev.deepnarrow.harness due to RemoveTaskMemoryClean"
    )


def test_of_two_users_the_latest_end_counts_whoever_stands_first() -> None:
    old = entry(f"reason=2 (SIGNALED) {NONE} status=9|rss=1.6GB", at="2026-09-30 10:00:00.000", user=10)
    new = entry(f"{STOP} RemoveTaskMemoryClean", at="2026-10-01 19:00:07.413")
    other = "    Historical Process Exit for uid=1010383\n"
    for text in (dump(old) + other + new, dump(new) + other + old):
        found = newest_exit(text, "")
        assert found is not None
        assert found.cause.failure is DEVICE
        assert "Historical" not in found.text


def test_only_an_end_that_is_new_counts() -> None:
    first = entry(f"reason=3 (LOW_MEMORY) {NONE} status=0|rss=93MB", at="2026-10-01 10:00:00.000")
    second = entry(f"reason=4 (CRASH) {NONE} status=0|rss=9MB", at="2026-10-01 11:00:00.000")
    assert newest_exit(dump(first), dump(first)) is None
    found = newest_exit(dump(second, first.replace("#0", "#1")), dump(first))
    assert found is not None
    assert found.reason == 4


def test_the_end_of_an_instrumentation_that_finished_is_no_death() -> None:
    assert exits_of(dump(entry(f"{STOP} finished inst state=empty trace=null"))) == []


@pytest.mark.parametrize("text", ["", "Bad activity command, or no activities match: exit-info\nUse -h for help.\n"])
def test_an_android_without_exit_records(text: str) -> None:
    assert newest_exit(text, "") is None


def line(tag: str, text: str, pid: int = 600) -> str:
    return f"10-01 19:00:07.413 {pid:5} {pid:5} I {tag}: {text}"


@pytest.mark.parametrize(
    ("log", "failure"),
    [
        (line("lowmemorykiller", "Killing 'dev.deepnarrow.harness' (10156), uid 10383, adj 0"), MEMORY),
        (line("killinfo", "[10156,10383,0,0,1200000,dev.deepnarrow.harness]"), MEMORY),
        (line("am_kill ", "[0,10156,dev.deepnarrow.harness,0,stop dev.deepnarrow.harness due to OneKeyClean]"), DEVICE),
        (line("am_kill ", "[0,10156,dev.deepnarrow.harness,900,low memory]"), MEMORY),
    ],
)
def test_the_event_log_tells_where_there_are_no_exit_records(log: str, failure: FailureKind) -> None:
    found = event_cause(log)
    assert found is not None
    assert found[0].failure is failure
    assert found[1] == log


def test_events_that_tell_nothing() -> None:
    quiet = (
        line("am_proc_died", "[0,10156,dev.deepnarrow.harness,0,2]"),
        line("am_kill ", "[0,77,com.example.game,900,low memory]"),
        line("am_kill ", "[0,10156,dev.deepnarrow.harness,0,stop dev.deepnarrow.harness due to finished inst]"),
    )
    assert event_cause("\n".join(quiet)) is None


@pytest.mark.parametrize(
    "text",
    [
        "Abort message: 'Scudo ERROR: internal map failure (error desc=Out of memory) requesting 536872KB'",
        "terminating with uncaught exception of type std::bad_alloc: std::bad_alloc",
        "java.lang.OutOfMemoryError: Failed to allocate a 536870928 byte allocation with 25165824 free bytes",
        "Abort message: 'Cannot allocate memory'",
        "Abort message: 'mmap(536870912) failed: ENOMEM'",
    ],
)
def test_last_words_of_a_process_without_memory(text: str) -> None:
    assert ran_out_of_memory(f"something else\n{line('DEBUG', text)}") == line("DEBUG", text)


def test_other_last_words() -> None:
    assert ran_out_of_memory(line("DEBUG", "mmap of model.pte failed: Permission denied")) is None
    assert ran_out_of_memory(line("DEBUG", "failed to map segment from shared object: Operation not permitted")) is None
    assert ran_out_of_memory(line("DEBUG", "Abort message: 'Check failed: index < size'")) is None
    assert (
        ran_out_of_memory(line("DEBUG", "Abort message: 'Scudo ERROR: corrupted chunk header at address 0x1'")) is None
    )


def test_lines_of_a_process_that_only_its_tombstone_names_are_kept() -> None:
    fatal = line("libc", "Fatal signal 6 (SIGABRT) in tid 4299 (run), pid 4242 (pnarrow.harness)", pid=4242)
    stone = line("DEBUG", "pid: 4242, tid: 4299, name: run  >>> dev.deepnarrow.harness <<<", pid=4310)
    other = line("AndroidRuntime", "Process: com.example.game, PID: 77", pid=77)
    assert crashes_of(f"--------- beginning of crash\n{fatal}\n{other}\n{stone}\n").splitlines() == [fatal, stone]
