"""The depth price card: what a layer, and the depth of each shipped pair, costs in one setup."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from export.quantization import Scheme
from export.targets.base import ExportSpec, TargetName
from export.targets.registry import get_target
from models.catalog import PAIRS
from models.pair import Arm, Pair
from models.shape import TransformerShape
from scripts.analysis.price.model import Term, Workload, workload
from scripts.analysis.price.price import Interval, PriceFit

CONTEXTS = (0, 512, 1024)
GAPS = (0.05, 0.10, 0.25)
# A pair for tests of the tools.
_NOT_SHIPPED = "tiny"


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The price of a layer at which the deep arm would be slower by `gap`; None if no price makes it so."""

    gap: float
    tau_ns: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthGap:
    """A pair at one scheme and context, by the model.

    Attributes:
        scheme: how weights are stored, the fit's own: terms do not carry over kernels.
        context: positions attended.
        gap_ns: deep - wide; its 95 % interval holds the noise of the runs and the model's own error.
        relative: gap / wide.
        break_even: by gap.
    """

    pair: str
    scheme: Scheme
    context: int
    deep_ns: float
    wide_ns: float
    gap_ns: Interval
    relative: Interval
    break_even: tuple[BreakEven, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceCard:
    """What depth costs in one setup.

    Attributes:
        ms_per_layer: tau.
        probe_share_weights: B_w / the probe's ceiling; None without a probe or a finite B_w.
        probe_share_kv: B_kv / the probe's ceiling.
    """

    ms_per_layer: Interval
    probe_share_weights: float | None
    probe_share_kv: float | None
    gaps: tuple[DepthGap, ...]


def price_card(fit: PriceFit, target: TargetName, scheme: Scheme, probe_bytes_per_s: float | None) -> PriceCard:
    """The card of a fit.

    Args:
        fit: of one setup.
        target: of the setup; decides how many bytes a weight has.
        scheme: under which the fit was made.
        probe_bytes_per_s: ceiling that the runs measured.
    """
    tau = fit.tau_ns
    return PriceCard(
        ms_per_layer=Interval(tau.value / 1e6, tau.low / 1e6, tau.high / 1e6),
        probe_share_weights=_share(fit.weight_bytes_per_s.value, probe_bytes_per_s),
        probe_share_kv=_share(fit.kv_bytes_per_s.value, probe_bytes_per_s),
        gaps=tuple(_gaps(fit, target, scheme)),
    )


def depth_gap(fit: PriceFit, pair: str, deep: Workload, wide: Workload, scheme: Scheme) -> DepthGap:
    """A pair's gap by the model; `deep` and `wide` attend the same context."""
    deep_ns, wide_ns = (sum(fit.shares(each).values()) for each in (deep, wide))
    ratio = fit.ratio(deep, wide)
    return DepthGap(
        pair=pair, scheme=scheme, context=round(deep.context), deep_ns=deep_ns,
        wide_ns=wide_ns, gap_ns=fit.difference_ns(deep, wide),
        relative=Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1),
        break_even=tuple(BreakEven(each, break_even_tau(fit, deep, wide, each)) for each in GAPS),
    )  # fmt: skip


def break_even_tau(fit: PriceFit, deep: Workload, wide: Workload, gap: float) -> float | None:
    """tau in ns at which t(deep) = (1 + gap) * t(wide), all other terms as fitted; None if there is none above 0.

    tau = ((1 + gap) * rest(wide) - rest(deep)) / (L(deep) - (1 + gap) * L(wide)), rest being all terms but tau's.
    """
    rest = [sum(ns for term, ns in fit.shares(each).items() if term is not Term.LAYERS) for each in (deep, wide)]
    layers = deep.num_passes - (1 + gap) * wide.num_passes
    if layers <= 0:
        return None
    tau = ((1 + gap) * rest[1] - rest[0]) / layers
    return tau if tau > 0 else None


def _gaps(fit: PriceFit, target: TargetName, fitted: Scheme) -> Iterator[DepthGap]:
    for pair in (each for name, each in PAIRS.items() if name != _NOT_SHIPPED):
        for context in CONTEXTS:
            arms = _arms(pair, target, fitted, context)
            if arms:
                yield depth_gap(fit, pair.name, *arms, fitted)


@cache
def _arms(pair: Pair, target: TargetName, scheme: Scheme, context: int) -> tuple[Workload, Workload] | None:
    shapes: Sequence[object] = (pair.deep, pair.wide)
    if not all(isinstance(shape, TransformerShape) for shape in shapes):
        return None
    deep, wide = (_arm(pair, arm, target, scheme, context) for arm in (Arm.DEEP, Arm.WIDE))
    return deep, wide


def _arm(pair: Pair, arm: Arm, target: TargetName, scheme: Scheme, context: int) -> Workload:
    shape = pair.arm(arm)
    assert isinstance(shape, TransformerShape)
    storage = get_target(target).storage(ExportSpec(shape=shape, scheme=scheme))
    return workload(f"{pair.name} {arm}", shape, storage, context)


def _share(speed: float, probe: float | None) -> float | None:
    return speed / probe if probe and np.isfinite(speed) else None
