"""The model of a token, t = t0 + L * tau + W / B_w + KV(T) / B_kv, as a linear model with a solver.

    t0      what a token costs whatever the network
    tau     the price of a layer; L counts executed blocks (`num_passes`)
    W       weight bytes read; B_w the speed at which they come
    KV(T)   cache bytes read at T attended positions; B_kv their speed

On processors attention is often bound by arithmetic, not by bytes: heads that share keys and values read them once and
compute with them as often as there are heads. Where that shows, a fifth term takes the cache bytes counted once for
every query head.

Every coefficient is a time and cannot be negative, so the solver is non-negative least squares (scipy.optimize.nnls,
Lawson and Hanson 1974), reweighted for a soft-L1 loss: quadratic for residuals near the noise, linear beyond, so that
one disturbed shape pulls little, while no point is thrown away, which would make the fit depend on a threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import optimize

from models.cost import kv_bytes_read, weight_bytes_read
from models.shape import TransformerShape
from models.storage import Storage

# Relative residuals beyond this count linearly: about the run-to-run noise of a quiet phone.
SOFT_L1_SCALE = 0.03
_REWEIGHTINGS = 12


class Term(StrEnum):
    """The summands."""

    FIXED = "t0"
    LAYERS = "tau"
    WEIGHTS = "W/B_w"
    KV = "KV/B_kv"
    ATTENTION = "attention"


ALL_TERMS = (Term.FIXED, Term.LAYERS, Term.WEIGHTS, Term.KV)
WITH_ATTENTION = (*ALL_TERMS, Term.ATTENTION)
# Terms that grow with the context: contexts tell them apart, not shapes alone.
CONTEXT_TERMS = (Term.KV, Term.ATTENTION)


class Weighting(StrEnum):
    """What the fit makes small."""

    RELATIVE = "relative"  # errors in percent, weighted by each shape's own run-to-run spread
    ABSOLUTE = "absolute"  # plain least squares in time, for published tables that were fitted so


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """What a token of a network costs at one context.

    Attributes:
        name: of the network.
        query_bytes: cache bytes counted once for every query head; proportional to attention's arithmetic.
        context: positions attended.
    """

    name: str
    num_passes: int
    weight_bytes: float
    kv_bytes: float = 0.0
    query_bytes: float = 0.0
    context: float = 0.0

    def amount(self, term: Term) -> float:
        """What the term's coefficient is multiplied by."""
        match term:
            case Term.FIXED:
                return 1.0
            case Term.LAYERS:
                return float(self.num_passes)
            case Term.WEIGHTS:
                return self.weight_bytes
            case Term.KV:
                return self.kv_bytes
            case Term.ATTENTION:
                return self.query_bytes


def workload(name: str, shape: TransformerShape, storage: Storage, context: float) -> Workload:
    """The workload of a shape that attends `context` positions."""
    per_position = kv_bytes_read(shape, storage, 1)
    return Workload(
        name=name, num_passes=shape.num_passes, weight_bytes=weight_bytes_read(shape, storage),
        kv_bytes=per_position * context, query_bytes=per_position * context * shape.num_heads / shape.num_kv_heads,
        context=context,
    )  # fmt: skip


def design_matrix(workloads: Sequence[Workload], terms: Sequence[Term]) -> np.ndarray:
    """float64 [workloads, terms]."""
    return np.array([[each.amount(term) for term in terms] for each in workloads], float)


def solve(design: np.ndarray, times: np.ndarray, sigma: np.ndarray, robust: bool) -> np.ndarray:
    """Non-negative coefficients [terms].

    Args:
        design: [n, terms].
        times: [n].
        sigma: [n], standard error of each time; rows are divided by it.
        robust: soft-L1 loss on relative residuals, else plain least squares.
    """
    scale = np.abs(design).max(axis=0)
    scale[scale == 0] = 1.0
    rows, weights = design / scale, 1 / sigma
    solution = optimize.nnls(rows * weights[:, None], times * weights)[0]
    for _ in range(_REWEIGHTINGS if robust else 0):
        relative = (rows @ solution - times) / times
        again = weights * (1 + (relative / SOFT_L1_SCALE) ** 2) ** -0.25
        previous, solution = solution, optimize.nnls(rows * again[:, None], times * again)[0]
        if np.allclose(previous, solution, rtol=1e-7, atol=0):
            break
    return solution / scale


def condition_number(design: np.ndarray, terms: Sequence[Term]) -> float:
    """Of the design with columns in standard units (of unit length where there is no fixed term); 1 is ideal."""
    if Term.FIXED not in terms:
        return float(np.linalg.cond(design / np.linalg.norm(design, axis=0)))
    others = np.delete(design, list(terms).index(Term.FIXED), axis=1)
    spread = others.std(axis=0)
    if others.shape[1] == 0 or (spread == 0).any():
        return 1.0 if others.shape[1] == 0 else float("inf")
    standard = (others - others.mean(axis=0)) / spread
    return float(np.linalg.cond(np.column_stack([np.ones(len(design)), standard])))
