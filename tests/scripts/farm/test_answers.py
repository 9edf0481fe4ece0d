"""The table of answers: every row is reached, and real texts find the right one."""

import pytest

from scripts.farm.answers import ANSWERS, Answer, Speaker, find_answer
from scripts.records import FAILURE_CLASS, FailureClass, FailureKind


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.speaker}: {row.fragment}")
def test_every_row_is_reached_in_any_case_and_says_what_to_do(row: Answer) -> None:
    for text in (row.fragment, row.fragment.upper(), f"adb: error: {row.fragment.lower()}."):
        assert find_answer(row.speaker, text) is row, text
    assert row.meaning
    assert row.advice
    assert FAILURE_CLASS[row.failure] is FailureClass.INFRA


# Public answers, each with the fragment of the row that has to be found.
ADB_TEXTS = {
    "863276c1 no permissions (missing udev rules? user is in the plugdev group); see [http://x]": "udev",
    "error: insufficient permissions for device": "insufficient permissions",
    "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set": "unauthorized",
    "adb: failed to install: Failure [INSTALL_FAILED_USER_RESTRICTED: Install canceled by user]": "USER_RESTRICTED",
    "Failure [INSTALL_FAILED_ABORTED: User rejected permissions]": "User rejected",
    "Failure [INSTALL_FAILED_VERIFICATION_FAILURE]": "VERIFICATION_FAILURE",
    "Failure [INSTALL_FAILED_INTERNAL_ERROR: Permission Denied]": "INTERNAL_ERROR: Permission Denied",
    "Failure [INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract native libraries, res=-113]": "NO_MATCHING_ABIS",
    "Failure [INSTALL_FAILED_OLDER_SDK]": "OLDER_SDK",
    "Failure [INSTALL_PARSE_FAILED_NOT_APK: Failed to parse /data/app/vmdl1.tmp/base.apk]": "PARSE_FAILED",
    "Failure [INSTALL_FAILED_MISSING_SPLIT: Missing split for x]": "MISSING_",
    "Failure [INSTALL_FAILED_INSUFFICIENT_STORAGE]": "INSUFFICIENT_STORAGE",
    "Failure [INSTALL_FAILED_UPDATE_INCOMPATIBLE: signatures do not match newer version]": "UPDATE_INCOMPATIBLE",
    "Failure [INSTALL_FAILED_SOMETHING_NEW]": "INSTALL_",
    "cmd: Can't find service: package": "find service",
    "Error: Could not access the Package Manager.  Is the system running?": "Is the system running",
    "cmd: Failure calling service package: Broken pipe (32)": "Failure calling service",
    "android.os.DeadSystemException": "DeadSystem",
    "INSTRUMENTATION_ABORTED: System has crashed.": "System has crashed",
    "SecurityException: Permission denial: writing to settings requires:android.permission.WRITE_SECURE_SETTINGS":
        "WRITE_SECURE_SETTINGS",
    "java.lang.SecurityException: Injecting input events requires the caller (uid 2000) to have INJECT_EVENTS":
        "INJECT_EVENTS",
    "java.lang.SecurityException: You need the android.permission.INSTALL_GRANT_RUNTIME_PERMISSIONS permission":
        "INSTALL_GRANT_RUNTIME_PERMISSIONS",
    "mkdir: '/data/local/tmp/deepnarrow': Read-only file system": "read-only file system",
    "mkdir: '/data/local/tmp/deepnarrow': Permission denied": "permission denied",
    "adb: error: failed to copy 'a' to 'b': remote couldn't create file: No space left on device": "no space left",
    "adb install: not done after 300 s": "install: not done",
    "adb push: not done after 120 s": "not done after",
    "error: device 'R5CT30' not found": "' not found",
    "R5CT30 starting": " starting",
    "failed to connect to '10.0.0.7:5555': Connection refused": "connection refused",
    "more than one device with serial 0123456789ABCDEF": "more than one device with serial",
}  # fmt: skip
APPLE_TEXTS = {
    "The device is passcode protected.": "passcode",
    "the Developer Disk Image must be mounted - run `ios image auto`": "developer disk image",
    "could not retrieve PairRecord with error: ReadPair failed with errorcode '2'": "PairRecord",
    "failed to start tunnel": "tunnel",
    "ApplicationVerificationFailed: Failed to verify code signature": "ApplicationVerificationFailed",
    "dial unix /var/run/usbmuxd: connect: no such file or directory": "usbmux",
    "Developer Mode is disabled": "developer mode",
}


@pytest.mark.parametrize(
    ("speaker", "text", "fragment"),
    [*((Speaker.ADB, *each) for each in ADB_TEXTS.items()), *((Speaker.APPLE, *each) for each in APPLE_TEXTS.items())],
)
def test_public_texts_find_the_row_that_says_most(speaker: Speaker, text: str, fragment: str) -> None:
    row = find_answer(speaker, text)
    assert row is not None
    assert row.fragment == fragment


def test_what_only_a_person_can_mend_is_not_tried_again_and_what_passes_is() -> None:
    """A refusal on the screen or a package that can never fit, against a full disk, a lost link, a starting system."""
    person = (
        "USER_RESTRICTED",
        "User rejected",
        "NO_MATCHING_ABIS",
        "OLDER_SDK",
        "PARSE_FAILED",
        "unauthorized",
        "udev",
    )
    passing = (
        "offline",
        "find service",
        "System has crashed",
        "no space left",
        "device not found",
        "VERIFICATION_TIMEOUT",
    )
    needed = {row.fragment: row.needs_person for row in ANSWERS if row.speaker is Speaker.ADB}
    assert [needed[each] for each in person] == [True] * len(person)
    assert [needed[each] for each in passing] == [False] * len(passing)


def test_space_is_storage_and_other_speakers_rows_are_not_looked_at() -> None:
    row = find_answer(Speaker.ADB, "INSTALL_FAILED_INSUFFICIENT_STORAGE")
    assert row is not None
    assert row.failure is FailureKind.STORAGE
    assert find_answer(Speaker.APPLE, "unauthorized") is None
    assert find_answer(Speaker.ADB, "all is well") is None


def test_fragments_do_not_match_what_only_looks_alike() -> None:
    """The banner of adb's own server, a missing command of the phone's shell, and words inside other words."""
    signature = (
        "java.lang.SecurityException: Permission Denial: starting instrumentation X does not have a signature matching"
    )
    found = find_answer(Speaker.ADB, signature)
    assert found is not None
    assert found.needs_person
    assert find_answer(Speaker.ADB, "* daemon not running; starting now at tcp:5037") is None
    assert find_answer(Speaker.ADB, "/system/bin/sh: cmd: inaccessible or not found") is None
    assert find_answer(Speaker.ADB, "rm: /data/x: Device or resource busy") is None
    assert find_answer(Speaker.APPLE, "the connection was blocked by a firewall") is None
