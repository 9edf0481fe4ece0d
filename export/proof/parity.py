"""Proof before a manifest: runs the gates of one artifact.

Three things are compared: the artifact, run by its runtime from the files on disk; the eager reference with the weights
read back from those files; the eager reference with the source's float32 weights. How far the first two may differ is
not guessed: the reference is run once more with the runtime's rounding of activations, and that difference is the
floor (one flipped int8 activation is amplified by every later dynamic quantiser, so bit equality is not to be had).
"""

import ctypes
import gc
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.proof.gates import (
    DECISIVE_SIGMAS,
    FLOOR_FACTOR,
    MAX_NORM_ERROR,
    MIN_CORRELATION,
    Compared,
    Floor,
    Gate,
    GateError,
    GateResult,
    check_greedy,
    check_logits,
    check_operators,
    check_size,
    check_tensor,
    confirm_network_reference,
    confirm_text_reference,
    measure_floor,
    spread,
)
from export.proof.reference import (
    REFERENCE_SCHEMA,
    Case,
    NetworkReference,
    TextReference,
    Thoroughness,
    forced_cases,
    num_greedy_steps,
    probe_cases,
    probe_inputs,
    reference_prompts,
    text_reference,
)
from export.quantized import QuantizedTensor
from export.targets.base import ExportSpec, LanguageModel, Observed, StoredTensor, Target
from models.activations import Activations
from models.eager import EagerDecoder, EagerMlp
from models.rope import ROPE_COS, ROPE_SIN, rope_tables
from models.shape import MlpShape, TransformerShape
from models.tensors import EMBEDDING, HEAD, Role, tensors
from models.weights import LoadedWeights, WeightSource, load_all

# Rotary tables may be stored as float16.
ROPE_BITS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """All gates of an artifact, passed; what its files showed, and the reference that the gates made or confirmed."""

    observed: Observed
    gates: tuple[GateResult, ...]
    reference: TextReference | NetworkReference


@dataclass(frozen=True, kw_only=True, slots=True)
class Prover:
    """Runs the gates of the artifact in `folder`.

    Attributes:
        weights: the source the artifact claims to hold.
        model_files: the files that the target wrote, relative to `folder`.
        progress: called with the name of each gate as it starts.
    """

    target: Target
    spec: ExportSpec
    weights: WeightSource
    folder: Path
    model_files: tuple[str, ...]
    thoroughness: Thoroughness
    num_threads: int
    progress: Callable[[str], None]

    def prove(self, reference: TextReference | NetworkReference | None) -> Proof:
        """Run every gate.

        Args:
            reference: the artifact's own when it is verified again; None when it is new and one is to be made.

        Raises:
            GateError: at the first gate that fails.
        """
        self.progress("operators")
        observed = self.target.observe(self.spec, self.folder)
        operators = check_operators(self.target.required_operators(self.spec), observed)
        actual = sum((self.folder / name).stat().st_size for name in self.model_files)
        size = check_size(actual, self.target.expected_file_bytes(self.spec))
        if isinstance(self.spec.shape, MlpShape):
            assert not isinstance(reference, TextReference)
            rest, reference = self._prove_network(reference)
        else:
            assert not isinstance(reference, NetworkReference)
            rest, reference = self._prove_language_model(reference)
        return Proof(observed=observed, gates=(operators, size, *rest), reference=reference)

    def _prove_language_model(self, reference: TextReference | None) -> tuple[tuple[GateResult, ...], TextReference]:
        # Artifact, source and stored weights one after the other: each is half a gigabyte for the default pair.
        cases = probe_cases(self.spec, self.thoroughness)
        artifact = self._run_artifact(cases, reference)
        _give_memory_back()
        self.progress("weights")
        weights_gate, stored, exact = self._read_back(lambda source: self._eager_logits(source, cases))
        _give_memory_back()
        self.progress("logits")
        weights = self._dequantized(stored)
        same = self._eager_logits(weights, cases)
        floor = self._floor(weights, cases, same)
        chunks = max(-(-case.prompt_length // self.spec.options.prefill_chunk) for case in cases)
        compared = Compared(
            cases=cases,
            artifact=artifact.logits,
            same=same,
            exact=exact,
            note=f"prefill in up to {chunks} chunks, then steps",
        )
        logits_gate = check_logits(self.spec.scheme, compared, floor)
        self.progress("greedy")
        eager = self._eager_logits(weights, artifact.texts)
        margin = DECISIVE_SIGMAS * 2**0.5 * floor.overall * spread(same)
        if reference is not None:
            confirm_text_reference(reference, eager)
        greedy_gate = check_greedy(eager, artifact.chosen, margin)
        reference = reference or text_reference(artifact.texts, artifact.chosen, eager, margin)
        return (weights_gate, logits_gate, greedy_gate), reference

    def _run_artifact(self, cases: list[Case], reference: TextReference | None) -> "_Run":
        """What the runtime makes of the files: logits of the cases; greedy ids, forced along `reference` if given."""
        self.progress("run")
        model = self.target.open_language_model(self.spec, self.folder, self.num_threads)
        chunk = self.spec.options.prefill_chunk
        logits = [run_case(model, case, chunk) for case in cases]
        if reference is not None:
            texts = forced_cases(reference)
            return _Run(logits, texts, [run_case(model, text, chunk).argmax(-1) for text in texts])
        steps = num_greedy_steps(self.spec, self.thoroughness)
        prompts = reference_prompts(self.spec, self.thoroughness)
        chosen = [generate(model, prompt, steps, chunk) for prompt in prompts]
        texts = [Case(np.concatenate([p, ids[:-1]]), len(p)) for p, ids in zip(prompts, chosen, strict=True)]
        return _Run(logits, texts, chosen)

    def _read_back(
        self, run_source: Callable[[WeightSource], list[np.ndarray]]
    ) -> tuple[GateResult, dict[str, StoredTensor], list[np.ndarray]]:
        """Compare every stored tensor with its source, and run eager on the source while it is in memory."""
        source = load_all(self.weights)
        roles = {spec.name: spec.role for spec in tensors(self.spec.shape)}
        formats = self.target.storage(self.spec).formats
        rope = self._rope_tables()
        stored: dict[str, StoredTensor] = {}
        checks: list[tuple[float, float]] = []
        for name, tensor in self.target.stored_tensors(self.spec, self.folder):
            if name in rope:
                check_tensor(name, tensor, ROPE_BITS, rope.pop(name))
                continue
            bits = tensor.bits if isinstance(tensor, QuantizedTensor) else formats[roles[name]].bits
            checks.append(check_tensor(name, tensor, bits, source.get(name)))
            # A tied table that the target stores twice comes twice: for the look-up, then for the head.
            stored[HEAD if name == EMBEDDING and name in stored else name] = tensor
        missing = sorted((roles.keys() | rope.keys()) - stored.keys())
        if missing:
            raise GateError(Gate.WEIGHTS, f"not stored: {', '.join(missing[:3])} ({len(missing)} in all)")
        bits = formats[Role.LINEAR].bits
        result = GateResult(
            gate=Gate.WEIGHTS,
            measured={"correlation": min(c for c, _ in checks), "norm_error": max(n for _, n in checks)},
            thresholds={"correlation": MIN_CORRELATION[bits], "norm_error": MAX_NORM_ERROR[bits]},
            note=f"{len(stored)} tensors read back by their place in the graph",
        )
        self.progress("eager")
        return result, stored, run_source(source)

    def _rope_tables(self) -> dict[str, np.ndarray]:
        """Every position's angles; texts cannot reach them all."""
        if isinstance(self.spec.shape, MlpShape):
            return {}
        return dict(zip((ROPE_COS, ROPE_SIN), rope_tables(self.spec.shape, self.spec.options.max_context), strict=True))

    def _prove_network(self, reference: NetworkReference | None) -> tuple[tuple[GateResult, ...], NetworkReference]:
        assert isinstance(self.spec.shape, MlpShape)
        inputs = probe_inputs(self.spec.shape)
        self.progress("run")
        network = self.target.open_network(self.spec, self.folder, self.num_threads)
        artifact = [np.concatenate([network.forward(row[None]).copy() for row in inputs])]
        self.progress("weights")
        weights_gate, stored, exact = self._read_back(lambda source: [EagerMlp(source).forward(inputs)])
        self.progress("logits")
        weights = self._dequantized(stored)
        same = [EagerMlp(weights).forward(inputs)]
        mode = self.target.activations(self.spec.scheme)
        floor = measure_floor([EagerMlp(weights, mode).forward(inputs)], same)
        fresh = NetworkReference(
            schema=REFERENCE_SCHEMA, tolerance=FLOOR_FACTOR * DECISIVE_SIGMAS * floor.overall * spread(same),
            inputs=inputs.tolist(), outputs=same[0].tolist(),
        )  # fmt: skip
        if reference is not None:
            confirm_network_reference(reference, fresh)
        case = Case(np.zeros(len(inputs), np.int64), 1)
        compared = Compared(cases=[case], artifact=artifact, same=same, exact=exact, note="one after the other")
        return (weights_gate, check_logits(self.spec.scheme, compared, floor)), reference or fresh

    def _floor(self, weights: WeightSource, cases: list[Case], same: list[np.ndarray]) -> Floor:
        """Measured on all texts but the longest: rounding acts on each token alike, and eager is slow."""
        shorter = slice(1, None) if len(cases) > 1 else slice(None)
        activations = self.target.activations(self.spec.scheme)
        return measure_floor(self._eager_logits(weights, cases[shorter], activations), same[shorter])

    def _dequantized(self, stored: dict[str, StoredTensor]) -> LoadedWeights:
        """The stored weights as float32; empties `stored` on the way, so that nothing is held twice."""
        arrays: dict[str, np.ndarray] = {}
        for name in list(stored):
            tensor = stored.pop(name)
            arrays[name] = tensor.dequantize() if isinstance(tensor, QuantizedTensor) else np.require(tensor, None, "W")
        shape = self.spec.shape
        # Where a tied head is stored a second time, in its own format, the reference must multiply by that copy.
        if isinstance(shape, TransformerShape) and HEAD in arrays:
            shape = replace(shape, tie_embeddings=False)
        return LoadedWeights(shape, arrays)

    def _eager_logits(
        self, weights: WeightSource, cases: list[Case], activations: Activations = Activations.EXACT
    ) -> list[np.ndarray]:
        eager = EagerDecoder(weights, self.spec.options.max_context, activations)
        return [eager.forward(case.tokens[None], 0, case.rows)[0] for case in cases]


def _give_memory_back() -> None:
    """Return freed tensors to the system; glibc keeps those below 32 MB for itself otherwise."""
    gc.collect()
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(frozen=True, slots=True)
class _Run:
    """What an artifact answered: logits of each case; the greedy texts and the ids chosen along them."""

    logits: list[np.ndarray]
    texts: list[Case]
    chosen: list[np.ndarray]


def run_case(model: LanguageModel, case: Case, chunk: int) -> np.ndarray:
    """float32 [rows, V]: the artifact's logits after the prompt, prefilled in chunks, and after each single step."""
    rows = [np.zeros(0, np.float32)]
    for start in range(0, case.prompt_length, chunk):
        rows[0] = model.forward(case.tokens[start : min(start + chunk, case.prompt_length)], start)
    rows[0] = rows[0].copy()
    for position in range(case.prompt_length, len(case.tokens)):
        rows.append(model.forward(case.tokens[position : position + 1], position).copy())
    return np.stack(rows)


def generate(model: LanguageModel, prompt: np.ndarray, steps: int, chunk: int) -> np.ndarray:
    """int64 [steps]: the artifact's greedy continuation of `prompt`."""
    ids = [int(run_case(model, Case(prompt, len(prompt)), chunk)[0].argmax())]
    for position in range(len(prompt), len(prompt) + steps - 1):
        ids.append(int(model.forward(np.asarray(ids[-1:], np.int64), position).argmax()))
    return np.asarray(ids, np.int64)
