"""What the farm asks of a device, and the words it is told in return.

Implementations: `scripts.farm.host_device`, `scripts.farm.android.device`, `scripts.farm.ios.device` and
`scripts.farm.dask.device`. The scheduler holds one lock per device, so that no two methods of one device run at a time,
`abort` excepted. Every method may be cancelled; it then ends what it started on the device, if it can be reached, and
lets the cancellation pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from export.manifest import Manifest
from scripts.records import DeviceFacts, DeviceKind, FailureKind, RunRecord, RunRequest, Stage

DEFAULT_DEADLINE_S = 1800.0


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceIdentity:
    """Which device it is.

    Attributes:
        device_id: serial number, UDID or host name: unique on this farm, the same tomorrow.
        facts: as every record carries them.
        labels: words of the campaign file for this device, such as `lab-2` or `golden`.
    """

    device_id: str
    facts: DeviceFacts
    labels: frozenset[str] = frozenset()

    @property
    def kind(self) -> DeviceKind:
        """Phone, host, fake ..."""
        return self.facts.kind

    @property
    def tags(self) -> frozenset[str]:
        """What selectors of a campaign match: labels, and `kind:`, `os:`, `model:`, `soc:`, `abi:`, `id:` and value."""
        facts = self.facts
        named = {"kind": facts.kind, "os": facts.os, "model": facts.model, "soc": facts.soc, "abi": facts.abi}
        derived = {f"{name}:{value}".lower() for name, value in {**named, "id": self.device_id}.items() if value}
        return self.labels | derived


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceState:
    """What the start limits look at. None where the device has no such sensor or does not tell.

    Attributes:
        thermal_status: Android's 0 (none) to 6 (shutdown); Apple's nominal, fair, serious, critical as 0, 2, 3, 4.
        overridden: what somebody made the device pretend (`thermal status`, `battery`); nothing is measured then.
    """

    battery_celsius: float | None = None
    thermal_status: int | None = None
    battery_percent: int | None = None
    plugged: bool | None = None
    power_save: bool | None = None
    overridden: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life: `done` of `total` parts of a stage."""

    stage: Stage
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Why a device, or a whole kind of them, cannot be used, in words for the person at the desk."""

    who: str
    what: str
    what_to_do: str


class DeviceError(Exception):
    """The device or the way to it failed: tried again by the scheduler, which also writes the record.

    Attributes:
        failure: `DEVICE` (gone, unauthorised, refused) or `STORAGE` (full).
        hint: what a person should do, one sentence; shown by `doctor`.
        needs_person: trying again is of no use before somebody has done what the hint says.
    """

    def __init__(
        self, message: str, failure: FailureKind = FailureKind.DEVICE, hint: str = "", *, needs_person: bool = False
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.hint = hint
        self.needs_person = needs_person


# (setting, value before): durable in the store when the call returns, so that a farm that dies can restore later.
Remember = Callable[[str, str], None]


class Device(Protocol):
    """One phone or machine.

    Every method raises `DeviceError` for faults of the device, the cable, its storage or the programs that reach it.
    """

    @property
    def identity(self) -> DeviceIdentity:
        """Known since discovery."""
        ...

    async def prepare(self, remember: Remember) -> None:
        """Bring the device into the state for measuring: awake, no animations, fixed performance where offered.

        `remember` is called with the old value before each change.
        """
        ...

    async def restore(self, prior: Mapping[str, str]) -> None:
        """Put back what `prepare` changed, perhaps in an earlier process; `prior` is what it remembered."""
        ...

    async def state(self) -> DeviceState:
        """Read the sensors."""
        ...

    async def install(self) -> str:
        """Install the harness unless the same build is there.

        Returns:
            the build that will run: a commit, or a hash of the package.
        """
        ...

    async def push(self, folder: Path, manifest: Manifest) -> str:
        """Bring an artifact to the device, addressed by its content; what is there already is not sent again.

        Returns:
            its path on the device, for `run`.
        """
        ...

    async def run(
        self, request: RunRequest, pushed: str, on_progress: Callable[[Progress], None], deadline_s: float
    ) -> RunRecord:
        """Run the harness in a fresh process and bring its finished record back.

        What an earlier attempt with the same run id has left, a process or files, is ended and removed first: a farm
        that was killed comes back with the id it was running.

        A harness that dies, or is not done after `deadline_s` seconds and is killed, gives a record too: the last one
        it wrote, with the outcome `CRASHED` or `HUNG` and the evidence (see `scripts.farm.outcomes`).
        """
        ...

    async def abort(self, run_id: str) -> None:
        """End a run, also one that another process started; no error where there is none."""
        ...


class Discovery(Protocol):
    """Finds the devices of one kind."""

    async def devices(self) -> list[Device]:
        """All that can be used now; those that cannot are told by `problems`."""
        ...

    async def problems(self) -> list[Problem]:
        """What `doctor` should say: devices seen but not usable, programs that are missing. Asked after `devices`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscoveryOptions:
    """Where to look, from the campaign file or the command line.

    Attributes:
        adb_endpoints: `host:port` of adb servers; empty for the local one.
        adb_connect: `host:port` of devices that speak adb over TCP, to be connected first.
        android_apk: the harness to install; None takes the one that is on the phone.
        ios_app: the same for iOS, an `.ipa` file or an `.app` folder.
        airplane_mode: switch radios off for the campaign.
        labels: label -> device ids that carry it.
    """

    adb_endpoints: tuple[str, ...] = ()
    adb_connect: tuple[str, ...] = ()
    android_apk: Path | None = None
    ios_app: Path | None = None
    airplane_mode: bool = False
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def labels_of(self, device_id: str) -> frozenset[str]:
        """The labels of one device."""
        return frozenset(label for label, ids in self.labels.items() if device_id in ids)
