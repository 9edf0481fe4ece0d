"""How setups and networks are called on the page, and the tags that its filters look at."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from models.pair import Arm
from scripts.analysis.cells import Cell
from scripts.records import DeviceKind
from scripts.records.comparable import DeviceKey, Setup

NOT_A_PHONE = {
    DeviceKind.EMULATOR: "emulator, not a phone",
    DeviceKind.HOST: "host, not a phone",
    DeviceKind.DESKTOP: "desktop, not a phone",
    DeviceKind.FAKE: "fake, not a phone",
}


@dataclass(frozen=True, slots=True)
class SetupView:
    """A setup as a reader meets it.

    Attributes:
        key: short and unique in the page.
        warning: what says that this is no phone; empty for a phone.
        label: device, runtime, scheme, threads, with what tells it from its namesakes.
        short: the same with the warning and without the model.
    """

    key: str
    device: str
    warning: str
    runtime: str
    scheme: str
    label: str
    short: str

    @property
    def full_label(self) -> str:
        """With the warning, for charts, which have no badges."""
        return f"{self.label} [{self.warning}]" if self.warning else self.label


def device_name(device: DeviceKey) -> str:
    """The farm's name and the model, once where they are the same."""
    return device.id if device.id == device.model else f"{device.id} ({device.model})"


def view_setups(setups: Sequence[Setup]) -> dict[Setup, SetupView]:
    """All setups with labels that no two share."""
    labels = Counter(setup.label for setup in setups)
    seen: Counter[str] = Counter()
    views: dict[Setup, SetupView] = {}
    for index, setup in enumerate(setups):
        label = setup.label
        if labels[label] > 1:
            seen[label] += 1
            label = f"{label}, setup {seen[label]} of {labels[label]}"
        views[setup] = SetupView(
            key=f"s{index}",
            device=device_name(setup.device),
            warning=NOT_A_PHONE.get(setup.device.kind, ""),
            runtime=str(setup.target),
            scheme=str(setup.scheme),
            label=label,
            short=_short(setup, label),
        )
    return views


def _short(setup: Setup, label: str) -> str:
    """For charts: what fits the width of a phone, the warning first."""
    warning = NOT_A_PHONE.get(setup.device.kind)
    name, _, rest = label.partition(f"({setup.device.model})")
    parts = (
        f"[{warning}]" if warning else "",
        name.strip() or setup.device.id,
        re.sub(r", setup (\d+) of \d+$", r" #\1", rest.lstrip(", ")),
    )
    return " ".join(part for part in parts if part)


def series_of(cell: Cell) -> str:
    """`deep`, `wide`, or `sweep` for a shape that is no arm of a pair: what a mark's colour says."""
    return str(cell.key.network.arm) if cell.key.network.arm in tuple(Arm) else "sweep"


def network_name(cell: Cell) -> str:
    """Pair and shape."""
    return f"{cell.key.network.pair}: {cell.key.network.shape_name}"


def tags(view: SetupView) -> dict[str, str]:
    """The filters' fields of a chart's row."""
    return {
        "setup": view.key,
        "where": view.short,
        "device": view.device,
        "runtime": view.runtime,
        "scheme": view.scheme,
    }
