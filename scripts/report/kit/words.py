"""Numbers as text: three significant digits, a thin space before units is the template's business."""

import math
from collections.abc import Sequence

MISSING = "-"


def number(value: float | None, digits: int = 3) -> str:
    """`value` with `digits` significant digits and no exponent; a dash where there is none."""
    if value is None or math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "no bound"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """`low to high`."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as percent."""
    return MISSING if value is None or math.isnan(value) else f"{100 * value:.{digits}f} %"


def plural(count: int, noun: str) -> str:
    """`1 run`, `2 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def sides(counts: Sequence[int]) -> str:
    """`6 + 6`."""
    return " + ".join(str(count) for count in counts)


def megabytes(value: float | None) -> str:
    """Bytes as MB of 10^6."""
    return number(None if value is None else value / 1e6)


def change(low: float, high: float) -> str:
    """An interval of a ratio of times as a change: `11 % less to 69 % more time`, `5 to 69 % more time`."""
    (first, one), (second, other) = _change(low), _change(high)
    if one == other:
        return f"{first} to {second} % {other} time"
    return f"{first} % {one} to {second} % {other} time"


def _change(ratio: float) -> tuple[str, str]:
    return f"{abs(100 * (ratio - 1)):.0f}", "less" if ratio < 1 else "more"
