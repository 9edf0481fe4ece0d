"""Check the Xcode project, its property lists and its scheme on any system: what would only fail on a Mac, much later.

python ios_app/ci/lint_project.py [ios_app]
"""

import plistlib
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from xml.parsers.expat import ExpatError

import openstep

BUNDLE_ID = "dev.deepnarrow.harness"
NAME = "DeepNarrowHarness"
_REFERENCE = re.compile(r"[0-9A-F]{24}")
_TRUE_KEYS = ("UIFileSharingEnabled", "LSSupportsOpeningDocumentsInPlace", "LSRequiresIPhoneOS")
_BUNDLE_KEYS = (
    "CFBundleExecutable",
    "CFBundleIdentifier",
    "CFBundleName",
    "CFBundlePackageType",
    "CFBundleShortVersionString",
    "CFBundleVersion",
)
_REASONS = {
    "NSPrivacyAccessedAPICategorySystemBootTime": {"35F9.1", "8FFB.1", "3D61.1"},
    "NSPrivacyAccessedAPICategoryFileTimestamp": {"DDA9.1", "C617.1", "3B52.1", "0A2A.1"},
    "NSPrivacyAccessedAPICategoryDiskSpace": {"85F4.1", "E174.1", "7D9E.1", "B728.1"},
}
Objects = dict[str, dict[str, openstep.Plist]]


def problems(app: Path) -> list[str]:
    """Everything wrong below the folder `ios_app`, one line each."""
    file = app / f"{NAME}.xcodeproj" / "project.pbxproj"
    try:
        project = openstep.loads(file.read_text("utf-8"))
    except (OSError, openstep.PlistSyntaxError) as error:
        return [f"{file.name}: {error}"]
    if not isinstance(project, dict) or not isinstance(project.get("objects"), dict):
        return [f"{file.name}: has no objects"]
    objects: Objects = {key: value for key, value in project["objects"].items() if isinstance(value, dict)}
    found = _references(project, objects) + _folders(app, objects) + _settings(app, objects) + _products(app, objects)
    return found + _info(app) + _entitlements(app) + _privacy(app) + _scheme(app, objects)


def _walk(value: openstep.Plist) -> list[str]:
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (key, *_walk(each))]
    if isinstance(value, list):
        return [text for each in value for text in _walk(each)]
    return [value]


def _references(project: dict[str, openstep.Plist], objects: Objects) -> list[str]:
    """Every reference leads to an object, and every object is referred to."""
    used = {text for value in objects.values() for text in _walk(value) if _REFERENCE.fullmatch(text)}
    used.add(str(project.get("rootObject")))
    missing = [f"project.pbxproj: {key} is referred to and is not there" for key in sorted(used - set(objects))]
    return missing + [f"project.pbxproj: {key} is referred to by nothing" for key in sorted(set(objects) - used)]


def _of(objects: Objects, isa: str) -> list[dict[str, openstep.Plist]]:
    return [value for value in objects.values() if value.get("isa") == isa]


def _folders(app: Path, objects: Objects) -> list[str]:
    found = []
    for group in _of(objects, "PBXFileSystemSynchronizedRootGroup"):
        folder = app / str(group.get("path"))
        if not folder.is_dir():
            found.append(f"project.pbxproj: folder {group.get('path')} is not there")
        elif not any(folder.rglob("*.swift")):
            found.append(f"project.pbxproj: folder {group.get('path')} has no Swift file")
        elif plists := sorted(path.name for path in folder.rglob("*") if path.suffix in (".plist", ".entitlements")):
            found.append(f"{folder.name}/{plists[0]}: would be copied into the app; it belongs beside the folder")
    return found


def _settings(app: Path, objects: Objects) -> list[str]:
    found = []
    for configuration in _of(objects, "XCBuildConfiguration"):
        settings = configuration.get("buildSettings")
        if not isinstance(settings, dict):
            found.append(f"project.pbxproj: configuration {configuration.get('name')} has no settings")
            continue
        for key in ("INFOPLIST_FILE", "CODE_SIGN_ENTITLEMENTS"):
            if key in settings and not (app / str(settings[key])).is_file():
                found.append(f"project.pbxproj: {key} {settings[key]} is not there")
        if "DEVELOPMENT_TEAM" in settings:
            found.append("project.pbxproj: DEVELOPMENT_TEAM belongs on the command line, not in the file")
    bundles = {str(settings.get("PRODUCT_BUNDLE_IDENTIFIER")) for settings in _all_settings(objects)}
    if BUNDLE_ID not in bundles:
        found.append(f"project.pbxproj: no target has the bundle id {BUNDLE_ID}")
    return found


def _all_settings(objects: Objects) -> list[dict[str, openstep.Plist]]:
    found = (each.get("buildSettings") for each in _of(objects, "XCBuildConfiguration"))
    return [value for value in found if isinstance(value, dict)]


def deployment_target(app: Path) -> str:
    """The iOS that the project is built for, as `18.0`.

    Raises:
        ValueError: the configurations name none, or several.
    """
    project = openstep.loads((app / f"{NAME}.xcodeproj" / "project.pbxproj").read_text("utf-8"))
    found = set(re.findall(r"IPHONEOS_DEPLOYMENT_TARGET', '([\d.]+)'", str(sorted(_pairs(project)))))
    if len(found) != 1:
        raise ValueError(f"IPHONEOS_DEPLOYMENT_TARGET must be one number, found {sorted(found)}")
    return found.pop()


def _pairs(value: openstep.Plist) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        own = [(key, each) for key, each in value.items() if isinstance(each, str)]
        return own + [pair for each in value.values() for pair in _pairs(each)]
    return [pair for each in value for pair in _pairs(each)] if isinstance(value, list) else []


def _products(app: Path, objects: Objects) -> list[str]:
    """Products that the project links are those that Package.swift offers."""
    package = (app / "Package.swift").read_text("utf-8")
    offered = set(re.findall(r'\.library\(\s*name:\s*"(\w+)"', package))
    linked = {str(each.get("productName")) for each in _of(objects, "XCSwiftPackageProductDependency")}
    return [f"project.pbxproj: Package.swift has no library product {name}" for name in sorted(linked - offered)]


def _plist(file: Path) -> tuple[dict[str, object], list[str]]:
    try:
        content = plistlib.loads(file.read_bytes())
    except (OSError, ExpatError, plistlib.InvalidFileException, ValueError) as error:
        return {}, [f"{file.name}: cannot be read: {error}"]
    return content, []


def _info(app: Path) -> list[str]:
    info, found = _plist(app / "Info.plist")
    if found:
        return found
    found = [f"Info.plist: {key} must be true" for key in _TRUE_KEYS if info.get(key) is not True]
    found += [f"Info.plist: {key} is missing" for key in _BUNDLE_KEYS if key not in info]
    asking = [key for key in info if key.endswith("UsageDescription")]
    found += [f"Info.plist: {key} asks for a permission; the app needs none" for key in asking]
    if "NSAppTransportSecurity" in info:
        found.append("Info.plist: NSAppTransportSecurity: the app opens no connection")
    if "UILaunchScreen" not in info:
        found.append("Info.plist: UILaunchScreen is missing; without it the app runs in a letter box")
    return found


def _entitlements(app: Path) -> list[str]:
    entitlements, found = _plist(app / "App.entitlements")
    known = {"com.apple.developer.kernel.increased-memory-limit"}
    return found + [f"App.entitlements: {key} is not needed" for key in entitlements if key not in known]


def _privacy(app: Path) -> list[str]:
    privacy, found = _plist(app / "App" / "PrivacyInfo.xcprivacy")
    if found:
        return found
    if privacy.get("NSPrivacyTracking") is not False or privacy.get("NSPrivacyCollectedDataTypes") != []:
        found.append("PrivacyInfo.xcprivacy: the app collects nothing and must say so")
    for used in privacy.get("NSPrivacyAccessedAPITypes", []):  # pyright: ignore[reportGeneralTypeIssues]
        category, reasons = used.get("NSPrivacyAccessedAPIType"), used.get("NSPrivacyAccessedAPITypeReasons", [])
        if not reasons or not set(reasons) <= _REASONS.get(category, set()):
            given = ", ".join(reasons) or "no reason"
            found.append(f"PrivacyInfo.xcprivacy: {category}: {given} is not among Apple's reasons")
    return found


def _scheme(app: Path, objects: Objects) -> list[str]:
    file = app / f"{NAME}.xcodeproj" / "xcshareddata" / "xcschemes" / f"{NAME}.xcscheme"
    try:
        scheme = ET.parse(file).getroot()
    except (OSError, ET.ParseError) as error:
        return [f"{file.name}: cannot be read: {error}"]
    found = []
    for reference in scheme.iter("BuildableReference"):
        target = objects.get(reference.get("BlueprintIdentifier", ""))
        if target is None or target.get("name") != reference.get("BlueprintName"):
            found.append(f"{file.name}: {reference.get('BlueprintName')} is no target of the project")
        if reference.get("ReferencedContainer") != f"container:{NAME}.xcodeproj":
            found.append(f"{file.name}: {reference.get('ReferencedContainer')} is not this project")
    launch = scheme.find("LaunchAction")
    if launch is None or launch.get("buildConfiguration") != "Release":
        found.append(f"{file.name}: the app must be launched in Release; a debug build's numbers say nothing")
    return found


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 nothing wrong, 1 something is."""
    found = problems(Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1])
    print("\n".join(found) or "the Xcode project, its property lists and its scheme are as expected")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
