"""Who or what ended the harness: Android's exit records, its event log, and the words of a dying process.

Reasons are those of `ApplicationExitInfo`; what makers write into the description is theirs. Only an end that is the
harness's own doing counts against it: a person, the maker's cleaner or a broken link to Android is the device's.
"""

import re
from dataclasses import dataclass

from scripts.records import FailureKind

PACKAGE = "dev.deepnarrow.harness"
LARGE_BYTES = 512 << 20
_SIGKILL = 9
_CLEANER = (
    "in the app's battery settings choose `No restrictions` (`Unrestricted`, `Don't optimise`), allow it to start by "
    "itself, lock it in the list of recent apps, and leave the phone alone during a campaign"
)
_CRASHED, _MEMORY, _DEVICE = FailureKind.CRASHED, FailureKind.OUT_OF_MEMORY, FailureKind.DEVICE


@dataclass(frozen=True, slots=True)
class Cause:
    """What an end means.

    Attributes:
        meaning: in a sentence's words, after "ended: ".
        advice: what a person should do, if anything.
    """

    failure: FailureKind
    meaning: str
    advice: str = ""


REASONS: dict[int, Cause] = {
    1: Cause(_CRASHED, "the harness left by itself"),
    2: Cause(_CRASHED, "killed by a signal"),
    3: Cause(_MEMORY, "Android ended it to free memory"),
    4: Cause(_CRASHED, "an exception that nothing caught"),
    5: Cause(_CRASHED, "a crash in native code"),
    6: Cause(_CRASHED, "its screen did not answer (ANR)"),
    7: Cause(_DEVICE, "its process could not be set up", "restart the phone"),
    8: Cause(_DEVICE, "a permission was changed", "leave the phone alone during a campaign"),
    9: Cause(_DEVICE, "the system says that it used too much", _CLEANER),
    10: Cause(_DEVICE, "a person, the maker's cleaner or another program ended it", _CLEANER),
    11: Cause(_DEVICE, "its user was stopped", "leave the phone alone during a campaign"),
    12: Cause(_DEVICE, "something that it uses has died", "restart the phone"),
    13: Cause(_DEVICE, "the system or the maker's cleaner ended it", _CLEANER),
    14: Cause(_DEVICE, "the system had frozen it", _CLEANER),
    15: Cause(_DEVICE, "its package was changed", "leave the phone alone during a campaign"),
    16: Cause(_DEVICE, "its package was replaced", "leave the phone alone during a campaign"),
}
# These words of a subreason or description count, but for reasons that say how the app itself ended.
_MEMORY_WORDS = re.compile(
    r"oom[ _-]?kill|memory[ _-]?pressure|low[ _-]?mem|lmkd?\b|out of memory|oom_adj|lowmemorykiller", re.IGNORECASE
)
_OWN_DEATHS = (1, 4, 5, 6)
# The last words of allocators and runtimes that got no memory.
_NO_MEMORY = re.compile(
    r"scudo error: .*(?:map failure|out of memory|allocat)|bad_alloc|out of memory|outofmemoryerror|"
    r"(?:cannot|failed to|unable to|could not|can't|couldn't) (?:allocate|map)|enomem|"
    r"jemalloc.*(?:fail|error)|mmap.*failed",
    re.IGNORECASE,
)
# With one of these the system refused a mapping, and memory was not why.
_OTHER_REFUSAL = re.compile(r"permission denied|not permitted|invalid argument|no such", re.IGNORECASE)
_OWN_END = re.compile(r"due to finished inst\b")
_OTHER_START = re.compile(r"due to start instr\b")
# A line of logcat in its format `threadtime`: month-day, time, process, thread, level, tag and text.
_LOG_LINE = re.compile(r"\d\d-\d\d [\d:.]+ +(\d+) +\d+ [A-Z] ")
# A tombstone names its process in a line of its own: `pid: 4242, tid: 4299, name: run  >>> dev.deepnarrow.harness <<<`.
_TOMBSTONE = re.compile(rf"\bpid: (\d+), .*>>> {re.escape(PACKAGE)}")
_ENTRY = re.compile(r"^\s*ApplicationExitInfo #\d+:\s*$", re.MULTILINE)
_SIZES = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """One entry of `dumpsys activity exit-info`.

    Attributes:
        text: as Android wrote it, a line each.
    """

    text: str

    @property
    def timestamp(self) -> str:
        """Sorts as time does; empty where there is none."""
        return _find(r"timestamp=(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)", self.text)

    @property
    def pid(self) -> str:
        """Of the process that ended."""
        return _find(r"\bpid=(\d+)", self.text)

    @property
    def reason(self) -> int | None:
        """Android's number."""
        found = _find(r"\breason=(\d+)", self.text)
        return int(found) if found else None

    @property
    def told(self) -> str:
        """Reason, subreason, status, memory and description, as Android tells them."""
        names = ("reason", "subreason", "status", "rss", "description")
        found = {name: _find(rf"\b{name}=(.*?)(?=\s+\w+=|$)", self.text) for name in names}
        return ", ".join(f"{name} {value}" for name, value in found.items() if value not in ("", "null"))

    @property
    def cause(self) -> Cause:
        """What it means; the crash log may know better."""
        number = self.reason
        known = REASONS.get(-1 if number is None else number, Cause(_CRASHED, "Android gives no reason"))
        named = _find(r"\bsubreason=(.*?)(?=\s+\w+=|$)", self.text) + " " + _find(r"\bdescription=(.*)", self.text)
        if number not in _OWN_DEATHS and _MEMORY_WORDS.search(named):
            return REASONS[3]
        if number == 10 and _OTHER_START.search(named):
            return Cause(_DEVICE, "another `am instrument` started the harness", "somebody else uses this phone")
        if number == 2 and _find(r"\bstatus=(\d+)", self.text) == str(_SIGKILL):
            return self._killed()
        return known

    def _killed(self) -> Cause:
        """SIGKILL and no reason: kernels that do not report a kill for memory look like this."""
        rss = _bytes(_find(r"\brss=([\d.]+\s*[KMGB]*)", self.text))
        if 0 < rss < LARGE_BYTES:
            return Cause(_DEVICE, "killed, and Android does not say by what", _CLEANER)
        return Cause(_MEMORY, "killed without a reason, probably to free memory: this phone does not report it")


def exits_of(text: str) -> list[ExitInfo]:
    """All entries of `dumpsys activity exit-info`, of every user, the latest first; the harness's own ends left out."""
    parts = _ENTRY.split(text.replace("\r", ""))[1:]
    entries = [ExitInfo("\n".join(line.strip() for line in _entry_lines(part))) for part in parts]
    ours = [each for each in entries if f"process={PACKAGE}" in each.text and not _OWN_END.search(each.text)]
    return sorted(ours, key=lambda each: each.timestamp, reverse=True)


def _entry_lines(part: str) -> list[str]:
    """An entry ends where the next package or user begins."""
    lines = [line for line in part.splitlines() if line.strip()]
    ends = (i for i, line in enumerate(lines) if re.match(r"\s*(package:|Historical Process Exit|uid=)", line))
    return lines[: next(ends, len(lines))]


def newest_exit(text: str, before: str) -> ExitInfo | None:
    """The latest entry in `text` that was not in `before`."""
    old = {each.text for each in exits_of(before)}
    return next((each for each in exits_of(text) if each.text not in old), None)


def event_cause(log: str) -> tuple[Cause, str] | None:
    """What logs say of the harness's end where there are no exit records, as before Android 11.

    Args:
        log: lines of the buffers `events` and `main`.

    Returns:
        the cause and the line that tells it.
    """
    for line in reversed(log.splitlines()):
        if PACKAGE not in line:
            continue
        if re.search(r"\b(lowmemorykiller|lmkd|killinfo)\b", line, re.IGNORECASE):
            return REASONS[3], line.strip()
        if found := re.search(r"\bam_kill\b.*?:\s*\[(.*)\]", line):
            reason = found.group(1).rpartition(",")[2].strip()
            if _OWN_END.search(line):
                continue
            return (REASONS[3] if _MEMORY_WORDS.search(reason) else REASONS[10]), line.strip()
    return None


def crashes_of(log: str) -> str:
    """The lines of a crash log, in logcat's format `threadtime`, by or about processes that are the harness.

    A process is named with its last 15 characters in some lines, so those of an id that others name count, too.
    """
    lines = [(match.group(1), line) for line in log.splitlines() if (match := _LOG_LINE.match(line))]
    named = {pid for pid, line in lines if PACKAGE in line}
    named |= {match.group(1) for _, line in lines if (match := _TOMBSTONE.search(line))}
    return "\n".join(line for pid, line in lines if pid in named)


def ran_out_of_memory(crash_log: str) -> str | None:
    """The line of a crash log that says so, or None."""
    lines = (line.strip() for line in crash_log.splitlines())
    return next((line for line in lines if _NO_MEMORY.search(line) and not _OTHER_REFUSAL.search(line)), None)


def _find(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match.group(1).strip() if match else ""


def _bytes(text: str) -> int:
    match = re.fullmatch(r"([\d.]+)\s*([KMG]?)B?", text)
    return int(float(match.group(1)) * _SIZES[match.group(2)]) if match else 0
