"""The campaign file: TOML that says what is measured where, checked down to the last key."""

import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator

from export.quantization import Scheme
from export.targets.base import TargetName
from models.errors import UserError
from scripts.farm.device import DEFAULT_DEADLINE_S, DiscoveryOptions
from scripts.records import Protocol, RunId, StartLimits

DEFAULT_REPETITIONS = 5


class Order(StrEnum):
    """What follows what on a device."""

    GROUPS = "groups"  # one pair, runtime and scheme after the other: least time between the arms of a pair
    ROUNDS = "rounds"  # every repetition visits all of them: a sweep and the pair it predicts share a machine's drift


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Discovery(_Section):
    """Section `[discovery]`: where devices are looked for besides this machine and its USB ports.

    Attributes:
        adb_servers: `host:port` of adb servers elsewhere; the local one is asked where this is empty.
        adb_connect: `host:port` of devices that speak adb over TCP.
        android_apk: harness to install; relative paths start at the campaign file.
        ios_app: the same for iOS, an `.ipa` file or an `.app` folder.
        airplane_mode: radios off during the campaign.
    """

    adb_servers: tuple[Annotated[str, Field(pattern=r"^\S+:\d+$")], ...] = ()
    adb_connect: tuple[Annotated[str, Field(pattern=r"^\S+:\d+$")], ...] = ()
    android_apk: Path | None = None
    ios_app: Path | None = None
    airplane_mode: bool = False


class Campaign(_Section):
    """A campaign.

    Attributes:
        name: also the folder of its records.
        artifacts_folder: where `python -m export` has put artifacts; relative paths start at the campaign file.
        pairs: pairs or sweeps below `artifacts_folder`, with `targets` and `schemes`.
        artifacts: single artifact folders, besides.
        targets: of `pairs`; empty for all that are there and run on the device. Each shape must have those named.
        schemes: of `pairs`; empty for all that are there. As for targets.
        devices: selectors: a device is used if it has all tags of one of them.
        repetitions: runs of each artifact on each device.
        budget_minutes: no run is begun after it; what is left is done by the next `run`.
        run_timeout_s: a run that takes longer is killed and recorded as hung.
        order: see `Order`.
        seed: of the order of cells and of the first arm in each.
        labels: a word -> the device ids that carry it as a tag.
    """

    name: RunId
    artifacts_folder: Path = Path("artifacts")
    pairs: tuple[str, ...] = ()
    artifacts: tuple[Path, ...] = ()
    targets: tuple[TargetName, ...] = ()
    schemes: tuple[Scheme, ...] = ()
    devices: tuple[tuple[str, ...], ...] = (("kind:phone",),)
    repetitions: Annotated[int, Field(ge=1)] = DEFAULT_REPETITIONS
    protocol: Protocol = Protocol()
    start_limits: StartLimits = StartLimits()
    budget_minutes: Annotated[float, Field(gt=0)] | None = None
    run_timeout_s: Annotated[float, Field(gt=0)] = DEFAULT_DEADLINE_S
    order: Order = Order.GROUPS
    seed: int = 0
    discovery: Discovery = Discovery()
    labels: dict[str, tuple[str, ...]] = {}

    @field_validator("devices")
    @classmethod
    def _selectors(cls, selectors: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        if not selectors or not all(selectors):
            raise ValueError('must be one or more lists of tags, such as [["kind:phone"], ["kind:host"]]')
        return tuple(tuple(tag.lower() for tag in selector) for selector in selectors)

    @model_validator(mode="after")
    def _something(self) -> "Campaign":
        if not (self.pairs or self.artifacts):
            raise ValueError("pairs or artifacts must name something to measure")
        return self

    def selects(self, tags: frozenset[str]) -> bool:
        """Whether a device with these tags is used."""
        lower = {tag.lower() for tag in tags}
        return any(lower.issuperset(selector) for selector in self.devices)

    def discovery_options(self) -> DiscoveryOptions:
        """For the discoveries."""
        found = self.discovery
        return DiscoveryOptions(
            adb_endpoints=found.adb_servers, adb_connect=found.adb_connect, android_apk=found.android_apk,
            ios_app=found.ios_app, airplane_mode=found.airplane_mode, labels=self.labels,
        )  # fmt: skip


def read_campaign(path: Path) -> Campaign:
    """The campaign in a file; its relative paths are made absolute.

    Raises:
        UserError: no such file, no TOML (with the line), or a key or value that is wrong (with the line if found).
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; docs/farm.md has an example to start from")
    text = path.read_text(encoding="utf-8")
    try:
        campaign = Campaign.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: no TOML: {error}") from error
    except ValidationError as error:
        raise UserError(f"{path}{_first_error(error, text)}") from error
    return _anchored(campaign, path.resolve().parent)


def with_name(campaign: Campaign, name: str | None) -> Campaign:
    """The same campaign under another name, so that its runs are measured anew; None keeps its own.

    Raises:
        UserError: it cannot be a folder's name.
    """
    if name is None:
        return campaign
    try:
        return campaign.model_copy(update={"name": TypeAdapter[str](RunId).validate_python(name)})
    except ValidationError:
        raise UserError(f"--name {name!r}: letters, digits, '.', '_' and '-', at most 120, no mark first") from None


def _first_error(error: ValidationError, text: str) -> str:
    """`:LINE: key.path: what is wrong`; choices are named."""
    # A misspelt key is told before the one that is missing for it.
    first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    keys = [str(part) for part in first["loc"]]
    place, message = ".".join(keys), first["msg"].removeprefix("Value error, ").replace("tuple", "list")
    if first["type"] == "extra_forbidden":
        message = f"unknown key; known here: {', '.join(sorted(_section(keys[:-1]).model_fields))}"
    elif isinstance(first["input"], str | int | float):
        message = f"{message}, not {first['input']!r}"
    line = _line_of(keys, text)
    return f"{f':{line}' if line else ''}: {f'{place}: ' if place else ''}{message}"


def _section(keys: list[str]) -> type[BaseModel]:
    section: type[BaseModel] = Campaign
    for key in keys:
        field = section.model_fields.get(key)
        if field and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            section = field.annotation
    return section


def _line_of(keys: list[str], text: str) -> int | None:
    """The line on which the last named key is set, inside its section."""
    names = [key for key in keys if not key.isdigit()]
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line):
            section = header.group(1)
            if section == ".".join(names):
                return number
        elif (key := re.match(r"\s*([A-Za-z0-9_.\"-]+)\s*=", line)) and _same(names, section, key.group(1)):
            return number
    return None


def _same(names: list[str], section: str, key: str) -> bool:
    here = [*([section] if section else []), key.strip('"')]
    return ".".join(names) in (".".join(here), ".".join([*here, *names[len(here) :]]))


def _anchored(campaign: Campaign, base: Path) -> Campaign:
    found = campaign.discovery
    given = {"android_apk": found.android_apk, "ios_app": found.ios_app}
    apps = {name: base / path for name, path in given.items() if path}
    return campaign.model_copy(
        update={
            "artifacts_folder": base / campaign.artifacts_folder,
            "artifacts": tuple(base / folder for folder in campaign.artifacts),
            "discovery": found.model_copy(update=apps),
        }
    )
