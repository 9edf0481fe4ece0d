"""What a target is: it writes an artifact's model files, and it opens them again for the gates and the host runs.

Everything a target says about an artifact after writing it is read back from the files, never remembered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import numpy as np

from export.quantization import Scheme
from export.quantized import QuantizedTensor
from models.activations import Activations
from models.errors import UserError
from models.shape import Shape
from models.storage import Storage
from models.weights import WeightSource


class TargetName(StrEnum):
    """The runtimes an artifact can be written for."""

    EXECUTORCH = "executorch"
    ONNX = "onnx"
    COREML = "coreml"


class AttentionForm(StrEnum):
    """How a Core ML graph spells attention; the other targets have one form each."""

    FUSED = "fused"  # scaled_dot_product_attention, iOS 18
    DECOMPOSED = "decomposed"  # matmul, softmax, matmul: for Neural Engine builds on which the fused operator is wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportOptions:
    """What changes the graph but belongs to no shape.

    Attributes:
        max_context: positions the KV cache holds.
        prefill_chunk: most tokens one call takes.
        coreml_attention: see `AttentionForm`.
    """

    max_context: int = 1024
    prefill_chunk: int = 128
    coreml_attention: AttentionForm = AttentionForm.FUSED

    def __post_init__(self) -> None:
        if not 2 <= self.prefill_chunk <= self.max_context:
            raise UserError(f"prefill_chunk {self.prefill_chunk} must lie between 2 and max_context {self.max_context}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenIds:
    """Special tokens, written into the artifact's metadata: a checkpoint's own, or Llama 2's for random weights.

    A checkpoint may name no beginning (`bos` None) or no end (`eos` empty) of a text; none is invented for it.
    """

    bos: int | None = 1
    eos: tuple[int, ...] = (2,)


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportSpec:
    """Everything a target needs to know to write a graph, except the weights themselves."""

    shape: Shape
    scheme: Scheme
    options: ExportOptions = field(default_factory=ExportOptions)
    token_ids: TokenIds = field(default_factory=TokenIds)


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """An input, output or state of the artifact. A dimension is a number or the name of a range such as `T`."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """Facts read from the written files.

    Attributes:
        operators: census of the operators, by the runtime's own names; those inside delegates included.
        delegated_share: operators that run inside a delegate / all operators; None where the runtime has no delegates.
        delegate_calls: calls into a delegate for one decoded token; None where the runtime has no delegates.
        backends: backends named in the artifact.
        attention_operator: what computes attention for a single token.
        cache_operator: what writes the KV cache; empty for networks without one.
    """

    operators: Mapping[str, int]
    delegated_share: float | None
    delegate_calls: int | None
    backends: tuple[str, ...]
    attention_operator: str
    cache_operator: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    states: tuple[TensorInfo, ...] = field(default=())


def check_call(tokens: np.ndarray, position: int, options: ExportOptions) -> None:
    """Refuse a call that the artifact's cache or its prefill chunk has no room for; runtimes do not all notice.

    Raises:
        UserError: naming the number and the limit.
    """
    if not 1 <= len(tokens) <= options.prefill_chunk:
        raise UserError(f"{len(tokens)} tokens in one call; this artifact takes 1 to {options.prefill_chunk}")
    if not 0 <= position <= options.max_context - len(tokens):
        raise UserError(
            f"{len(tokens)} tokens at position {position} do not fit a cache of {options.max_context} positions"
        )


class LanguageModel(Protocol):
    """An opened decoder artifact with its KV cache."""

    def forward(self, tokens: np.ndarray, position: int) -> np.ndarray:
        """Run int64 [T] tokens (T <= prefill_chunk), the first of which stands at `position`.

        Keys and values of positions below `position` must have been written by earlier calls. Starting again at
        position 0 starts a new text: stale entries behind the text's end are never read.

        Returns:
            float32 [V] logits of the last token, valid until the next call.
        """
        ...


class Network(Protocol):
    """An opened MLP artifact."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """float32 [1, input_size] -> float32 [1, output_size]."""
        ...


# A stored tensor as read back: integers with scales, or floating-point numbers widened to float32.
StoredTensor = QuantizedTensor | np.ndarray


class Target(Protocol):
    """One runtime."""

    name: TargetName

    def toolchain(self) -> dict[str, str]:
        """Versions of the packages that decide what is written.

        Raises:
            UserError: the SDK is missing or not one of the versions this target was written for.
        """
        ...

    def load_sdk(self) -> None:
        """Import everything that writing and opening need, so that its cost is told apart from the work's."""
        ...

    def load_runtime(self) -> None:
        """Import what opening an artifact needs and no more: a run is a fresh process, so it pays for every import."""
        ...

    def storage(self, spec: ExportSpec) -> Storage:
        """Formats this target stores under the spec's scheme. Needs no SDK."""
        ...

    def expected_file_bytes(self, spec: ExportSpec) -> int:
        """Computed size of all model files together; the size gate allows 5 % around it. Needs no SDK."""
        ...

    def activations(self, scheme: Scheme) -> tuple[Activations, ...]:
        """How the runtime rounds the inputs of matrix products, by family of kernels; measures the noise floors.

        The first family is that of x86-64; a phone may choose any of them.
        """
        ...

    def required_operators(self, spec: ExportSpec) -> dict[str, int]:
        """Operators the artifact promises and how often each must occur, in `Observed.operators`' names."""
        ...

    def write(self, spec: ExportSpec, weights: WeightSource, folder: Path) -> None:
        """Write the model file(s) into `folder`, which exists and is empty."""
        ...

    def stored_tensors(self, spec: ExportSpec, folder: Path) -> Iterator[tuple[str, StoredTensor]]:
        """Every weight tensor in the files, under the canonical name of the place where the *graph* uses it.

        A decoder's rotary tables come too, as `models.rope.ROPE_COS` and `ROPE_SIN`, float32 [max_context, head_dim/2].

        The name comes from the position in the graph, never from a label, so that a swapped pair of layers shows.
        Packed projections are split again. A tied table that is stored once appears once; one that is stored again for
        the head appears twice under the same name, the look-up's copy first.
        """
        ...

    def observe(self, spec: ExportSpec, folder: Path) -> Observed:
        """Facts about the written files."""
        ...

    def open_language_model(self, spec: ExportSpec, folder: Path, num_threads: int) -> LanguageModel:
        """Load a decoder artifact with the runtime itself (or, where `verified_by` says so, its evaluator)."""
        ...

    def open_network(self, spec: ExportSpec, folder: Path, num_threads: int) -> Network:
        """Load an MLP artifact."""
        ...

    def verified_by(self) -> str:
        """What executed the artifact for the gates: the runtime and its version, or `package-evaluator`."""
        ...
