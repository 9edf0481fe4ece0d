"""Which shape to ship: predicted speed on one device, joined with the loss of trained shapes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from models.errors import UserError
from models.pair import reference_for
from models.shape import TransformerShape
from models.storage import Storage
from scripts.analysis.price.gemstones import loss_law
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
        loss: predicted, in nats; None without a source of quality.
        on_front: no other shape is both faster and better.
        warnings: what is extrapolated.
    """

    shape: TransformerShape
    predicted_ns: Interval
    loss: float | None
    on_front: bool
    warnings: tuple[str, ...]


def recommend(
    fit: PriceFit, storage: Storage, params: int, max_ns: float, quality: Quality = Quality.NONE, context: int = 512
) -> list[Recommendation]:
    """Shapes of `params` parameters in MobileLLM's proportions that take at most `max_ns` for a token.

    Returns:
        Best first: lowest loss, or without a source of quality fastest first.

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
    marked = [replace(each, on_front=_on_front(each, fast)) for each in fast]
    return sorted(marked, key=lambda each: (each.loss or 0.0, each.predicted_ns.value))


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
    warnings = [f"{_REGRESSORS[term]} outside the fitted shapes" for term in fit.extrapolates(load)]
    if law and law.extrapolates(shape.hidden_size, shape.num_layers):
        warnings.append("no such width or depth was trained")
    return Recommendation(
        shape=shape, predicted_ns=fit.predict(load),
        loss=law.loss(shape.hidden_size, shape.num_layers) if law else None, on_front=False, warnings=tuple(warnings),
    )  # fmt: skip


def _on_front(one: Recommendation, others: Sequence[Recommendation]) -> bool:
    return not any(_dominates(other, one) for other in _without(one, others))


def _dominates(other: Recommendation, one: Recommendation) -> bool:
    faster = other.predicted_ns.value <= one.predicted_ns.value
    return faster and (other.loss is None or one.loss is None or other.loss <= one.loss)


def _without(one: Recommendation, others: Iterable[Recommendation]) -> list[Recommendation]:
    return [other for other in others if other is not one]
