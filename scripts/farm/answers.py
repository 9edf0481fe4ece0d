"""What phones and the programs that reach them answer, what it means and what to do: one table, as data.

The first row whose fragment stands in an answer counts, whatever the case of its letters; so rows that say more stand
before rows that say less. `docs/farm.md` tells where the answers were seen.
"""

from dataclasses import dataclass
from enum import StrEnum

from scripts.records import FailureKind


class Speaker(StrEnum):
    """Who answers. The same word may mean different things."""

    ADB = "adb"  # the adb program, its server, and Android's services behind it
    APPLE = "apple"  # `xcrun devicectl`, go-ios, and the iPhone behind them


@dataclass(frozen=True, slots=True)
class Answer:
    """One row.

    Attributes:
        fragment: what stands in the answer.
        meaning: what has happened.
        advice: what a person should do, one sentence.
        failure: kind of failure; its class decides whether the run is tried again.
        needs_person: trying again is of no use before somebody has done what is advised.
    """

    speaker: Speaker
    fragment: str
    meaning: str
    advice: str
    failure: FailureKind = FailureKind.DEVICE
    needs_person: bool = False


_ALLOW = "unlock the phone and accept 'Allow USB debugging?'"
_CABLE = "unplug the phone and plug it in again; try another cable"
_LIST = "plug the phone in again; `python -m scripts.farm devices` lists those that are seen"
_SECURITY = (
    "in the developer options switch on `USB debugging (Security settings)`, also called `Disable permission "
    "monitoring`, and restart the phone"
)
_UDEV = (
    "install the udev rules (on Debian the package android-sdk-platform-tools-common, else 51-android.rules), log in "
    "again if you were put into plugdev, and plug the phone in again"
)
_TMP = (
    "this maker may close /data/local/tmp to adb: look for `USB debugging (Security settings)`; after a session as "
    "root: adb root, then adb shell rm -rf /data/local/tmp/deepnarrow"
)
_SPACE = "free space on the phone"
_WAIT = "Android's services are starting or have crashed: wait a minute; if it stays, restart the phone"
_UNINSTALL = "adb uninstall dev.deepnarrow.harness"
_SCREEN = (
    "look at the phone's screen and allow the installation; switch off `Verify apps over USB` in the developer options"
)
_UNLOCK = "unlock the iPhone and keep it unlocked"
_TRUST = "connect the iPhone by cable, unlock it, tap Trust, and pair it"
_MODE = "on the iPhone: Settings > Privacy & Security > Developer Mode: switch it on"
_SIGN = (
    "sign the app with a profile that holds this iPhone, and trust it in Settings > General > VPN & Device Management"
)
_POPUPS = (
    "unlock the phone; in the app's settings allow `Display pop-up windows while running in the background`, `Show on "
    "Lock screen`, and starting by itself"
)
_NO_RULE = "Linux does not let this user open the phone's USB port"
_NO_KEY = "the phone has not accepted this computer's key"
_OTHER_KEY = "the installed harness was signed with another key"
_NOT_WHOLE = "the file is no whole package"
_BUILD = "build the harness again; see docs/android.md"
_UNPAIRED = "this computer is not paired with the iPhone"
_UNSIGNED = "the app is not signed for this iPhone"
_LESS = "this maker lets adb do less than Android does"
_HELD = "another program holds the phone"
_CLOSE = "adb kill-server, and close Android Studio and scrcpy"
_ARM = "the harness needs a 64-bit Arm phone"
_NO_ABI = "the package has no code for this processor"
_OWNER = "the phone's owner forbids installations"
_ASK = "ask who manages this phone, or use another one"
_TCPIP = "is the phone on, and `adb tcpip 5555` or pairing done?"
_IMAGE = "the developer image is not mounted"
_MOUNT = "open Xcode once, or: ios image auto"


def _adb(
    fragment: str, meaning: str, advice: str, failure: FailureKind = FailureKind.DEVICE, *, person: bool = False
) -> Answer:
    return Answer(Speaker.ADB, fragment, meaning, advice, failure, person)


def _apple(
    fragment: str, meaning: str, advice: str, failure: FailureKind = FailureKind.DEVICE, *, person: bool = False
) -> Answer:
    return Answer(Speaker.APPLE, fragment, meaning, advice, failure, person)


ANSWERS: tuple[Answer, ...] = (
    # Space, whatever else is said.
    _adb("INSUFFICIENT_STORAGE", "no space for the package", _SPACE, FailureKind.STORAGE),
    _adb("no space left", "the storage is full", _SPACE, FailureKind.STORAGE),
    _adb("not enough space", "no space for the package", _SPACE, FailureKind.STORAGE),
    _adb("ENOSPC", "the storage is full", _SPACE, FailureKind.STORAGE),
    _adb("quota exceeded", "the storage is full", _SPACE, FailureKind.STORAGE),
    _adb(
        "input/output error",
        "the storage fails",
        "restart the phone; if it stays, its storage is broken",
        FailureKind.STORAGE,
    ),
    _adb(
        "read-only file system",
        "the storage is mounted read-only",
        "restart the phone; after `adb disable-verity` or a root tool, undo what it changed",
        FailureKind.STORAGE,
    ),
    _adb(
        "transport endpoint is not connected",
        "shared storage is not mounted",
        "restart the phone and unlock it once",
        FailureKind.STORAGE,
    ),
    # The way to the phone.
    _adb("udev", _NO_RULE, _UDEV, person=True),
    _adb("no permissions", _NO_RULE, _UDEV, person=True),
    _adb("insufficient permissions", _NO_RULE, _UDEV, person=True),
    _adb("LIBUSB_ERROR_ACCESS", _NO_RULE, _UDEV, person=True),
    _adb("LIBUSB_ERROR_BUSY", _HELD, _CLOSE),
    _adb("libusb: resource busy", _HELD, _CLOSE),
    _adb("usb: device or resource busy", _HELD, _CLOSE),
    _adb(
        "more than one device with serial",
        "two devices share one serial number, and adb cannot tell them apart",
        "unplug one of them, or reach each by TCP: adb tcpip 5555, then discovery.adb_connect",
        person=True,
    ),
    _adb("unauthorized", _NO_KEY, _ALLOW, person=True),
    _adb("authenticat", _NO_KEY, _ALLOW, person=True),
    _adb("authorizing", "the phone is being asked whether it accepts this computer's key", _ALLOW),
    _adb("vendor keys", _NO_KEY, _ALLOW, person=True),
    _adb("ADB_VENDOR_KEYS", _NO_KEY, _ALLOW, person=True),
    _adb(
        "doesn't match this client",
        "another adb version has taken the server's place",
        "set DEEPNARROW_ADB_PORT to a free port",
    ),
    _adb("address already in use", "the port of the adb server is taken", "set DEEPNARROW_ADB_PORT to a free port"),
    _adb("offline", "adb has lost the phone", _CABLE),
    _adb("no devices", "adb sees no phone", _LIST),
    _adb("protocol fault", "adb has lost the phone", _CABLE),
    _adb("connection reset", "adb has lost the phone", _CABLE),
    _adb("error: closed", "adb has lost the phone", _CABLE),
    _adb("connection refused", "nothing speaks adb at this address", _TCPIP),
    _adb("no route to host", "the network does not reach the phone", "put the phone into this computer's network"),
    _adb("failed to connect", "nothing speaks adb at this address", _TCPIP),
    # Installing: what Android's package manager, or the maker's own guard, says.
    _adb("INSTALL_GRANT_RUNTIME_PERMISSIONS", "this maker lets adb grant no permissions", _SECURITY, person=True),
    _adb(
        "USER_RESTRICTED",
        "installing over USB is switched off, or a person said no",
        "switch on `Install via USB` in the developer options, and allow the installation on the screen",
        person=True,
    ),
    _adb("User rejected", "a person said no on the screen", _SCREEN, person=True),
    _adb("canceled by user", "a person said no on the screen", _SCREEN, person=True),
    _adb("INSTALL_FAILED_ABORTED", "the installation was ended on the phone", _SCREEN, person=True),
    _adb("VERIFICATION_TIMEOUT", "Play Protect did not answer", _SCREEN),
    _adb("VERIFICATION_FAILURE", "Play Protect refused the package", _SCREEN, person=True),
    _adb(
        "INTERNAL_ERROR: Permission Denied",
        "the maker's guard refused the package",
        "switch on `Install via USB`; on MIUI also switch off `MIUI optimization` and restart the phone",
        person=True,
    ),
    _adb("UPDATE_INCOMPATIBLE", _OTHER_KEY, _UNINSTALL, person=True),
    _adb("INCONSISTENT_CERTIFICATES", _OTHER_KEY, _UNINSTALL, person=True),
    _adb("signatures do not match", _OTHER_KEY, _UNINSTALL, person=True),
    _adb("SHARED_USER_INCOMPATIBLE", _OTHER_KEY, _UNINSTALL, person=True),
    _adb("VERSION_DOWNGRADE", "the installed harness is newer", _UNINSTALL, person=True),
    _adb(
        "ALREADY_EXISTS", "another build is there, perhaps of another user", f"{_UNINSTALL} for every user", person=True
    ),
    _adb("CONFLICTING_PROVIDER", "another app has the harness's provider", f"{_UNINSTALL} for every user", person=True),
    _adb(
        "DUPLICATE_PERMISSION", "another app has the harness's permission", f"{_UNINSTALL} for every user", person=True
    ),
    _adb(
        "DUPLICATE_PACKAGE",
        "another build is there, perhaps of another user",
        f"{_UNINSTALL} for every user",
        person=True,
    ),
    _adb("NO_MATCHING_ABIS", _NO_ABI, _ARM, person=True),
    _adb("CPU_ABI_INCOMPATIBLE", _NO_ABI, _ARM, person=True),
    _adb("OLDER_SDK", "this Android is too old for the package", "the harness needs Android 9 or newer", person=True),
    _adb(
        "DEPRECATED_SDK",
        "this Android refuses packages made for old ones",
        "build the harness again, with a newer SDK",
        person=True,
    ),
    _adb(
        "TEST_ONLY",
        "the package is a test build, which this phone refuses",
        "build the release variant of the harness",
        person=True,
    ),
    _adb("MISSING_", "the phone lacks something that the package needs", "use another phone", person=True),
    _adb("PARSE_FAILED", _NOT_WHOLE, _BUILD, person=True),
    _adb("INVALID_APK", _NOT_WHOLE, _BUILD, person=True),
    _adb("BAD_DEX", _NOT_WHOLE, _BUILD, person=True),
    _adb("no_install", _OWNER, _ASK, person=True),
    _adb("device policy", _OWNER, _ASK, person=True),
    _adb("blocked", "the phone forbids the installation", _SCREEN, person=True),
    _adb("install: not done", "the phone waits for somebody", _SCREEN, person=True),
    _adb("DEXOPT", "the package could not be prepared", "free space on the phone and restart it", FailureKind.STORAGE),
    _adb(
        "MEDIA_UNAVAILABLE",
        "shared storage is not mounted",
        "restart the phone and unlock it once",
        FailureKind.STORAGE,
    ),
    _adb("CONTAINER_ERROR", "the package could not be unpacked", "restart the phone", FailureKind.STORAGE),
    # Android's services.
    _adb("System has crashed", "Android's system server has crashed in the run", _WAIT),
    _adb("find service", "a service of Android is not there", _WAIT),
    _adb("Failure calling service", "a service of Android has died", _WAIT),
    _adb("DeadSystem", "Android's system server has died", _WAIT),
    _adb("DeadObject", "a service of Android has died", _WAIT),
    _adb("Is the system running", "Android is not up", _WAIT),
    _adb("Failed transaction", "a service of Android has died", _WAIT),
    _adb("signature matching", "the installed harness was signed with another key", _UNINSTALL, person=True),
    _adb("WRITE_SECURE_SETTINGS", "this maker lets adb change no settings", _SECURITY, person=True),
    _adb("INJECT_EVENTS", "this maker lets adb press no keys", _SECURITY, person=True),
    _adb("Permission denial", _LESS, _SECURITY, person=True),
    _adb("SecurityException", _LESS, _SECURITY, person=True),
    _adb(" starting", "Android is not up", _WAIT),
    _adb(
        "find instrumentation",
        "the harness is not installed, or not for this user",
        "give it with --apk, or as discovery.android_apk in the campaign file",
    ),
    _adb(
        "INSTRUMENTATION_FAILED",
        "the harness cannot be started",
        "start it once by hand; if it does not open, install it again with --apk",
    ),
    _adb("before its first sign of life", "Android does not open the harness's screen", _POPUPS),
    # Files.
    _adb("permission denied", "the phone refuses files", _TMP),
    _adb("operation not permitted", "the phone refuses files", _TMP),
    _adb("couldn't create", "the phone refuses files", _TMP),
    _adb("secure_mkdirs", "the phone refuses files", _TMP),
    _adb("unknown option", "this adb is too old", "install platform-tools 33 or newer, or unset ADBUTILS_ADB_PATH"),
    _adb(
        "INSTALL_",
        "the package was refused",
        "install it by hand: adb install -r -t HARNESS.apk, and look at the screen",
    ),
    _adb("not done after", "adb has lost the phone, or the phone is very busy", _CABLE),
    _adb("' not found", "adb does not see the phone", _LIST),
    _adb("device not found", "adb does not see the phone", _LIST),
    # iPhones.
    _apple("tunnelState unavailable", "the iPhone is not in reach", "plug the iPhone in again and unlock it"),
    _apple("no space", "the storage is full", "free space on the iPhone", FailureKind.STORAGE),
    _apple("not enough storage", "the storage is full", "free space on the iPhone", FailureKind.STORAGE),
    _apple("developer mode", "Developer Mode is off", _MODE, person=True),
    _apple("developer disk image", _IMAGE, _MOUNT),
    _apple("image auto", _IMAGE, _MOUNT),
    _apple("developer image", _IMAGE, _MOUNT),
    _apple("passcode", "the iPhone is locked", _UNLOCK, person=True),
    _apple("PasswordProtected", "the iPhone is locked", _UNLOCK, person=True),
    _apple("is locked", "the iPhone is locked", _UNLOCK, person=True),
    _apple("device locked", "the iPhone is locked", _UNLOCK, person=True),
    _apple("pair record", _UNPAIRED, _TRUST, person=True),
    _apple("PairRecord", _UNPAIRED, _TRUST, person=True),
    _apple("InvalidHostID", _UNPAIRED, _TRUST, person=True),
    _apple("PairingDialog", "the iPhone asks whether it trusts this computer", _TRUST, person=True),
    _apple("not paired", _UNPAIRED, _TRUST, person=True),
    _apple("unpaired", _UNPAIRED, _TRUST, person=True),
    _apple("trust", "this computer or the app's maker is not trusted", _TRUST, person=True),
    _apple(
        "tunnel",
        "the tunnel of iOS 17 and newer does not run",
        "start it: sudo ios tunnel start, or ios tunnel start --userspace",
    ),
    _apple("ApplicationVerificationFailed", _UNSIGNED, _SIGN, person=True),
    _apple("provision", _UNSIGNED, _SIGN, person=True),
    _apple("entitlement", _UNSIGNED, _SIGN, person=True),
    _apple("code signature", _UNSIGNED, _SIGN, person=True),
    _apple("usbmux", "the service usbmuxd does not run", "start it: sudo systemctl start usbmuxd"),
    _apple("getting device list", "the service usbmuxd does not run", "start it: sudo systemctl start usbmuxd"),
    _apple("device not found", "the iPhone is not connected", "plug the iPhone in again and unlock it"),
    _apple("not done after", "the iPhone does not answer", "plug the iPhone in again and unlock it"),
)


def find_answer(speaker: Speaker, text: str) -> Answer | None:
    """The first row of this speaker whose fragment stands in `text`."""
    # What adb tells of its own server's start is no answer of a phone.
    folded = "\n".join(line for line in text.splitlines() if not line.startswith("* daemon")).casefold()
    return next((row for row in ANSWERS if row.speaker is speaker and row.fragment.casefold() in folded), None)
