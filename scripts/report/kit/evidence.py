"""Everything the sections draw on, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.analysis.cells import Cell, Loaded, RunState, group_cells, run_state
from scripts.analysis.pairs import PairVerdict, pair_verdicts
from scripts.records import DeviceKind, RunRecord
from scripts.records.comparable import Setup
from scripts.report.kit.setups import SetupView, view_setups


@dataclass(frozen=True, slots=True)
class Evidence:
    """Records and what analysis says of them."""

    loaded: Loaded
    cells: Sequence[Cell]
    verdicts: Sequence[PairVerdict]
    views: dict[Setup, SetupView]

    @property
    def records(self) -> Sequence[RunRecord]:
        """All that could be read."""
        return self.loaded.records

    @property
    def measured(self) -> list[Cell]:
        """Cells with usable runs."""
        return [cell for cell in self.cells if cell.runs]

    def view(self, cell: Cell) -> SetupView:
        """How the cell's setup is called."""
        return self.views[cell.key.setup]

    def count(self, state: RunState) -> int:
        """Runs in that state."""
        return sum(run_state(record) is state for record in self.records)

    @property
    def kinds(self) -> set[DeviceKind]:
        """Of the devices that ran anything."""
        return {record.device.kind for record in self.records}


def gather(loaded: Loaded) -> Evidence:
    """Group, measure and compare."""
    cells = group_cells(loaded.records)
    setups = sorted({cell.key.setup for cell in cells}, key=_by_phone_first)
    return Evidence(
        loaded=loaded,
        cells=sorted(cells, key=lambda cell: _cell_order(cell, setups)),
        verdicts=sorted(pair_verdicts(cells), key=lambda row: _verdict_order(row, setups)),
        views=view_setups(setups),
    )


def _by_phone_first(setup: Setup) -> tuple[bool, str, str]:
    return setup.device.kind is not DeviceKind.PHONE, setup.label, setup.os_build


def _verdict_order(row: PairVerdict, setups: Sequence[Setup]) -> tuple[int, str, int]:
    return setups.index(row.setup), row.pair, row.at or 0


def _cell_order(cell: Cell, setups: Sequence[Setup]) -> tuple[int, str, str, str]:
    network = cell.key.network
    return setups.index(cell.key.setup), network.pair, str(network.arm), network.shape_name
