"""Artifacts on an Android device: `/data/local/tmp/deepnarrow/<hash of the manifest>/`, read-only for apps.

Where a phone does not let the app read there, the app's own media directory takes its place.
The manifest lists the hash of every file, so its own hash is the address of the content. A folder is sent under a
temporary name, its hashes are checked on the device, and it is renamed; the folder that was used longest ago goes first
when space is short.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from export.manifest import MANIFEST_FILE, Manifest, sha256
from scripts.farm.android.link import AdbLink
from scripts.farm.device import DeviceError
from scripts.records import FailureKind

PUSH_ROOT = "/data/local/tmp/deepnarrow"
KEEP_FREE_BYTES = 256 << 20
_PARTIAL = ".partial"


@dataclass(frozen=True, slots=True)
class Pushed:
    """An artifact on the device.

    Attributes:
        root: folder of all artifacts, as a device path.
        folder: where it came from, on this machine.
    """

    root: str
    folder: Path
    manifest: Manifest
    manifest_sha256: str

    @property
    def path(self) -> str:
        """On the device; not quoted."""
        return f"{self.root}/{self.manifest_sha256}"


async def push(link: AdbLink, folder: Path, manifest: Manifest, root: str = PUSH_ROOT) -> Pushed:
    """Send an artifact unless it is there.

    `root` is a folder that the app can read.

    Raises:
        DeviceError: no space even without other artifacts, or it arrived damaged.
    """
    pushed = Pushed(root, folder, manifest, sha256(folder / MANIFEST_FILE))
    path = shlex.quote(pushed.path)
    if (await link.shell(f"ls {path}/{MANIFEST_FILE} && touch {path}")).code:
        await _send(link, folder, pushed)
    return pushed


async def _send(link: AdbLink, folder: Path, pushed: Pushed) -> None:
    total = sum(entry.bytes for entry in pushed.manifest.files) + (folder / MANIFEST_FILE).stat().st_size
    partial = pushed.path + _PARTIAL
    root, path, quoted = shlex.quote(pushed.root), shlex.quote(pushed.path), shlex.quote(partial)
    await link.must(f"mkdir -p {root} && rm -rf {quoted} {path}")
    await _make_room(link, pushed.root, total)
    try:
        await link.push(folder, partial, total)
        await _check(link, partial, pushed)
        await link.must(f"chmod -R a+rX {root}; mv {quoted} {path} && touch {path}")
    except DeviceError:
        if await link.state() == "device":
            await link.shell(f"rm -rf {quoted}")
        raise


async def _check(link: AdbLink, path: str, pushed: Pushed) -> None:
    """Hash every file on the device."""
    expected = {entry.path: entry.sha256 for entry in pushed.manifest.files} | {MANIFEST_FILE: pushed.manifest_sha256}
    files = " ".join(shlex.quote(f"{path}/{name}") for name in sorted(expected))
    lines = [line.split(maxsplit=1) for line in (await link.must(f"sha256sum {files}")).splitlines()]
    actual = {words[1].strip().removeprefix(f"{path}/"): words[0] for words in lines if len(words) > 1}
    wrong = sorted(name for name, digest in expected.items() if actual.get(name) != digest)
    if wrong:
        raise DeviceError(f"{', '.join(wrong)} arrived damaged", FailureKind.STORAGE, "try another cable or USB port")


async def _make_room(link: AdbLink, root: str, needed: int) -> None:
    """Remove what was used longest ago until `needed` bytes fit; leftovers of broken pushes first."""
    there = await _by_last_use(link, root)
    while (free := await free_bytes(link, root)) < needed + KEEP_FREE_BYTES:
        if not there:
            message = (
                f"{needed >> 20} MiB and {KEEP_FREE_BYTES >> 20} MiB to spare are needed, {free >> 20} MiB are free"
            )
            raise DeviceError(message, FailureKind.STORAGE, "free space on the phone")
        await link.must(f"rm -rf {shlex.quote(f'{root}/{there.pop(0)}')}")


async def _by_last_use(link: AdbLink, root: str) -> list[str]:
    names = (await link.must(f"ls {shlex.quote(root)}")).split()
    if not names:
        return []
    paths = " ".join(shlex.quote(f"{root}/{name}") for name in names)
    lines = (await link.must(f"stat -c '%Y %n' {paths}")).splitlines()
    used = {path.rpartition("/")[2]: int(at) for at, path in (line.split(maxsplit=1) for line in lines)}
    return sorted(used, key=lambda name: (not name.endswith(_PARTIAL), used[name]))


async def free_bytes(link: AdbLink, root: str = PUSH_ROOT) -> int:
    """Free space where artifacts are pushed."""
    return parse_free_bytes(await link.must(f"df -k {shlex.quote(root)}"))


def parse_free_bytes(text: str) -> int:
    """The free bytes that `df -k` tells: of toybox and busybox, also with a line that a long device name has broken.

    Raises:
        DeviceError: no line has blocks, used, available, percent and place.
    """
    rows = re.findall(r"(?:^|\s)(\d+)\s+(\d+)\s+(-?\d+)\s+(?:\d+%|-)\s+/", text)
    if not rows:
        raise DeviceError(f"df gave no number: {' '.join(text.split())}")
    return max(0, int(rows[-1][2])) << 10
