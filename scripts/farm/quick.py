"""`quick PAIR`: the answer for one pair on the device at hand, in about five minutes."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from export.console import say, say_progress
from export.manifest import find_artifacts
from export.quantization import Scheme
from export.targets.base import TargetName
from models.catalog import PAIRS
from models.errors import UserError
from models.pair import Arm
from models.shape import TransformerShape
from scripts.farm.campaign import Campaign
from scripts.farm.device import Device, DiscoveryOptions
from scripts.farm.discovery import all_discoveries, find_devices
from scripts.farm.look import expected_seconds, look_at, told_duration
from scripts.farm.plan import targets_on
from scripts.farm.progress import Display
from scripts.farm.results import print_results
from scripts.farm.scheduler import Summary
from scripts.farm.session import plan_campaign, run_planned
from scripts.farm.store.store import Store
from scripts.records import DeviceKind, Protocol
from scripts.tables import TableFormat

SCHEME = Scheme.INT4
DEFAULT_THREADS = 4
# Enough of a context to tell its cost, short enough for twenty runs in five minutes.
PROMPT_LENGTH, CONTEXTS, DECODE_STEPS = 64, (0, 256), 48


@dataclass(frozen=True, kw_only=True, slots=True)
class QuickOptions:
    """What `quick` was asked.

    Attributes:
        threads: None for four, or for all cores where there are fewer.
    """

    pair: str
    artifacts: Path
    results: Path
    repetitions: int
    threads: int | None


async def run_quick(asked: QuickOptions, options: DiscoveryOptions, display: Display) -> Summary:
    """Find a device, export what is missing, measure, print the table.

    Raises:
        UserError: no such pair, or its export failed.
    """
    decoders = [name for name, pair in PAIRS.items() if isinstance(pair.deep, TransformerShape)]
    if asked.pair not in decoders:
        raise UserError(f"pair {asked.pair}: not one of {', '.join(decoders)}")
    discoveries = all_discoveries(options)
    devices, problems = await find_devices(discoveries)
    for problem in problems:
        say(f"{problem.who}: {problem.what}; {problem.what_to_do}")
    device = choose(devices)
    targets = targets_on(device.identity)
    await _export_missing(asked, targets)
    campaign = _campaign(asked, device, targets)
    planned = await plan_campaign(campaign, discoveries)
    look = await look_at(device, campaign.start_limits)
    for doubt in look.doubts:
        say(doubt)
    slots = [slot for each in planned for slot in each.slots]
    duration = told_duration(expected_seconds(slots, device.identity.kind, look.slowdown))
    say_progress(f"{len(slots)} runs, {duration}; records go to {asked.results / campaign.name}")
    summary = await run_planned(campaign, planned, asked.results, display)
    _answer(asked.results, campaign, summary)
    if device.identity.kind is not DeviceKind.PHONE:
        say(f"measured on a device of kind {device.identity.kind}: these are not phone numbers")
    if summary.completed:
        folder = asked.results / campaign.name
        say(f"next, the page: python -m scripts.report {folder} --out {campaign.name}.html")
    return summary


def _answer(results: Path, campaign: Campaign, summary: Summary) -> None:
    """The verdicts. Where runs are missing, so may they be; the summary that follows says why."""
    with Store(results) as store:
        try:
            print_results(store, campaign.name, TableFormat.TABLE)
        except UserError as error:
            if summary.is_complete:
                raise
            say(str(error))


def choose(devices: Sequence[Device]) -> Device:
    """A phone if there is one, else what plays or resembles one, else this machine; says which."""
    preference = (DeviceKind.PHONE, DeviceKind.EMULATOR, DeviceKind.FAKE, DeviceKind.DESKTOP, DeviceKind.HOST)
    device = min(devices, key=lambda each: preference.index(each.identity.kind))
    facts, kind = device.identity.facts, device.identity.kind
    if kind is DeviceKind.HOST:
        say(f"no phone found, so this machine is measured: {facts.model}. What keeps a phone from being found: doctor")
    else:
        say(f"measuring {facts.model} ({device.identity.device_id}, {kind})")
    return device


async def _export_missing(asked: QuickOptions, wanted: Sequence[TargetName]) -> None:
    made = {
        (manifest.arm, manifest.target)
        for manifest in find_artifacts(asked.artifacts)[0].values()
        if manifest.pair == asked.pair and manifest.scheme is SCHEME
    }
    missing = {target for target in wanted for arm in Arm if (arm, target) not in made}
    if not missing:
        return
    targets = ",".join(sorted(missing))
    command = ("export", "all", "--pair", asked.pair, "--scheme", SCHEME, "--target", targets, "--out")
    say_progress(f"exporting what is missing: python -m {' '.join(command)} {asked.artifacts}")
    exporter = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, str(asked.artifacts))
    if code := await exporter.wait():
        raise UserError(f"the export ended with exit code {code}; its messages are above")


def _campaign(asked: QuickOptions, device: Device, targets: tuple[TargetName, ...]) -> Campaign:
    cores = len(device.identity.facts.cores) or DEFAULT_THREADS
    protocol = Protocol(
        num_threads=asked.threads or min(DEFAULT_THREADS, cores), prompt_lengths=(PROMPT_LENGTH,), contexts=CONTEXTS,
        decode_steps=DECODE_STEPS,
    )  # fmt: skip
    now = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return Campaign(
        name=f"quick-{asked.pair}-{now}", artifacts_folder=asked.artifacts, pairs=(asked.pair,), targets=targets,
        schemes=(SCHEME,), devices=((f"id:{device.identity.device_id}",),), repetitions=asked.repetitions,
        protocol=protocol,
    )  # fmt: skip
