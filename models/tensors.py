"""Every weight tensor of a shape: its name, what it is for, and its size. The only list of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from models.shape import MlpShape, Shape, TransformerShape

EMBEDDING = "embed.weight"
FINAL_NORM = "norm.weight"
HEAD = "head.weight"


class Role(StrEnum):
    """What a tensor does; schemes give a storage format to each role."""

    EMBEDDING = "embedding"
    HEAD = "head"
    LINEAR = "linear"
    KEY_VALUE = "key-value"  # projections of keys and values: with shared heads few weights, each read by many queries
    DOWN = "down"  # the feed-forward's second matrix: its inputs have the widest range
    NORM = "norm"
    BIAS = "bias"


# Matrices inside the layers.
LAYER_MATRICES = (Role.LINEAR, Role.KEY_VALUE, Role.DOWN)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One weight tensor. Matrices are stored [rows, columns] = [outputs, inputs]; vectors have `columns` None."""

    name: str
    role: Role
    rows: int
    columns: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions as numpy and torch print them."""
        return (self.rows,) if self.columns is None else (self.rows, self.columns)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.rows * (self.columns or 1)


def layer_name(layer: int, part: str) -> str:
    """Name of a tensor inside block `layer`, such as `layers.3.q.weight`."""
    return f"layers.{layer}.{part}"


def head_name(shape: TransformerShape) -> str:
    """The tensor that the output projection reads: the embedding table when it is tied."""
    return EMBEDDING if shape.tie_embeddings else HEAD


def tensors(shape: Shape) -> list[TensorSpec]:
    """All weight tensors of `shape` in the order in which a decoder uses them."""
    return list(_mlp(shape) if isinstance(shape, MlpShape) else _transformer(shape))


def _mlp(shape: MlpShape) -> Iterator[TensorSpec]:
    for index, (inputs, outputs) in enumerate(shape.layer_sizes):
        yield TensorSpec(layer_name(index, "weight"), Role.LINEAR, outputs, inputs)
        yield TensorSpec(layer_name(index, "bias"), Role.BIAS, outputs)


def _transformer(shape: TransformerShape) -> Iterator[TensorSpec]:
    yield TensorSpec(EMBEDDING, Role.EMBEDDING, shape.vocab_size, shape.hidden_size)
    for layer in range(shape.num_layers):
        yield from _block(shape, layer)
    yield TensorSpec(FINAL_NORM, Role.NORM, shape.hidden_size)
    if not shape.tie_embeddings:
        yield TensorSpec(HEAD, Role.HEAD, shape.vocab_size, shape.hidden_size)


def _block(shape: TransformerShape, layer: int) -> Iterator[TensorSpec]:
    hidden, query, kv, ffn = shape.hidden_size, shape.query_size, shape.kv_size, shape.ffn_size

    def spec(part: str, role: Role, rows: int, columns: int | None = None) -> TensorSpec:
        return TensorSpec(layer_name(layer, part), role, rows, columns)

    yield spec("attn_norm.weight", Role.NORM, hidden)
    for part, rows in (("q", query), ("k", kv), ("v", kv)):
        yield spec(f"{part}.weight", Role.LINEAR if part == "q" else Role.KEY_VALUE, rows, hidden)
        if shape.qkv_bias:
            yield spec(f"{part}.bias", Role.BIAS, rows)
    if shape.qk_norm:
        yield spec("q_norm.weight", Role.NORM, shape.head_dim)
        yield spec("k_norm.weight", Role.NORM, shape.head_dim)
    yield spec("o.weight", Role.LINEAR, hidden, query)
    yield spec("mlp_norm.weight", Role.NORM, hidden)
    yield spec("gate.weight", Role.LINEAR, ffn, hidden)
    yield spec("up.weight", Role.LINEAR, ffn, hidden)
    yield spec("down.weight", Role.DOWN, hidden, ffn)
