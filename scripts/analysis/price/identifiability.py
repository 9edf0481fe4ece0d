"""Whether a set of shapes can tell depth from bytes, and which shape to add where it cannot."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scripts.analysis.price.fit import DOMINANT_SHARE, Label, Observation, Unidentified
from scripts.analysis.price.model import Term, Workload, condition_number, design_matrix

# At it two standardised columns correlate to r = 0.98, since the number is sqrt((1 + r) / (1 - r)), and the standard
# error of tau is 1 / sqrt(1 - r^2), 5 times what independent columns would give.
MAX_CONDITION_NUMBER = 10.0
# Shapes more than terms: with one, each fit without a shape is exact and its error says nothing of the model.
SPARE_SHAPES = 2


def refuse(
    observations: Sequence[Observation],
    terms: tuple[Term, ...],
    candidates: Sequence[Workload],
    spare_shapes: int = SPARE_SHAPES,
) -> Unidentified | None:
    """Why these observations cannot tell the terms apart; None if they can."""
    loads = [each.workload for each in observations]
    names, depths = {each.name for each in loads}, {each.num_passes for each in loads}
    design = design_matrix(loads, terms)
    if Term.LAYERS in terms and len(depths) == 1 and len(names) > 1:
        (depth,) = depths
        line = _line(observations)
        bound = f"{Label.BANDWIDTH_BOUND}, " if line and _bytes_explain(observations, line) else ""
        label = f"{bound}depth price not identifiable: all shapes have {depth} layers"
        return _unidentified(label, f"every shape runs {depth} layers", loads, terms, candidates, line)
    needed = len(terms) + spare_shapes
    if len(names) < needed:
        reason = f"{len(names)} shapes cannot tell {', '.join(terms)} apart and check the model; {needed} can"
        refusal = _unidentified("too few shapes", reason, loads, terms, candidates, None)
        more = needed - len(names)
        return replace(refusal, advice=f"measure {more} more; {refusal.advice}" if more > 1 else refusal.advice)
    condition = condition_number(design, terms)
    if condition > MAX_CONDITION_NUMBER:
        layers, weights = np.array([(each.num_passes, each.weight_bytes) for each in loads], float).T
        r = float(np.corrcoef(layers, weights)[0, 1]) if weights.std() > 0 else 0.0
        limit = f"condition number {condition:.0f}, above {MAX_CONDITION_NUMBER:.0f}"
        reason = f"depth and bytes rise together: {limit}; r {r:.2f}"
        return _unidentified("depth and bytes are collinear", reason, loads, terms, candidates, _line(observations))
    return None


def _unidentified(
    label: str, reason: str, loads: Sequence[Workload], terms: tuple[Term, ...], candidates: Sequence[Workload],
    line: tuple[float, float] | None,
) -> Unidentified:  # fmt: skip
    return Unidentified(
        label=label, reason=reason, advice=_advice(loads, terms, candidates),
        weight_bytes_per_s=1e9 / line[0] if line and line[0] > 0 else None, intercept_ns=line[1] if line else None,
    )  # fmt: skip


def _advice(loads: Sequence[Workload], terms: tuple[Term, ...], candidates: Sequence[Workload]) -> str:
    """The candidate that lowers the condition number most; without candidates any depth and size in reach."""
    known = {each.name for each in loads}
    pool = [each for each in candidates if each.name not in known] or _imagined(loads)
    best = min(pool, key=lambda each: condition_number(design_matrix([*loads, each], terms), terms))
    return f"add {best.name} ({best.num_passes} layers, {best.weight_bytes / 1e6:.0f} MB a token)"


def _imagined(loads: Sequence[Workload]) -> list[Workload]:
    depths = [each.num_passes for each in loads]
    bytes_ = [each.weight_bytes for each in loads]
    return [
        replace(loads[0], name="a shape", num_passes=max(1, depth), weight_bytes=size)
        for depth in (min(depths) // 2, min(depths), max(depths), 2 * max(depths))
        for size in (min(bytes_), max(bytes_))
    ]


def _line(observations: Sequence[Observation]) -> tuple[float, float] | None:
    """(ns per byte, intercept in ns) of time against weight bytes, plain least squares."""
    sizes = [each.workload.weight_bytes for each in observations]
    if len(set(sizes)) < 2:
        return None
    slope, intercept = np.polyfit(sizes, [each.time_ns for each in observations], 1)
    return float(slope), float(intercept)


def _bytes_explain(observations: Sequence[Observation], line: tuple[float, float]) -> bool:
    shares = [line[0] * each.workload.weight_bytes / each.time_ns for each in observations]
    return float(np.median(shares)) >= DOMINANT_SHARE
