"""The same as `display`, as one line of JSON for programs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

import numpy as np
from pydantic import BaseModel

from export.console import print_json
from scripts.analysis.cells import Cell
from scripts.analysis.comparison import Comparison
from scripts.analysis.pairs import PairVerdict
from scripts.analysis.price.card import PriceCard, price_card
from scripts.analysis.price.explain import Explanation
from scripts.analysis.price.pair_explanations import SizeExplanation
from scripts.analysis.price.price import PriceFit, Unidentified
from scripts.analysis.price.sweep import Checked, SetupPrice
from scripts.records.comparable import Setup
from scripts.records.foreign import ForeignTiming


def print_result(value: object) -> None:
    """One compact line on standard output."""
    print_json(_plain(value))


def card_of(price: SetupPrice) -> PriceCard | None:
    """The depth price card of a setup; None where there is no price."""
    if isinstance(price.outcome, Unidentified):
        return None
    return price_card(price.outcome, price.setup.target, price.setup.scheme, price.probe_bytes_per_s)


def print_cells(cells: Sequence[Cell], imported: Sequence[ForeignTiming]) -> None:
    """Every metric of every run, by cell, and what other programs measured."""
    rows = [{**_head(cell), "metrics": cell.metrics} for cell in cells]
    print_result({"cells": rows, "foreign": imported})


def print_prices(rows: Sequence[tuple[SetupPrice, PriceCard | None, Sequence[Checked]]]) -> None:
    """Fits, cards and predictions."""
    print_result({
        "prices": [
            {"setup": price.setup, "probe_bytes_per_s": price.probe_bytes_per_s, "runs": price.num_runs,
             **_outcome(price.outcome, price.probe_bytes_per_s), "card": card,
             "predictions": [_checked(each) for each in checked]}
            for price, card, checked in rows
        ]
    })  # fmt: skip


def print_by_setup(name: str, rows: Sequence[tuple[SetupPrice, object]]) -> None:
    """One value for each setup."""
    print_result({name: [{"setup": price.setup, name: value} for price, value in rows]})


def print_verdicts(rows: Sequence[PairVerdict], told: Sequence[Explanation | SizeExplanation | None]) -> None:
    """Pair verdicts with what explains them."""
    print_result({
        "verdicts": [
            {"setup": row.setup, "pair": row.pair, "metric": row.metric, "at": row.at, "verdict": row.verdict,
             "p_all": row.p_all, "deep": _head(row.deep), "wide": _head(row.wide), "explanation": explanation}
            for row, explanation in zip(rows, told, strict=True)
        ]
    })  # fmt: skip


def print_comparison(comparison: Comparison) -> None:
    """Rows, what all networks share, and what could not be compared."""
    rows = [
        {"baseline": _head(each.baseline), "candidate": _head(each.candidate), "places": each.places,
         "change": each.change}
        for each in comparison.networks
    ]  # fmt: skip
    print_result({
        "metric": comparison.metric, "limits": comparison.limits, "networks": rows, "factors": comparison.factors,
        "incomparable": comparison.incomparable, "missing": comparison.missing,
        "regressions": len(comparison.regressions), "undecided": len(comparison.undecided),
        "sentence": comparison.sentence,
    })  # fmt: skip


def _head(cell: Cell) -> dict[str, object]:
    return {"setup": cell.key.setup, "network": cell.key.network, "counts": dict(cell.counts)}


def _outcome(outcome: PriceFit | Unidentified, probe_bytes_per_s: float | None) -> dict[str, object]:
    if isinstance(outcome, Unidentified):
        return {"unidentified": outcome}
    return {
        "label": outcome.label, "t0_ns": outcome.t0_ns, "tau_ns": outcome.tau_ns,
        "weight_bytes_per_s": outcome.weight_bytes_per_s, "kv_bytes_per_s": outcome.kv_bytes_per_s,
        "attention_bytes_per_s": outcome.attention_bytes_per_s,
        "r_squared": outcome.r_squared, "condition_number": outcome.condition_number,
        "loo_median": outcome.loo_median, "loo_worst": outcome.loo_worst, "warning": outcome.warning,
        "at_bound": outcome.at_bound, "remarks": outcome.remarks(probe_bytes_per_s),
        "left_out": outcome.left_out,
        "residuals": outcome.residuals, "left_one_out": outcome.left_one_out,
    }  # fmt: skip


def _checked(each: Checked) -> dict[str, object]:
    return {
        "pair": each.cell.key.network.pair, "workload": each.workload, "measured_ns": each.measured_ns,
        "predicted": each.predicted, "runs": each.runs, "error": each.error, "covered": each.covered,
    }  # fmt: skip


def _plain(value: object) -> object:
    """Dataclasses, models and mappings as JSON has them; infinities and NaN, which it has not, as null."""
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Setup):
        plain = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"label": value.label, **plain}
    if is_dataclass(value) and not isinstance(value, type):
        # Fields without a repr are for calculating on.
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.repr}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
