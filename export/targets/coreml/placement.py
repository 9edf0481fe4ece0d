"""Which weights each operator of the graph reads, in execution order: by this, stored tensors get their names."""

from dataclasses import dataclass
from enum import StrEnum

from export.quantization import packs
from export.targets.base import ExportSpec
from export.targets.coreml.storage import tensor_formats
from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import MlpShape


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

    def __init__(self, spec: ExportSpec) -> None:
        self.uses: list[Use] = []
        self._forms = {name: form for name, (_, form) in tensor_formats(spec).items()}

    def linear(self, x: None, weights: tuple[str, ...], biases: tuple[str, ...]) -> None:
        self.uses += [Use(Consumer.LINEAR, *pack) for pack in packs(weights, biases, self._forms)]


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


def weight_uses(spec: ExportSpec) -> list[Use]:
    """Every read of a weight by the graph, in execution order; with shared layers the same weights come again."""
    if isinstance(spec.shape, MlpShape):
        mlp = _MlpRecorder(spec)
        walk_mlp(spec.shape, mlp)
        return mlp.uses
    decoder = _DecoderRecorder(spec)
    walk_decoder(spec.shape, decoder)
    return decoder.uses
