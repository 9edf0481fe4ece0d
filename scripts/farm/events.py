"""Events of a campaign, which the scheduler sends to a display."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from scripts.records import RunRecord


class Phase(StrEnum):
    """What a device is doing for the farm."""

    PREPARING = "preparing"
    INSTALLING = "installing"
    PUSHING = "pushing"
    COOLING = "cooling"  # a start limit does not hold
    RUNNING = "running"
    STORING = "storing"
    RETRYING = "retrying"
    RESTORING = "restoring"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeviceEvent:
    """A device's line.

    Attributes:
        detail: the cell, or why the device waits or stopped.
        done: filled slots of its queue.
        total: slots of its queue.
        step: while it runs, the stage of the run and how much of it is done.
    """

    device_id: str
    phase: Phase
    detail: str
    done: int
    total: int
    celsius: float | None = None
    step: str = ""


@dataclass(frozen=True, slots=True)
class RunStored:
    """A record was kept."""

    device_id: str
    record: RunRecord
    done: int
    total: int


Event = DeviceEvent | RunStored
Listener = Callable[[Event], None]
