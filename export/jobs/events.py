"""What an export process says to the one that started it: one JSON object per line."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import TypeAdapter

from export.jobs.plan import ExportJob
from export.manifest import ExportEffort


class Failure(StrEnum):
    """Why a job failed."""

    GATE = "gate"  # the artifact is wrong
    INPUT = "input"  # weights, options or installation
    SYSTEM = "system"  # disk, memory, permissions
    CRASH = "crash"  # a defect: ours or an SDK's


@dataclass(frozen=True, slots=True)
class Step:
    """The job has begun a step."""

    job: int
    step: str


@dataclass(frozen=True, slots=True)
class Done:
    """The artifact is in its place."""

    job: int
    num_bytes: int
    effort: ExportEffort


@dataclass(frozen=True, slots=True)
class Failed:
    """The job left nothing behind."""

    job: int
    failure: Failure
    message: str


Event = Step | Done | Failed
JOBS: TypeAdapter[list[ExportJob]] = TypeAdapter(list[ExportJob])
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


def temporary_folder(folder: Path, pid: int) -> Path:
    """Where process `pid` builds `folder` before it is renamed."""
    return folder.with_name(f".{folder.name}.{pid}")
