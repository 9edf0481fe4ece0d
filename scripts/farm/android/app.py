"""The harness app on an Android phone: its name, its media directory, how it is stopped, and which build it is."""

import shlex
from pathlib import Path

from export.manifest import sha256
from scripts.farm.android.exits import PACKAGE
from scripts.farm.android.instrument import InstrumentationParser
from scripts.farm.android.link import AdbLink
from scripts.farm.android.server import device_error
from scripts.farm.device import DeviceError

COMPONENT = f"{PACKAGE}/.HarnessInstrumentation"


async def stop_run(link: AdbLink, media_dir: str, run_id: str) -> None:
    """End the harness, whatever it does, and remove the files of a run."""
    files = " ".join(shlex.quote(f"{media_dir}/{name}") for name in (f"runs/{run_id}", f"requests/{run_id}.json"))
    await link.must(f"am force-stop {PACKAGE}; rm -rf {files}")


async def media_dir_of(link: AdbLink) -> str:
    """Let the harness make its directories and say where they are.

    Raises:
        DeviceError: it cannot be started, or there is no shared storage.
    """
    parser = InstrumentationParser()
    done = await link.adb(["shell", "-n", f"am instrument -w -r -e op prepare {COMPONENT}"], timeout_s=60.0)
    for line in done.out.splitlines():
        parser.feed(line)
    result = parser.result
    if found := result.values.get("media_dir"):
        return _checked(found)
    if result.refused or result.code is None:
        raise device_error(f"the harness cannot be started: {result.refused or done.text}")
    message = result.crash or result.values.get("message") or "the harness gave no media directory"
    raise DeviceError(message, hint="unlock the phone once after it started, so that its shared storage is there")


def _checked(media_dir: str) -> str:
    """The folder as the phone tells it, if files may be written and removed below it."""
    if not media_dir.startswith("/") or ".." in media_dir.split("/") or "\n" in media_dir or PACKAGE not in media_dir:
        message = f"the harness's media directory is {media_dir!r}, which is not a path of its own"
        raise DeviceError(message, hint="install the harness again with --apk")
    return media_dir.rstrip("/")


def apk_hash(apk: Path) -> str:
    """The hash that names a build of the harness.

    Raises:
        DeviceError: no such file.
    """
    if not apk.is_file():
        raise DeviceError(f"{apk}: no such file", hint="build the harness: docs/android.md")
    return sha256(apk)
