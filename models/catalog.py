"""Named shapes and named pairs: one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from models.errors import UserError
from models.pair import Pair
from models.shape import MlpShape, Shape, TransformerShape

Entry = TypeVar("Entry")

_MOBILELLM = "arXiv 2402.14905, config.json of facebookresearch/MobileLLM; tied, as its pretrain.sh asks for"
_SEED = "the seed article's constructor: num_layers linear layers, 1024 -> hidden -> ... -> 1024"
_OURS = "found by models.pair.match: as many parameters in all as the deep arm of its pair"


@dataclass(frozen=True, slots=True)
class NamedShape:
    """A shape and where its numbers come from."""

    shape: Shape
    source: str


def _llama(
    num_layers: int, hidden_size: int, heads: tuple[int, int], head_dim: int, ffn_size: int,
    vocab_size: int = 32_000, rope_theta: float = 10_000.0,
) -> TransformerShape:  # fmt: skip
    """A tied decoder; `heads` are query and key-value heads."""
    return TransformerShape(
        num_layers=num_layers, hidden_size=hidden_size, num_heads=heads[0], num_kv_heads=heads[1], head_dim=head_dim,
        ffn_size=ffn_size, vocab_size=vocab_size, rope_theta=rope_theta,
    )  # fmt: skip


SHAPES: Mapping[str, NamedShape] = MappingProxyType({
    "tiny-8": NamedShape(_llama(8, 64, (2, 1), 32, 160, vocab_size=384), "small enough for every test"),
    "tiny-2": NamedShape(_llama(2, 128, (2, 1), 64, 288, vocab_size=384), _OURS),
    "mobilellm-125m": NamedShape(_llama(30, 576, (9, 3), 64, 1536), _MOBILELLM),
    "mobilellm-125m-12": NamedShape(_llama(12, 864, (9, 3), 96, 2336), _OURS),
    "mobilellm-350m": NamedShape(_llama(32, 960, (15, 5), 64, 2560), _MOBILELLM),
    "mobilellm-350m-12": NamedShape(_llama(12, 1536, (24, 8), 64, 4000), _OURS),
    "mobilellm-600m": NamedShape(_llama(40, 1152, (18, 6), 64, 3072), _MOBILELLM),
    "mobilellm-1b": NamedShape(_llama(54, 1280, (20, 5), 64, 3584), _MOBILELLM),
    "mobilellm-1.5b": NamedShape(_llama(54, 1600, (25, 5), 64, 4352), _MOBILELLM),
    "smollm2-135m": NamedShape(
        _llama(30, 576, (9, 3), 64, 1536, vocab_size=49_152, rope_theta=100_000.0),
        "config.json of HuggingFaceTB/SmolLM2-135M",
    ),
    "seed-mlp-deep": NamedShape(MlpShape(num_layers=32, hidden_size=512), _SEED),
    "seed-mlp-wide": NamedShape(MlpShape(num_layers=4, hidden_size=4096), _SEED),
    "seed-mlp-wide-matched": NamedShape(MlpShape(num_layers=4, hidden_size=1664), _OURS),
})  # fmt: skip


def _pair(name: str, deep: str, wide: str, matched: bool = True, note: str = "") -> Pair:
    """A pair of two named shapes that hold the total of parameters within the default tolerance."""
    return Pair(name=name, deep=SHAPES[deep].shape, wide=SHAPES[wide].shape, matched=matched, note=note)


PAIRS: Mapping[str, Pair] = MappingProxyType({
    pair.name: pair
    for pair in (
        _pair("tiny", "tiny-8", "tiny-2"),
        _pair("mobilellm-125m", "mobilellm-125m", "mobilellm-125m-12"),
        _pair("mobilellm-350m", "mobilellm-350m", "mobilellm-350m-12"),
        _pair(
            "seed-mlp", "seed-mlp-deep", "seed-mlp-wide", matched=False,
            note="as in the seed article: 8,929,792 against 41,956,352 parameters, so a difference of up to 4.7 times "
            "is explained by size alone",
        ),
        _pair("seed-mlp-matched", "seed-mlp-deep", "seed-mlp-wide-matched"),
    )
})  # fmt: skip


def get_shape(name: str) -> Shape:
    """The named shape.

    Raises:
        UserError: there is none of that name; the message lists the choices.
    """
    return _look_up(SHAPES, name, "shape").shape


def get_pair(name: str) -> Pair:
    """The named pair.

    Raises:
        UserError: there is none of that name; the message lists the choices.
    """
    return _look_up(PAIRS, name, "pair")


def _look_up(table: Mapping[str, Entry], name: str, what: str) -> Entry:
    if name not in table:
        raise UserError(f"unknown {what} {name!r}; choose from {', '.join(table)}")
    return table[name]
