"""`token_model.solve` for many vectors of times at once: the same estimate for every bootstrap sample of a fit.

There are at most five terms, so a non-negative least-squares problem is a choice among 31 sets of terms that may be
above zero. The minimum is the best feasible one of them (Lawson and Hanson 1974: it is the unconstrained minimum over
its own support), and each set is one batch of small normal equations. Columns are scaled to a largest entry of 1 and
collinear designs are refused before, so the squared condition number of normal equations costs no digit that matters.
"""

from itertools import combinations

import numpy as np

from scripts.analysis.price.model import SOFT_L1_SCALE

_REWEIGHTINGS = 12
_CONVERGED = 1e-7
# Relative to the gradient at zero: below it a term kept at zero would not lower the loss.
_FLAT = 1e-9


def solve_many(design: np.ndarray, times: np.ndarray, sigma: np.ndarray, robust: bool) -> np.ndarray:
    """Non-negative coefficients [samples, terms], each row as `token_model.solve` gives it.

    Args:
        design: [n, terms], of full rank.
        times: [samples, n].
        sigma: [n], standard error of each time, the same in all samples.
        robust: soft-L1 loss on relative residuals, else plain least squares.
    """
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    rows, weights = design / scale, 1 / sigma
    solutions = _nnls(rows, times, np.broadcast_to(weights, times.shape))
    moving = np.arange(len(times))
    for _ in range(_REWEIGHTINGS if robust else 0):
        here = times[moving]
        relative = (solutions[moving] @ rows.T - here) / here
        again = weights * (1 + (relative / SOFT_L1_SCALE) ** 2) ** -0.25
        previous, solutions[moving] = solutions[moving], _nnls(rows, here, again)
        still = np.abs(solutions[moving] - previous) > _CONVERGED * np.abs(solutions[moving])
        moving = moving[still.any(axis=1)]
        if not len(moving):
            break
    return solutions / scale


def _nnls(rows: np.ndarray, times: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Least squares [samples, terms] of `rows` [n, terms] on `times`, with `weights`, both [samples, n]."""
    squared = weights**2
    outer = (rows[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
    gram = (squared @ outer).reshape(len(times), rows.shape[1], rows.shape[1])
    target = (squared * times) @ rows
    everything = tuple(range(rows.shape[1]))
    solutions = _on_support(gram, target, everything)
    negative = np.flatnonzero((solutions < 0).any(axis=1))
    if len(negative):
        solutions[negative] = _best_support(gram[negative], target[negative])
    return solutions


def _best_support(gram: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The optimum where the unconstrained one is negative: sets of terms from the largest until all samples fit one."""
    num_terms = target.shape[1]
    solutions, losses = np.zeros_like(target), np.zeros(len(target))
    open_ = np.arange(len(target))
    for size in range(num_terms - 1, 0, -1):
        for support in combinations(range(num_terms), size):
            found = _on_support(gram[open_], target[open_], support)
            # At the minimum over a support the loss, up to a constant, is minus half of this product.
            loss = np.where((found >= 0).all(axis=1), -(found * target[open_]).sum(axis=1), np.inf)
            better = loss < losses[open_]
            solutions[open_[better]], losses[open_[better]] = found[better], loss[better]
        gradient = np.einsum("sij,sj->si", gram[open_], solutions[open_]) - target[open_]
        open_ = open_[(gradient < -_FLAT * np.abs(target[open_])).any(axis=1) | (losses[open_] == 0)]
        if not len(open_):
            break
    return solutions


def _on_support(gram: np.ndarray, target: np.ndarray, support: tuple[int, ...]) -> np.ndarray:
    """The unconstrained minimum [samples, terms] with all other terms at zero."""
    solutions = np.zeros_like(target)
    chosen = list(support)
    square = gram[:, chosen][:, :, chosen]
    solutions[:, chosen] = np.linalg.solve(square, target[:, chosen][:, :, None])[:, :, 0]
    return solutions
