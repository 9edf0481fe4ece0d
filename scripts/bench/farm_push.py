"""Pushing an artifact through the farm beside a plain `adb push` of the same files."""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from export.manifest import MANIFEST_FILE, FileKind, Manifest, read_manifest, sha256
from models.errors import UserError
from scripts.farm.android.device import AdbDevice
from scripts.farm.android.link import AdbLink
from scripts.farm.android.push import PUSH_ROOT

_PLAIN = "/data/local/tmp/plain"
_PUSH_S = 300.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PushTimes:
    """Seconds of each round, by its number."""

    plain_s: dict[int, float]
    pushed_s: dict[int, float]
    again_s: dict[int, float]


def padded_artifact(source: Path, folder: Path, megabytes: int) -> tuple[Path, Manifest]:
    """A copy of an artifact whose model file is random bytes of the given size; it is for sending only."""
    shutil.copytree(source, folder)
    manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    entry = next(each for each in manifest["files"] if each["kind"] == FileKind.MODEL)
    with (folder / entry["path"]).open("wb") as file:
        for _ in range(megabytes * 1_000_000 // _CHUNK_BYTES):
            file.write(os.urandom(_CHUNK_BYTES))
    entry |= {"bytes": (folder / entry["path"]).stat().st_size, "sha256": sha256(folder / entry["path"])}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    return folder, read_manifest(folder)


async def time_push(device: AdbDevice, link: AdbLink, folder: Path, manifest: Manifest, rounds: int) -> PushTimes:
    """Push by adb, by the farm, and by the farm again, `rounds` times; the first two take turns in going first."""
    times = PushTimes({}, {}, {})
    for number in range(rounds):
        await link.must(f"rm -rf {_PLAIN} {PUSH_ROOT} && mkdir -p {_PLAIN}")
        if number % 2:
            times.pushed_s[number] = await _push_by_farm(device, folder, manifest)
            times.plain_s[number] = await _push_by_adb(link, folder)
        else:
            times.plain_s[number] = await _push_by_adb(link, folder)
            times.pushed_s[number] = await _push_by_farm(device, folder, manifest)
        times.again_s[number] = await _push_by_farm(device, folder, manifest)
    return times


async def _push_by_farm(device: AdbDevice, folder: Path, manifest: Manifest) -> float:
    start = time.perf_counter()
    await device.push(folder, manifest)
    return time.perf_counter() - start


async def _push_by_adb(link: AdbLink, folder: Path) -> float:
    start = time.perf_counter()
    done = await link.adb(["push", str(folder), _PLAIN], _PUSH_S)
    if done.code:
        raise UserError(f"adb push: {done.text}")
    return time.perf_counter() - start
