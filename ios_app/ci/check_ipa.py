"""Check the layout of an `.ipa`, on any system, before a device farm refuses it.

    python ios_app/ci/check_ipa.py APP.ipa            the app
    python ios_app/ci/check_ipa.py --runner TESTS.ipa the UI tests' runner app

An `.ipa` is a ZIP file with one folder `Payload/NAME.app`. The app must carry what the farm and the screens rely on.
"""

import plistlib
import sys
import zipfile
from pathlib import Path
from xml.parsers.expat import ExpatError

BUNDLE_ID = "dev.deepnarrow.harness"
EXECUTABLE = "DeepNarrowHarness"
TRUE_KEYS = ("UIFileSharingEnabled", "LSSupportsOpeningDocumentsInPlace", "LSRequiresIPhoneOS")


def problems(file: Path, *, runner: bool) -> list[str]:
    """Everything wrong with the file, one line each."""
    try:
        with zipfile.ZipFile(file) as archive:
            return _problems(archive, runner=runner)
    except (OSError, zipfile.BadZipFile) as error:
        return [f"not a ZIP file: {error}"]


def _problems(archive: zipfile.ZipFile, *, runner: bool) -> list[str]:
    names = archive.namelist()
    apps = {"/".join(name.split("/")[:2]) for name in names if name.startswith("Payload/") and ".app/" in name}
    if len(apps) != 1:
        return [f"must hold one folder Payload/NAME.app, found {', '.join(sorted(apps)) or 'none'}"]
    app = apps.pop()
    found = [f"{name}: leads out of the archive" for name in names if name.startswith("/") or ".." in name.split("/")]
    if f"{app}/Info.plist" not in names:
        return [*found, f"{app}: has no Info.plist"]
    try:
        info = plistlib.loads(archive.read(f"{app}/Info.plist"))
    except (ExpatError, plistlib.InvalidFileException, ValueError) as error:
        return [*found, f"{app}/Info.plist: not a property list: {error}"]
    executable = info.get("CFBundleExecutable")
    if f"{app}/{executable}" not in names:
        found.append(f"{app}: its executable {executable} is not there")
    if f"{app}/_CodeSignature/CodeResources" not in names or f"{app}/embedded.mobileprovision" not in names:
        found.append(f"{app}: not signed for a device (no _CodeSignature or embedded.mobileprovision)")
    return found + (_runner_problems(app, names) if runner else _app_problems(app, info, names))


def _app_problems(app: str, info: dict[str, object], names: list[str]) -> list[str]:
    found = [] if app == f"Payload/{EXECUTABLE}.app" else [f"{app}: the farm looks for Payload/{EXECUTABLE}.app"]
    if info.get("CFBundleIdentifier") != BUNDLE_ID:
        found.append(f"CFBundleIdentifier is {info.get('CFBundleIdentifier')}, the farm asks for {BUNDLE_ID}")
    found += [f"Info.plist: {key} must be true" for key in TRUE_KEYS if info.get(key) is not True]
    found += [f"Info.plist: {key} asks for a permission" for key in info if key.endswith("UsageDescription")]
    if f"{app}/PrivacyInfo.xcprivacy" not in names:
        found.append(f"{app}: has no PrivacyInfo.xcprivacy")
    if not any(name.startswith(f"{app}/Frameworks/OnnxEngine.framework/") for name in names):
        found.append(f"{app}: Frameworks/OnnxEngine.framework is not embedded")
    return found


def _runner_problems(app: str, names: list[str]) -> list[str]:
    found = [] if app.endswith("-Runner.app") else [f"{app}: a runner is called NAME-Runner.app"]
    if not any(name.startswith(f"{app}/PlugIns/") and ".xctest/" in name for name in names):
        found.append(f"{app}: has no test bundle in PlugIns")
    return found


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 nothing wrong, 1 something is, 2 bad input."""
    runner = "--runner" in arguments
    files = [argument for argument in arguments if argument != "--runner"]
    if len(files) != 1 or files[0].startswith("-"):
        print("usage: check_ipa.py [--runner] FILE.ipa", file=sys.stderr)
        return 2
    if not Path(files[0]).is_file():
        print(f"{files[0]}: no such file", file=sys.stderr)
        return 2
    found = problems(Path(files[0]), runner=runner)
    print("\n".join(f"{files[0]}: {problem}" for problem in found) or f"{files[0]}: layout as expected")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
