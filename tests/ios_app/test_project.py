"""The Xcode project and what lies beside it, as far as any system can check them; each check must find its mistake."""

import plistlib
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "ios_app"
sys.path.insert(0, str(APP / "ci"))

import check_ipa  # noqa: E402
import lint_project  # noqa: E402
import openstep  # noqa: E402
import xctestrun  # noqa: E402

PROJECT = "DeepNarrowHarness.xcodeproj/project.pbxproj"
SCHEME = "DeepNarrowHarness.xcodeproj/xcshareddata/xcschemes/DeepNarrowHarness.xcscheme"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    copy = tmp_path / "ios_app"
    copy.mkdir()
    for name in ("App", "UITests", "DeepNarrowHarness.xcodeproj"):
        shutil.copytree(APP / name, copy / name)
    for name in ("Info.plist", "App.entitlements", "Package.swift"):
        shutil.copy(APP / name, copy / name)
    return copy


def test_the_project_is_as_xcode_expects_it() -> None:
    assert lint_project.problems(APP) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (PROJECT, "mainGroup = D00000000000000000000002", "mainGroup = D00000000000000000000009", "is not there"),
        (PROJECT, "files = (D00000000000000000000043, ", "files = (", "is referred to by nothing"),
        (PROJECT, "path = UITests;", "path = Tests;", "folder Tests is not there"),
        (PROJECT, "INFOPLIST_FILE = Info.plist", "INFOPLIST_FILE = Other.plist", "Other.plist is not there"),
        (
            PROJECT,
            "CODE_SIGN_STYLE = Automatic; CURRENT",
            "DEVELOPMENT_TEAM = A; CODE_SIGN_STYLE = Automatic; CURRENT",
            "command line",
        ),
        (PROJECT, "= dev.deepnarrow.harness;", "= dev.other;", "no target has the bundle id"),
        (PROJECT, "productName = AppleDevice", "productName = AppleDevices", "no library product AppleDevices"),
        (PROJECT, "objectVersion = 77;", "objectVersion = 77", "line 6"),
        (PROJECT, "archiveVersion = 1;", "archiveVersion = 1; archiveVersion = 1;", "archiveVersion is there twice"),
        (
            "Info.plist",
            "<key>UIFileSharingEnabled</key>\n\t<true/>",
            "<key>UIFileSharingEnabled</key>\n\t<false/>",
            "UIFileSharingEnabled must be true",
        ),
        ("Info.plist", "<key>UILaunchScreen</key>\n\t<dict/>", "", "UILaunchScreen is missing"),
        (
            "Info.plist",
            "<key>LSRequires",
            "<key>NSCameraUsageDescription</key><string>x</string><key>LSRequires",
            "asks for a permission",
        ),
        ("Info.plist", "</plist>", "", "cannot be read"),
        ("App.entitlements", "com.apple.developer.kernel", "com.apple.security.network", "is not needed"),
        ("App/PrivacyInfo.xcprivacy", "35F9.1", "35F9.9", "is not among Apple's reasons"),
        (
            "App/PrivacyInfo.xcprivacy",
            "<key>NSPrivacyTracking</key>\n\t<false/>",
            "<key>NSPrivacyTracking</key>\n\t<true/>",
            "collects nothing",
        ),
        (SCHEME, "D00000000000000000000021", "D00000000000000000000099", "is no target of the project"),
        (
            SCHEME,
            'LaunchAction buildConfiguration="Release"',
            'LaunchAction buildConfiguration="Debug"',
            "launched in Release",
        ),
    ],
)
def test_each_mistake_is_found(app: Path, file: str, old: str, new: str, problem: str) -> None:
    text = (app / file).read_text("utf-8")
    assert old in text
    (app / file).write_text(text.replace(old, new), "utf-8")
    found = lint_project.problems(app)
    assert any(problem in line for line in found), found
    assert all("\n" not in line for line in found)


def test_an_info_plist_inside_a_synchronized_folder_is_found(app: Path) -> None:
    shutil.copy(app / "Info.plist", app / "App" / "Info.plist")
    assert lint_project.problems(app) == ["App/Info.plist: would be copied into the app; it belongs beside the folder"]


@pytest.mark.parametrize("text", ["{", "{a = 1}", "{a 1;}", "(a b)", "a b", "{a = ;}", ")", '{a = "b;}'])
def test_what_is_no_property_list_is_refused(text: str) -> None:
    with pytest.raises(openstep.PlistSyntaxError, match=r"^line 1: "):
        openstep.loads(text)


def test_an_old_style_property_list_is_read() -> None:
    text = '// !$*UTF8*$!\n{ a /* note */ = (1, "two \\"x\\"", ); b = { c = x/d.e; }; }'
    assert openstep.loads(text) == {"a": ["1", 'two "x"'], "b": {"c": "x/d.e"}}


# A declaration that others can see: its line must end with the iOS that has it.
_DECLARATION = re.compile(
    r"^\s*(@\S+ )*(public|open|indirect|case|func|var|let|init|associatedtype|static|extension)\b"
)


def _versions() -> list[tuple[str, int, str, str | None]]:
    rows = []
    for file in sorted((APP / "stubs").rglob("*.swift")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if _DECLARATION.match(line):
                found = re.search(r"// iOS (\d+(?:\.\d+)?)$", line)
                rows.append((file.name, number, line, found[1] if found else None))
    return rows


def test_every_stand_in_names_an_ios_that_the_app_may_use() -> None:
    target = tuple(map(int, lint_project.deployment_target(APP).split(".")))
    rows = _versions()
    assert len(rows) > 200
    unnamed = [f"{name}:{number}: {line.strip()}" for name, number, line, version in rows if version is None]
    assert unnamed == []
    newer = [row for row in rows if tuple(map(int, str(row[3]).split("."))) > target]
    assert newer == []


def test_the_package_and_the_project_agree_on_the_system() -> None:
    package = (APP / "Package.swift").read_text("utf-8")
    assert f".iOS(.v{lint_project.deployment_target(APP).split('.')[0]})" in package


def _xctestrun(tmp_path: Path, content: dict[str, object]) -> Path:
    file = tmp_path / "tests.xctestrun"
    file.write_bytes(plistlib.dumps(content))
    return file


@pytest.mark.parametrize("nested", [True, False])
def test_variables_reach_every_test_target(tmp_path: Path, nested: bool, capsys: pytest.CaptureFixture[str]) -> None:
    target = {"TestBundlePath": "x", "EnvironmentVariables": {"KEEP": "1"}}
    flat: dict[str, object] = {"UITests": target, "__xctestrun_metadata__": {"FormatVersion": 1}}
    run = {"TestConfigurations": [{"Name": "a", "TestTargets": [target]}]} if nested else flat
    file = _xctestrun(tmp_path, run)
    assert xctestrun.main([str(file), "DEEPNARROW_ARTIFACT=artifacts/k", "DEEPNARROW_REQUEST=requests/a=b.json"]) == 0
    read = plistlib.loads(file.read_bytes())
    found = read["TestConfigurations"][0]["TestTargets"][0] if nested else read["UITests"]
    assert found["EnvironmentVariables"] == {
        "KEEP": "1",
        "DEEPNARROW_ARTIFACT": "artifacts/k",
        "DEEPNARROW_REQUEST": "requests/a=b.json",
    }
    assert "1 test target" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (b"no plist", ["A=1"], "not a property list"),
        (plistlib.dumps({}), ["A=1"], "names no test target"),
        (b"", [], "usage"),
        (plistlib.dumps([]), ["A=1"], "not a property list with keys"),
        (b"", ["A"], "usage"),
    ],
)
def test_a_bad_xctestrun_is_one_line_and_code_2(
    tmp_path: Path, content: bytes, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.xctestrun"
    file.write_bytes(content)
    assert xctestrun.main([str(file), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert file.read_bytes() == content


def _ipa(tmp_path: Path, *, leave_out: str = "", **keys: object) -> Path:
    app = "Payload/DeepNarrowHarness.app"
    info = (
        plistlib.loads((APP / "Info.plist").read_bytes())
        | {
            "CFBundleExecutable": "DeepNarrowHarness",
            "CFBundleIdentifier": "dev.deepnarrow.harness",
        }
        | keys
    )
    files = {
        f"{app}/Info.plist": plistlib.dumps(info),
        f"{app}/DeepNarrowHarness": b"",
        f"{app}/_CodeSignature/CodeResources": b"",
        f"{app}/embedded.mobileprovision": b"",
        f"{app}/PrivacyInfo.xcprivacy": b"",
        f"{app}/Frameworks/OnnxEngine.framework/OnnxEngine": b"",
    }
    file = tmp_path / "app.ipa"
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            if not leave_out or leave_out not in name:
                archive.writestr(name, data)
    return file


def test_an_ipa_with_everything_passes(tmp_path: Path) -> None:
    assert check_ipa.problems(_ipa(tmp_path), runner=False) == []
    assert check_ipa.main([str(_ipa(tmp_path))]) == 0


@pytest.mark.parametrize(
    ("leave_out", "keys", "problem"),
    [
        ("Info.plist", {}, "has no Info.plist"),
        ("embedded.mobileprovision", {}, "not signed"),
        ("PrivacyInfo", {}, "PrivacyInfo.xcprivacy"),
        ("OnnxEngine", {}, "is not embedded"),
        ("", {"CFBundleExecutable": "Other"}, "its executable Other is not there"),
        ("", {"CFBundleIdentifier": "a.b"}, "the farm asks for dev.deepnarrow.harness"),
        ("", {"UIFileSharingEnabled": False}, "must be true"),
        ("", {"NSCameraUsageDescription": "x"}, "asks for a permission"),
        ("Payload", {}, "must hold one folder"),
    ],
)
def test_what_an_ipa_lacks_is_named(
    tmp_path: Path, leave_out: str, keys: dict[str, object], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_ipa.main([str(_ipa(tmp_path, leave_out=leave_out, **keys))]) == 1
    assert problem in capsys.readouterr().out


def test_a_runner_needs_its_tests(tmp_path: Path) -> None:
    assert any("Runner.app" in line for line in check_ipa.problems(_ipa(tmp_path), runner=True))


def test_an_ipa_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.ipa").write_bytes(b"x")
    assert check_ipa.main([str(tmp_path / "a.ipa")]) == 1
    assert check_ipa.main([str(tmp_path / "gone.ipa")]) == 2
    assert check_ipa.main([]) == 2
    assert "not a ZIP file" in capsys.readouterr().out
