"""Which weights each operator of the graph reads, in execution order: by this, stored tensors get their names."""

from dataclasses import dataclass
from enum import StrEnum

from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import MlpShape, Shape


class Consumer(StrEnum):
    """MIL operators that read weights; norms multiply by a vector."""

    GATHER = "gather"
    LINEAR = "linear"
    NORM = "mul"


@dataclass(frozen=True, slots=True)
class Use:
    """One operator with the weights packed into its operand, first to last, and their biases if it has any."""

    consumer: Consumer
    weights: tuple[str, ...]
    biases: tuple[str, ...] = ()


class _Recorder:
    """A builder that emits nothing and notes what is read."""

    def __init__(self) -> None:
        self.uses: list[Use] = []

    def linear(self, x: None, weights: tuple[str, ...], biases: tuple[str, ...]) -> None:
        self.uses.append(Use(Consumer.LINEAR, weights, biases))


class _DecoderRecorder(_Recorder):
    def embed(self, table: str) -> None:
        self.uses.append(Use(Consumer.GATHER, (table,)))

    def norm(self, x: None, weight: str) -> None:
        self.uses.append(Use(Consumer.NORM, (weight,)))

    def add_norm(self, x: None, update: None, weight: str) -> tuple[None, None]:
        return None, self.norm(x, weight)

    def attention(self, qkv: None, cache: int, q_norm: str | None, k_norm: str | None) -> None:
        self.uses += [Use(Consumer.NORM, (norm,)) for norm in (q_norm, k_norm) if norm is not None]

    def swiglu(self, x: None, gate: str, up: str) -> None:
        self.linear(x, (gate, up), ())

    def last_token(self, x: None) -> None:
        return None

    def finish(self, logits: None) -> None:
        return None


class _MlpRecorder(_Recorder):
    def input(self) -> None:
        return None

    def relu(self, x: None) -> None:
        return None

    def finish(self, output: None) -> None:
        return None


def weight_uses(shape: Shape) -> list[Use]:
    """Every read of a weight by the graph, in execution order; with shared layers the same weights come again."""
    if isinstance(shape, MlpShape):
        mlp = _MlpRecorder()
        walk_mlp(shape, mlp)
        return mlp.uses
    decoder = _DecoderRecorder()
    walk_decoder(shape, decoder)
    return decoder.uses
