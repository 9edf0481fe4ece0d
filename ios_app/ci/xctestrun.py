"""Set environment variables in a `.xctestrun` file, on any system: what a UI test of the app is to run.

    python ios_app/ci/xctestrun.py FILE DEEPNARROW_ARTIFACT=artifacts/KEY DEEPNARROW_REQUEST=requests/RUN.json

The test reads them from its own environment and passes them on to the app (`UITests/RunTests.swift`).
"""

import plistlib
import sys
from pathlib import Path
from xml.parsers.expat import ExpatError

KEY = "EnvironmentVariables"


class BadFileError(Exception):
    """A file or argument that cannot be used; the message is one line."""


def targets(run: dict[str, object], name: str) -> list[dict[str, object]]:
    """The test targets of both formats that Xcode writes: with `TestConfigurations`, or one top-level key a target.

    Raises:
        BadFileError: there is none.
    """
    found: list[dict[str, object]] = []
    configurations = run.get("TestConfigurations")
    if isinstance(configurations, list):
        for configuration in configurations:
            listed = configuration.get("TestTargets") if isinstance(configuration, dict) else None
            found += [target for target in listed if isinstance(target, dict)] if isinstance(listed, list) else []
    else:
        found += [value for value in run.values() if isinstance(value, dict) and "TestBundlePath" in value]
    if not found:
        raise BadFileError(f"{name}: names no test target; is it the .xctestrun of xcodebuild build-for-testing?")
    return found


def set_variables(file: Path, variables: dict[str, str]) -> int:
    """Set them for every test target, in place. Returns how many targets there are.

    Raises:
        BadFileError: not a property list, or one without a test target.
    """
    try:
        run = plistlib.loads(file.read_bytes())
    except OSError as error:
        raise BadFileError(f"{file}: {error.strerror}") from error
    except (ExpatError, plistlib.InvalidFileException, ValueError, TypeError) as error:
        raise BadFileError(f"{file}: not a property list") from error
    if not isinstance(run, dict):
        raise BadFileError(f"{file}: not a property list with keys")
    found = targets(run, str(file))
    for target in found:
        environment = target.get(KEY)
        target[KEY] = {**(environment if isinstance(environment, dict) else {}), **variables}
    temporary = file.with_name(f".{file.name}.tmp")
    temporary.write_bytes(plistlib.dumps(run))
    temporary.replace(file)
    return len(found)


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 done, 2 bad input."""
    pairs = [argument.partition("=") for argument in arguments[1:]]
    if not pairs or not all(name and separator for name, separator, _ in pairs):
        print("usage: xctestrun.py FILE NAME=VALUE ...", file=sys.stderr)
        return 2
    try:
        count = set_variables(Path(arguments[0]), {name: value for name, _, value in pairs})
    except BadFileError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{arguments[0]}: {len(pairs)} variables set for {count} test target{'s' * (count != 1)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
