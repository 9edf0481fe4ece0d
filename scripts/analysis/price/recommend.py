"""Which shape to ship: predicted speed on one device, joined with the loss of trained shapes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from models.cost import parameter_counts
from models.errors import UserError
from models.pair import reference_for
from models.shape import TransformerShape
from models.storage import Storage
from scripts.analysis.price.gemstones import LIMITS, equal_body_width, loss_law
from scripts.analysis.price.model import Term, workload
from scripts.analysis.price.price import Interval, PriceFit

DEPTHS = (2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 30, 36, 42, 48, 54, 60, 72, 80)

_REGRESSORS = {
    Term.FIXED: "t0", Term.LAYERS: "depth", Term.WEIGHTS: "weight bytes", Term.KV: "cache bytes",
    Term.ATTENTION: "attention",
}  # fmt: skip


class Quality(StrEnum):
    """Where the quality of a shape comes from."""

    NONE = "none"
    GEMSTONES = "gemstones"  # the law of `scripts.analysis.price.gemstones`


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """A shape.

    Attributes:
        predicted_ns: at the asked context.
        loss: predicted at the trained family's width of equal body, in nats; None without a source of quality.
        tied: its loss is the best one's, within the error of the law.
        on_front: no faster shape is as good; of the tied ones only the fastest.
        warnings: what is extrapolated.
    """

    shape: TransformerShape
    predicted_ns: Interval
    loss: float | None
    tied: bool
    on_front: bool
    warnings: tuple[str, ...]


def recommend(
    fit: PriceFit, storage: Storage, params: int, max_ns: float, quality: Quality = Quality.NONE, context: int = 512
) -> list[Recommendation]:
    """Shapes of `params` parameters in MobileLLM's proportions that take at most `max_ns` for a token.

    Returns:
        Best first: those tied with the lowest loss, fastest first, then the others by loss; without a source of
        quality fastest first.

    Raises:
        UserError: none is that fast; the message names the fastest.
    """
    found = [_candidate(fit, storage, shape, quality, context) for shape in _shapes(params)]
    if not found:
        raise UserError(f"no depth has a shape of {params:,} parameters with widths in steps of 32; ask for more")
    fast = [each for each in found if each.predicted_ns.value <= max_ns]
    if not fast:
        best = min(found, key=lambda each: each.predicted_ns.value)
        name = f"{best.shape.num_layers}x{best.shape.hidden_size}"
        raise UserError(
            f"--max-ms {max_ns / 1e6:g}: no shape of {params:,} parameters is that fast here; the fastest, {name}, "
            f"takes {best.predicted_ns.value / 1e6:.2f} ms"
        )
    error = loss_law().error if quality is Quality.GEMSTONES else 0.0
    least = min((each.loss for each in fast if each.loss is not None), default=0.0)
    marked = [replace(each, tied=each.loss is not None and each.loss <= least + error) for each in fast]
    marked = [replace(each, on_front=not any(_dominates(other, each) for other in marked)) for each in marked]
    return sorted(marked, key=lambda each: (0.0 if each.tied else each.loss or 0.0, each.predicted_ns.value))


def limits(rows: Sequence[Recommendation], quality: Quality) -> list[str]:
    """What a reader must know of the losses: their source, a floor at its bound, and depths that are not told apart."""
    if quality is not Quality.GEMSTONES:
        return []
    law, tied = loss_law(), sorted(each.shape.num_layers for each in rows if each.tied)
    told = [LIMITS]
    if law.floor_at_bound:
        told.append("the law's floor lies at its bound of 0: the table does not tell it")
    if len(tied) > 1:
        told.append(
            f"{tied[0]} to {tied[-1]} layers lie within the law's error of {law.error:.3f} nats (marked =): it cannot "
            "tell them apart, so the fastest of them comes first"
        )
    return told


@cache
def _shapes(params: int) -> tuple[TransformerShape, ...]:
    return tuple(_each_shape(params))


def _each_shape(params: int) -> Iterator[TransformerShape]:
    for depth in DEPTHS:
        try:
            yield reference_for(params, depth)
        except UserError:  # no shape of that depth holds the budget
            continue


def _candidate(
    fit: PriceFit, storage: Storage, shape: TransformerShape, quality: Quality, context: int
) -> Recommendation:
    load = workload("", shape, storage, context)
    law = loss_law() if quality is Quality.GEMSTONES else None
    width = equal_body_width(parameter_counts(shape).body, shape.num_layers)
    warnings = [f"{_REGRESSORS[term]} outside the fitted shapes" for term in fit.extrapolates(load)]
    if law and law.extrapolates(width, shape.num_layers):
        warnings.append("no such width or depth was trained")
    return Recommendation(
        shape=shape, predicted_ns=fit.predict(load),
        loss=law.loss(width, shape.num_layers) if law else None, tied=False, on_front=False, warnings=tuple(warnings),
    )  # fmt: skip


def _dominates(other: Recommendation, one: Recommendation) -> bool:
    as_good = (other.tied and one.tied) or other.loss is None or one.loss is None or other.loss <= one.loss
    return as_good and other.predicted_ns.value < one.predicted_ns.value
