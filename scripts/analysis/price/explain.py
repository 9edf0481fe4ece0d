"""What a measured difference between two networks is made of: weights, head, cache, layers, and what is left."""

import math
from dataclasses import dataclass

from models.pair import TOLERANCE
from models.shape import MlpShape, Shape
from scripts.analysis.price.model import Term
from scripts.analysis.price.price import PriceFit

# A speed-up that bytes explain to this share or more is no evidence about shape.
MOSTLY = 0.9
_NS_PER_MS = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """The terms of a device: fitted here, or published."""

    tau_ns: float
    weight_ns_per_byte: float
    kv_ns_per_byte: float = 0.0
    query_ns_per_byte: float = 0.0

    @staticmethod
    def of(fit: PriceFit) -> "Calibration":
        """The terms of a fit; t0 is the same for both networks and explains nothing."""
        return Calibration(
            tau_ns=fit.tau_ns.value, weight_ns_per_byte=1e9 / fit.weight_bytes_per_s.value,
            kv_ns_per_byte=1e9 / fit.kv_bytes_per_s.value, query_ns_per_byte=fit.coefficient(Term.ATTENTION).value,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Amounts:
    """What a token of one network needs at one context; see `Workload` for the terms."""

    num_layers: int
    layer_bytes: int
    head_bytes: int
    kv_bytes: int
    query_bytes: float = 0.0

    @property
    def weight_bytes(self) -> int:
        """Layers and head."""
        return self.layer_bytes + self.head_bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """Network a against network b; times in ns, a - b.

    Attributes:
        difference_ns: measured.
        body_ns: of it, by weight bytes of the layers.
        head_ns: by weight bytes of head and embedding row.
        kv_ns: by cache bytes and attention over them.
        layers_ns: by the number of layers, the price of depth.
        rest_ns: what no term explains: kernels that suit one shape better, noise, an error of the calibration.
        bytes_ratio: bytes that a token reads, larger / smaller.
        time_ratio: measured, slower / faster.
        explained_by_size: share of the measured ratio that the ratio of bytes accounts for, on a logarithmic scale,
            from 0 to 1; 0 where the network that reads more is the faster one, or both read the same.
        sentence: the same in words.
    """

    difference_ns: float
    body_ns: float
    head_ns: float
    kv_ns: float
    layers_ns: float
    rest_ns: float
    bytes_ratio: float
    time_ratio: float
    explained_by_size: float
    sentence: str


def queries_per_key(shape: Shape) -> float:
    """Query heads that share a key-value head; an MLP has neither."""
    return 1.0 if isinstance(shape, MlpShape) else shape.num_heads / shape.num_kv_heads


def explain(a: Amounts, b: Amounts, a_ns: float, b_ns: float, calibration: Calibration) -> Explanation:
    """Split the measured difference of two networks on one device into the terms of its calibration."""
    per_byte = calibration.weight_ns_per_byte
    body, head = ((one - other) * per_byte for one, other in (
        (a.layer_bytes, b.layer_bytes), (a.head_bytes, b.head_bytes)))  # fmt: skip
    kv = (a.kv_bytes - b.kv_bytes) * calibration.kv_ns_per_byte
    kv += (a.query_bytes - b.query_bytes) * calibration.query_ns_per_byte
    layers = (a.num_layers - b.num_layers) * calibration.tau_ns
    difference = a_ns - b_ns
    rest = difference - body - head - kv - layers
    ratio, share = size_share(a, b, a_ns, b_ns)
    parts = {"weights": body, "head": head, "cache": kv, "layers": layers, "rest": rest}
    told = f"{difference / _NS_PER_MS:+.2f} ms: {', '.join(f'{k} {v / _NS_PER_MS:+.2f}' for k, v in parts.items())}"
    return Explanation(
        difference_ns=difference, body_ns=body, head_ns=head, kv_ns=kv, layers_ns=layers,
        rest_ns=rest, bytes_ratio=ratio, time_ratio=max(a_ns, b_ns) / min(a_ns, b_ns),
        explained_by_size=share, sentence=f"{told}; {size_sentence(a, b, a_ns, b_ns)}",
    )  # fmt: skip


def size_share(a: Amounts, b: Amounts, a_ns: float, b_ns: float) -> tuple[float, float]:
    """(ratio of bytes, larger over smaller; share of the measured ratio that it accounts for).

    Needs no calibration. A network that reads r times the bytes may take up to r times as long; a measured ratio m of
    no more than r is explained whole, a larger one to log(r) / log(m). Bytes within the 0.5 % of a matched pair are
    equal and explain nothing.
    """
    larger, smaller = (a, b) if a.weight_bytes + a.kv_bytes >= b.weight_bytes + b.kv_bytes else (b, a)
    ratio = (larger.weight_bytes + larger.kv_bytes) / (smaller.weight_bytes + smaller.kv_bytes)
    measured = a_ns / b_ns if larger is a else b_ns / a_ns
    if measured <= 1 or ratio <= 1 + TOLERANCE:
        return ratio, 0.0
    return ratio, min(1.0, math.log(ratio) / math.log(measured))


def size_sentence(a: Amounts, b: Amounts, a_ns: float, b_ns: float) -> str:
    """`size_share` in words."""
    ratio, share = size_share(a, b, a_ns, b_ns)
    measured = max(a_ns, b_ns) / min(a_ns, b_ns)
    if ratio <= 1 + TOLERANCE:
        return f"both read the same bytes, within {TOLERANCE:.1%}, and take {measured:.2f} times the time: none is size"
    if share == 0:
        return f"the network that reads {ratio:.2f} times the bytes is not the slower one: size explains nothing"
    told = f"{ratio:.2f} times the bytes against {measured:.2f} times the time: {share:.0%} explained by size"
    return f"{told}, so it says nothing about shape" if share >= MOSTLY else told
