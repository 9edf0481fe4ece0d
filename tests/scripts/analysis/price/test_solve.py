"""The fit of all bootstrap samples at once against scipy's solvers, sample by sample."""

import numpy as np
import pytest
from scipy import optimize

from scripts.analysis.price.model import SOFT_L1_SCALE, solve
from scripts.analysis.price.solve import solve_many


def _case(seed: int, noise: float, num_terms: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Design [n, terms] in layers and bytes, times [samples, n] in ns, sigma [n]."""
    random = np.random.default_rng(seed)
    num_shapes = int(random.integers(6, 14))
    columns = (np.ones(num_shapes), random.integers(4, 60, num_shapes), *random.uniform(1e6, 3e8, (3, num_shapes)))
    design = np.column_stack(columns)[:, :num_terms]
    # Some terms cost nothing, so that samples lie on the bound.
    true = np.array([2e5, 4e4, 0.03, 0.1, 0.02])[:num_terms] * random.integers(0, 2, num_terms)
    true[2] = 0.03
    exact = design @ true
    times = exact * (1 + noise * random.standard_t(3, (40, num_shapes))).clip(0.3)
    return design, times, exact * random.uniform(0.01, 0.05, num_shapes)


@pytest.mark.parametrize("num_terms", [3, 4, 5])
@pytest.mark.parametrize("noise", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("robust", [True, False])
def test_each_sample_is_what_the_scalar_solver_gives(robust: bool, noise: float, num_terms: int):
    bound = 0
    for seed in range(15):
        design, times, sigma = _case(seed, noise, num_terms)
        batched = solve_many(design, times, sigma, robust)
        one_by_one = np.array([solve(design, each, sigma, robust) for each in times])
        # In units of the largest share that a term has in any time, as coefficients near zero have no own scale.
        scale = np.abs(design).max(axis=0) / times.max()
        np.testing.assert_allclose(batched * scale, one_by_one * scale, rtol=1e-5, atol=1e-7)
        assert (batched >= 0).all()
        bound += int((batched == 0).sum())
    assert bound > 0


@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_it_minimises_the_loss_that_scipys_least_squares_minimises(noise: float):
    for seed in range(15):
        design, times, _ = _case(seed, noise)
        for sample in times[:4]:
            sigma = 0.02 * sample  # one relative error for all: then scipy's own soft_l1 is the same loss
            ours = solve_many(design, sample[None], sigma, robust=True)[0]
            scale = np.abs(design).max(axis=0)
            rows = design / scale

            def residuals_of(x: np.ndarray, rows: np.ndarray = rows, sample: np.ndarray = sample) -> np.ndarray:
                return (rows @ x / sample - 1) / SOFT_L1_SCALE

            fit = optimize.least_squares(
                residuals_of, x0=np.full(design.shape[1], sample.mean() / 8), bounds=(0, np.inf), loss="soft_l1",
                x_scale=sample.mean(), xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=2000,
            )  # fmt: skip
            residuals = (design @ ours / sample - 1) / SOFT_L1_SCALE
            loss = float((np.sqrt(1 + residuals**2) - 1).sum())
            assert loss <= fit.cost * (1 + 1e-3) + 1e-9
            # Twelve reweightings stop within a fraction of the noise of where least_squares ends.
            np.testing.assert_allclose(design @ ours, design / scale @ fit.x, rtol=0.2 * noise)


def test_one_sample_that_is_pulled_does_not_move_the_others():
    design, times, sigma = _case(3, 0.02)
    alone = solve_many(design, times[:5], sigma, robust=True)
    disturbed = np.concatenate([times[:5], times[:1] * 3])
    np.testing.assert_allclose(solve_many(design, disturbed, sigma, robust=True)[:5], alone, rtol=1e-9, atol=1e-12)
