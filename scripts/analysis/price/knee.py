"""Shapes that live in a cache are faster than the model can say; they are found by their own times and left out.

A sweep on a desktop with a 32 MiB last-level cache gave 10 % median leave-one-out error with three such shapes and
6 % without. Records do not say how large the caches are, and a cache shared with other cores is worth less than its
size, so the knee is looked for in the data: shapes are dropped from the smallest upwards, as long as those that
remain predict the dropped ones too slow and each other clearly better.
"""

from collections.abc import Sequence

import numpy as np

from scripts.analysis.price.fit import LeftOut, Observation
from scripts.analysis.price.model import Term, design_matrix, solve

# Dropping must lower the root-mean-square leave-one-out error to this share, or the simpler set stays.
CLEARLY_BETTER = 0.7
# A shape in a cache must be this much faster than the others predict.
FASTER_BY = 0.10
_SPARE_SHAPES = 2


def leave_out_cached(
    observations: Sequence[Observation], terms: Sequence[Term]
) -> tuple[list[Observation], list[LeftOut]]:
    """Split observations into those for the fit and shapes left out, each with its reason."""
    sizes = {each.workload.name: each.workload.weight_bytes for each in observations}
    names = sorted(sizes, key=lambda name: sizes[name])
    best, error = 0, _error(observations, terms)
    for dropped in range(1, len(names) - len(terms) - _SPARE_SHAPES + 1):
        small = set(names[:dropped])
        kept = [each for each in observations if each.workload.name not in small]
        now = _error(kept, terms)
        if now < CLEARLY_BETTER * error and _too_fast(observations, kept, names[dropped - 1], terms):
            best, error = dropped, now
    kept = [each for each in observations if each.workload.name not in names[:best]]
    return kept, [LeftOut(name, _reason(sizes[name], sizes[names[best]])) for name in names[:best]]


def leave_out_small(observations: Sequence[Observation], cache_bytes: float) -> tuple[list[Observation], list[LeftOut]]:
    """The rule where the last-level cache is known: weights of less than twice its size are left out."""
    kept = [each for each in observations if each.workload.weight_bytes >= 2 * cache_bytes]
    small = {each.workload.name: each.workload.weight_bytes for each in observations if each not in kept}
    reason = "{:.1f} MB a token, less than twice the cache of {:.0f} MB"
    return kept, [LeftOut(name, reason.format(size / 1e6, cache_bytes / 1e6)) for name, size in small.items()]


def _reason(size: float, knee: float) -> str:
    return f"{size / 1e6:.1f} MB a token: faster than shapes from {knee / 1e6:.1f} MB on predict, so it is in a cache"


def _arrays(observations: Sequence[Observation], terms: Sequence[Term]) -> tuple[np.ndarray, np.ndarray]:
    return design_matrix([each.workload for each in observations], terms), np.array([o.time_ns for o in observations])


def _error(observations: Sequence[Observation], terms: Sequence[Term]) -> float:
    """Root-mean-square leave-one-shape-out error, relative."""
    design, times = _arrays(observations, terms)
    owners = np.array([each.workload.name for each in observations])
    errors = np.empty(len(times))
    for name in set(owners):
        out = owners == name
        coefficients = solve(design[~out], times[~out], times[~out], robust=False)
        errors[out] = design[out] @ coefficients / times[out] - 1
    return float(np.sqrt(np.mean(errors**2)))


def _too_fast(
    observations: Sequence[Observation], kept: Sequence[Observation], name: str, terms: Sequence[Term]
) -> bool:
    """Whether the largest dropped shape is faster at every context than those kept predict."""
    coefficients = solve(*_arrays(kept, terms), _arrays(kept, terms)[1], robust=True)
    mine, times = _arrays([each for each in observations if each.workload.name == name], terms)
    return bool((mine @ coefficients > times * (1 + FASTER_BY)).all())
