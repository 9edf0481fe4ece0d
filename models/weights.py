"""Where weights come from. A source hands out one float32 tensor at a time; nobody needs the whole model in memory."""

import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from models.shape import Shape, TransformerShape
from models.tensors import Role, TensorSpec, tensors

# Spread of freshly initialised embeddings in GPT-2 and Llama-style trainings.
EMBEDDING_STD = 0.02
# Norm weights and biases of trained models differ from one and zero; a fresh model's would hide a missing or misplaced
# multiply or add from the gates.
NORM_STD = 0.1
BIAS_STD = 0.1


class WeightSource(Protocol):
    """Weights of one shape by canonical name (see `models.tensors`)."""

    @property
    def shape(self) -> Shape:
        """The shape these weights belong to."""
        ...

    def get(self, name: str) -> np.ndarray:
        """The tensor as float32, C-contiguous, in the dimensions of its `TensorSpec`."""
        ...


class RandomWeights:
    """Seeded random weights, scaled as for a training. Each tensor depends on seed and name alone.

    Linears keep the variance of their input (LeCun), so that scores spread by one and attention looks somewhere: with
    GPT-2's 0.02 throughout, it would average over all positions, and a wrong rotary base would change nothing.
    """

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.seed = seed
        self._specs = {spec.name: spec for spec in tensors(shape)}

    def get(self, name: str) -> np.ndarray:
        """Generate the tensor `name`: the same values on every call and every machine."""
        spec = self._specs[name]
        # SFC64 is the fastest of numpy's generators: the 125 M parameters of a pair's arm take about a second.
        stream = np.random.SeedSequence([self.seed, zlib.crc32(name.encode())])
        values = np.random.Generator(np.random.SFC64(stream)).standard_normal(spec.shape, dtype=np.float32)
        return self._scale(spec, values)

    def _scale(self, spec: TensorSpec, values: np.ndarray) -> np.ndarray:
        if spec.role is Role.NORM:
            return 1 + np.float32(NORM_STD) * values
        values *= np.float32(self._std(spec))
        return values

    def _std(self, spec: TensorSpec) -> float:
        if spec.role in (Role.EMBEDDING, Role.HEAD):
            return EMBEDDING_STD
        if spec.columns is None:
            return BIAS_STD
        if not isinstance(self.shape, TransformerShape):
            return (2 / spec.columns) ** 0.5  # He: keeps the variance through ReLU layers, however many
        std = spec.columns**-0.5
        if spec.name.endswith(("o.weight", "down.weight")):
            std /= (2 * self.shape.num_passes) ** 0.5  # GPT-2: the residual sum's variance does not grow with depth
        return std


class LoadedWeights:
    """Weights that are already in memory."""

    def __init__(self, shape: Shape, arrays: Mapping[str, np.ndarray]) -> None:
        self.shape = shape
        self._arrays = arrays

    def get(self, name: str) -> np.ndarray:
        """The array itself, not a copy."""
        return self._arrays[name]


def load_all(source: WeightSource) -> LoadedWeights:
    """Every tensor of `source` in memory, for callers that use them many times."""
    names = [spec.name for spec in tensors(source.shape)]
    with ThreadPoolExecutor(max_workers=2) as pool:  # generating and reading both leave the interpreter's lock
        return LoadedWeights(source.shape, dict(zip(names, pool.map(source.get, names), strict=True)))
