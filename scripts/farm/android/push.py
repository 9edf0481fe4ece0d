"""Artifacts on an Android device: `/data/local/tmp/deepnarrow/<hash of the manifest>/`, read-only for apps.

The manifest lists the hash of every file, so its own hash is the address of the content. A folder is sent under a
temporary name, its hashes are checked on the device, and it is renamed; the folder that was used longest ago goes first
when space is short.
"""

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
    """An artifact on the device."""

    path: str
    manifest: Manifest
    manifest_sha256: str


async def push(link: AdbLink, folder: Path, manifest: Manifest) -> Pushed:
    """Send an artifact unless it is there.

    Raises:
        DeviceError: no space even without other artifacts, or it arrived damaged.
    """
    key = sha256(folder / MANIFEST_FILE)
    pushed = Pushed(f"{PUSH_ROOT}/{key}", manifest, key)
    if (await link.shell(f"ls {pushed.path}/{MANIFEST_FILE} && touch {pushed.path}")).code:
        await _send(link, folder, pushed)
    return pushed


async def _send(link: AdbLink, folder: Path, pushed: Pushed) -> None:
    total = sum(entry.bytes for entry in pushed.manifest.files) + (folder / MANIFEST_FILE).stat().st_size
    partial = pushed.path + _PARTIAL
    await link.must(f"mkdir -p {PUSH_ROOT} && rm -rf {partial} {pushed.path}")
    await _make_room(link, total)
    try:
        await link.push(folder, partial, total)
        await _check(link, partial, pushed)
        await link.must(f"chmod -R a+rX {PUSH_ROOT}; mv {partial} {pushed.path} && touch {pushed.path}")
    except DeviceError:
        if await link.state() == "device":
            await link.shell(f"rm -rf {partial}")
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


async def _make_room(link: AdbLink, needed: int) -> None:
    """Remove what was used longest ago until `needed` bytes fit; leftovers of broken pushes first."""
    pushed = await _by_last_use(link)
    while (free := await free_bytes(link)) < needed + KEEP_FREE_BYTES:
        if not pushed:
            message = (
                f"{needed >> 20} MiB and {KEEP_FREE_BYTES >> 20} MiB to spare are needed, {free >> 20} MiB are free"
            )
            raise DeviceError(message, FailureKind.STORAGE, "free space on the phone")
        await link.must(f"rm -rf {PUSH_ROOT}/{shlex.quote(pushed.pop(0))}")


async def _by_last_use(link: AdbLink) -> list[str]:
    names = (await link.must(f"ls {PUSH_ROOT}")).split()
    if not names:
        return []
    paths = " ".join(shlex.quote(f"{PUSH_ROOT}/{name}") for name in names)
    lines = (await link.must(f"stat -c '%Y %n' {paths}")).splitlines()
    used = {path.rpartition("/")[2]: int(at) for at, path in (line.split(maxsplit=1) for line in lines)}
    return sorted(used, key=lambda name: (not name.endswith(_PARTIAL), used[name]))


async def free_bytes(link: AdbLink) -> int:
    """Free space where artifacts are pushed."""
    text = await link.must(f"df -k {PUSH_ROOT}")
    words = text.strip().splitlines()[-1].split()
    if len(words) < 4 or not words[-3].isdigit():
        raise DeviceError(f"df gave no number: {text.strip()}")
    return int(words[-3]) << 10
