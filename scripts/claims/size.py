"""Findings about size, computed by `models.cost` for the matched pairs; the article's own two are shown only."""

from collections.abc import Mapping
from dataclasses import replace

from export.quantization import Scheme
from export.targets.base import ExportSpec, TargetName
from export.targets.registry import get_target
from models.catalog import PAIRS
from models.cost import activation_bytes, kv_bytes_read, weight_bytes_read
from models.pair import TOLERANCE, Pair
from models.shape import Shape, TransformerShape
from models.storage import Storage
from scripts.claims.claim import Finding
from scripts.claims.seed_article.pairs import SEED_PAIRS

_CONTEXTS = (1, 512, 1024)
# What phones ship is int4. The MLPs are the article's, so float32. ONNX: its formats are known without any SDK.
_TARGET, _SCHEME = TargetName.ONNX, Scheme.INT4


def compared_pairs() -> Mapping[str, Pair]:
    """The article's pairs and the shipped decoders; `tiny` exists for tests alone."""
    decoders = {name: pair for name, pair in PAIRS.items() if pair.deep.family == "transformer" and name != "tiny"}
    return {pair.name: pair for pair in SEED_PAIRS} | decoders


def activation_findings() -> list[Finding]:
    """Peak and sum for one token, float32, batch 1."""
    found: list[Finding] = []
    for pair in compared_pairs().values():
        deep, wide = activation_bytes(pair.deep), activation_bytes(pair.wide)
        found.append(_bytes(pair, "peak of activations", deep.peak_live, wide.peak_live))
        found.append(_bytes(pair, "sum of activations", deep.sum, wide.sum))
    return found


def parameter_read_findings() -> list[Finding]:
    """Weight bytes of one token. Where totals are matched, equal reads follow from it; nothing else is shown."""
    found: list[Finding] = []
    for pair in compared_pairs().values():
        reads = (weight_bytes_read(shape, _storage(shape)) for shape in _arms(pair))
        finding = _bytes(pair, f"weights read, {_stored(pair.deep)}", *reads)
        follows = " The pair is matched on total parameters, so this follows from the matching." if pair.matched else ""
        found.append(replace(finding, text=f"{finding.text}{follows}"))
    return found


def bandwidth_findings() -> list[Finding]:
    """Weight and cache bytes of one token; an MLP has no cache and is in `parameter_read_findings`."""
    return [
        _bytes(
            pair, f"weights and KV cache read at {context} positions, {_stored(pair.deep)}",
            *(weight_bytes_read(s, _storage(s)) + kv_bytes_read(s, _storage(s), context) for s in _arms(pair)),
        )
        for pair in compared_pairs().values() if isinstance(pair.deep, TransformerShape)
        for context in _CONTEXTS
    ]  # fmt: skip


def _bytes(pair: Pair, what: str, deep: int, wide: int) -> Finding:
    where = f"{pair.name}, {what}"
    less = deep < wide * (1 - TOLERANCE)
    note = "" if pair.matched else " The arms hold different totals, so this says nothing about shape."
    text = f"{where}: deep {_readable(deep)}, wide {_readable(wide)}, deep / wide {deep / wide:.2f}.{note}"
    return Finding(where=where, text=text, supports=less if pair.matched else None, factor=what)


def _arms(pair: Pair) -> tuple[Shape, Shape]:
    return pair.deep, pair.wide


def _scheme(shape: Shape) -> Scheme:
    return _SCHEME if isinstance(shape, TransformerShape) else Scheme.FP32


def _stored(shape: Shape) -> str:
    return f"{_TARGET} {_scheme(shape)}"


def _storage(shape: Shape) -> Storage:
    return get_target(_TARGET).storage(ExportSpec(shape=shape, scheme=_scheme(shape)))


def _readable(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
