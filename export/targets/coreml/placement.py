"""Which weights each operator of the graph reads, in execution order: the key by which stored tensors get their names."""

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
    """The builder of both families that emits nothing and notes what is read."""

    def __init__(self) -> None:
        self.uses: list[Use] = []

    def input(self) -> None:
        return None

    def embed(self, table: str) -> None:
        self.uses.append(Use(Consumer.GATHER, (table,)))

    def norm(self, x: None, weight: str) -> None:
        self.uses.append(Use(Consumer.NORM, (weight,)))

    def add_norm(self, x: None, update: None, weight: str) -> tuple[None, None]:
        return None, self.norm(x, weight)

    def linear(self, x: None, weights: tuple[str, ...], biases: tuple[str, ...]) -> None:
        self.uses.append(Use(Consumer.LINEAR, weights, biases))

    def attention(self, qkv: None, cache: int, q_norm: str | None, k_norm: str | None) -> None:
        self.uses += [Use(Consumer.NORM, (norm,)) for norm in (q_norm, k_norm) if norm is not None]

    def swiglu(self, x: None, gate: str, up: str) -> None:
        self.linear(x, (gate, up), ())

    def relu(self, x: None) -> None:
        return None

    def last_token(self, x: None) -> None:
        return None

    def finish(self, logits: None) -> None:
        return None


def weight_uses(shape: Shape) -> list[Use]:
    """Every read of a weight by the graph, in execution order; with shared layers the same weights come again."""
    recorder = _Recorder()
    if isinstance(shape, MlpShape):
        walk_mlp(shape, recorder)
    else:
        walk_decoder(shape, recorder)
    return recorder.uses
