"""Builders that add up what a walk would compute instead of building it. `models.cost` turns the sums into costs."""

from dataclasses import dataclass, field

from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import MlpShape, Shape, TransformerShape
from models.tensors import tensors


@dataclass(slots=True)
class Sums:
    """What the operators of a walk add up to.

    Attributes:
        multiply_adds: of all matrix products.
        produced: elements of each operator's output. The last operator computes the network's output.
        live: elements that exist while each operator runs: its inputs, its output and the residual stream.
    """

    multiply_adds: int = 0
    produced: list[int] = field(default_factory=list[int])
    live: list[int] = field(default_factory=list[int])


def metered(shape: Shape, tokens: int, context: int) -> Sums:
    """Walk one call of `shape`.

    Args:
        shape: a decoder, or an MLP whose rows are the tokens.
        tokens: tokens of the call.
        context: positions that the last of them attends, its own included; means nothing to an MLP.
    """
    if isinstance(shape, MlpShape):
        mlp = _MlpMeter(shape, tokens)
        walk_mlp(shape, mlp)
        return mlp.sums
    decoder = _DecoderMeter(shape, tokens, context)
    walk_decoder(shape, decoder)
    return decoder.sums


@dataclass(frozen=True, slots=True)
class _Extent:
    """An activation: how many rows it has and how wide they are."""

    rows: int
    width: int

    @property
    def size(self) -> int:
        return self.rows * self.width


class _Meter:
    """The operators that both families have."""

    def __init__(self, shape: Shape, tokens: int) -> None:
        self.sums = Sums()
        self._specs = {spec.name: spec for spec in tensors(shape)}
        self._tokens = tokens
        self._residual = 0

    def linear(self, x: _Extent, weights: tuple[str, ...], biases: tuple[str, ...]) -> _Extent:
        rows = sum(self._specs[weight].rows for weight in weights)
        self.sums.multiply_adds += x.size * rows
        return self._produce(_Extent(x.rows, rows), x)

    def _produce(self, output: _Extent, *inputs: _Extent) -> _Extent:
        """Note an operator's output; `inputs` are those it has beside the residual stream."""
        self.sums.produced.append(output.size)
        self.sums.live.append(self._residual + sum(value.size for value in inputs) + output.size)
        return output


class _DecoderMeter(_Meter):
    """A `DecoderBuilder`."""

    def __init__(self, shape: TransformerShape, tokens: int, context: int) -> None:
        super().__init__(shape, tokens)
        self._shape = shape
        # The tokens attend context - tokens + 1, ..., context positions.
        self._attended_pairs = tokens * context - tokens * (tokens - 1) // 2

    def embed(self, table: str) -> _Extent:
        x = self._produce(_Extent(self._tokens, self._shape.hidden_size))
        self._residual = x.size
        return x

    def norm(self, x: _Extent, weight: str) -> _Extent:
        return self._produce(x)

    def add_norm(self, x: _Extent, update: _Extent, weight: str) -> tuple[_Extent, _Extent]:
        self._residual = x.size
        total = self._produce(x, update)
        return total, self._produce(total)

    def attention(self, qkv: _Extent, cache: int, q_norm: str | None, k_norm: str | None) -> _Extent:
        # Queries by keys, then weights by values.
        self.sums.multiply_adds += 2 * self._attended_pairs * self._shape.query_size
        return self._produce(_Extent(qkv.rows, self._shape.query_size), qkv)

    def swiglu(self, x: _Extent, gate: str, up: str) -> _Extent:
        gated = self.linear(x, (gate,), ())
        self.sums.multiply_adds += x.size * self._specs[up].rows
        raised = self._produce(gated, x, gated)  # the gate's output waits for it
        return self._produce(gated, gated, raised)

    def last_token(self, x: _Extent) -> _Extent:
        return _Extent(1, x.width)

    def finish(self, logits: _Extent) -> None:
        assert logits.size == self.sums.produced[-1]


class _MlpMeter(_Meter):
    """An `MlpBuilder`."""

    def __init__(self, shape: MlpShape, rows: int) -> None:
        super().__init__(shape, rows)
        self._shape = shape

    def input(self) -> _Extent:
        return _Extent(self._tokens, self._shape.input_size)

    def relu(self, x: _Extent) -> _Extent:
        return x

    def finish(self, output: _Extent) -> None:
        assert output.size == self.sums.produced[-1]
