"""What `python -m scripts.claims.seed_article` leaves: schema `deepnarrow/seed-article/1`. Imports no torch."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from models.pair import TOLERANCE, Arm
from models.shape import MlpShape
from scripts.records.request import WireModel

SCHEMA = "deepnarrow/seed-article/1"


class Engine(StrEnum):
    """What computes the network."""

    EAGER = "eager"  # PyTorch, one operator at a time, as the article does
    EXECUTORCH = "executorch"
    ONNX = "onnx"


class Compute(StrEnum):
    """Where it computes."""

    CPU = "cpu"
    CUDA = "cuda"


class ArmFacts(WireModel):
    """A network, counted by `models.cost`; float32.

    Attributes:
        weight_bytes: read once in a call, whatever its batch.
        activation_bytes_per_row: hidden outputs of all layers together, for one row: the article's figure.
        peak_live_bytes_per_row: the most that must exist at once for one row: a layer's input and output.
    """

    shape: MlpShape
    parameters: int
    weight_bytes: int
    activation_bytes_per_row: int
    peak_live_bytes_per_row: int


class PairFacts(WireModel):
    """Two networks that are compared."""

    name: str
    deep: ArmFacts
    wide: ArmFacts

    @property
    def matched(self) -> bool:
        """Whether they hold the same total of parameters; the article's own two do not."""
        deep, wide = self.deep.parameters, self.wide.parameters
        return abs(deep - wide) <= TOLERANCE * max(deep, wide)

    def arm(self, arm: Arm) -> ArmFacts:
        """The network in that role."""
        return self.deep if arm is Arm.DEEP else self.wide


class Comparison(WireModel):
    """The two arms of a pair in one setting, interleaved deep, wide, wide, deep.

    Attributes:
        device: processor or GPU by name.
        threads: of the engine; None on a GPU.
        batch: rows of a call.
        calls: timed calls of a run.
        warm_up: untimed calls before them.
        deep_ns: median call of each run, in nanoseconds; run i is the neighbour of `wide_ns[i]`.
    """

    pair: str
    engine: Engine
    compute: Compute
    device: str
    threads: int | None
    batch: Annotated[int, Field(ge=1)]
    calls: int
    warm_up: int
    deep_ns: tuple[Annotated[int, Field(gt=0)], ...]
    wide_ns: tuple[Annotated[int, Field(gt=0)], ...]

    def runs(self, arm: Arm) -> tuple[int, ...]:
        """Nanoseconds of that arm."""
        return self.deep_ns if arm is Arm.DEEP else self.wide_ns


class Measurement(WireModel):
    """Where and when.

    Attributes:
        load_average: runnable processes over the last minute at the start; much above 0 means other work ran.
    """

    date: str
    system: str
    processor: str
    cores: int
    load_average: float
    packages: dict[str, str]


class SeedArticle(WireModel):
    """Schema `deepnarrow/seed-article/1`."""

    schema_: Literal["deepnarrow/seed-article/1"] = Field(SCHEMA, alias="schema")
    measurement: Measurement
    pairs: tuple[PairFacts, ...]
    comparisons: tuple[Comparison, ...]

    def pair(self, name: str) -> PairFacts:
        """The pair of that name."""
        return next(pair for pair in self.pairs if pair.name == name)
