"""Intervals of a fit, as text and as rows of charts; there is none where every shape was run once."""

from scripts.analysis.price.fit import NO_INTERVAL, Interval, PriceFit
from scripts.report.kit.words import interval, percent


def fit_interval(fit: PriceFit, value: Interval, scale: float) -> str:
    """`low to high`, each times `scale`."""
    return interval(value.low * scale, value.high * scale) if fit.has_intervals else NO_INTERVAL


def told_interval(fit: PriceFit, value: Interval, scale: float) -> str:
    """The same in a sentence."""
    ends = fit_interval(fit, value, scale)
    return f"95 % interval {ends}" if fit.has_intervals else ends


def fit_percents(fit: PriceFit, value: Interval) -> str:
    """The same for a share, in percent."""
    return f"{percent(value.low)} to {percent(value.high)}" if fit.has_intervals else NO_INTERVAL


def interval_ends(fit: PriceFit, value: Interval, scale: float) -> dict[str, float | None]:
    """Fields `low` and `high` of a chart's row, and `end`, where its label goes."""
    low, high, middle = (round(each * scale, 3) for each in (value.low, value.high, value.value))
    if not fit.has_intervals:
        return {"low": None, "high": None, "end": middle}
    return {"low": low, "high": high, "end": high}
