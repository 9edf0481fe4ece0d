"""Median and range of repeated measurements, and ratios that are taken inside a round before they are summarised."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.errors import UserError


@dataclass(frozen=True, slots=True)
class Spread:
    """What repeated measurements of one thing came to."""

    median: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """`median [low..high]`, each number in the given format."""
        return f"{self.median:{spec}} [{self.low:{spec}}..{self.high:{spec}}]"


def spread(values: Iterable[float]) -> Spread:
    """Median and range of at least one value."""
    numbers = list(values)
    return Spread(statistics.median(numbers), min(numbers), max(numbers))


def paired_speed(mine: Mapping[int, float], baseline: Mapping[int, float]) -> Spread:
    """How many times as fast as the baseline: its time over mine, round by round.

    A round's runs follow each other closely, so what slows the machine for a while slows both and cancels out.

    Args:
        mine: time of each round, by its number.
        baseline: the same rounds.

    Raises:
        UserError: the two were not measured in the same rounds.
    """
    if mine.keys() != baseline.keys():
        raise UserError(f"rounds {sorted(mine)} and {sorted(baseline)} differ; only equal rounds can be compared")
    return spread(baseline[number] / mine[number] for number in mine)
