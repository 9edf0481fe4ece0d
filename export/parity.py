"""Proof before a manifest: runs the gates of one artifact.

Three things are compared: the artifact, run by its runtime from the files on disk; the eager reference with the weights
read back from those files; the eager reference with the source's float32 weights. How far the first two may differ is
not guessed: the reference is run once more with the runtime's rounding of activations, and that difference is the
floor (one flipped int8 activation is amplified by every later dynamic quantiser, so bit equality is not to be had).
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.gates import (
    ARITHMETIC_FLOOR,
    DECISIVE_SIGMAS,
    FLOOR_FACTOR,
    MAX_NORM_ERROR,
    MIN_CORRELATION,
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
    relative_rms,
    spread,
    stored_bits,
    worst_row,
)
from export.quantized import QuantizedTensor
from export.reference import (
    Case,
    NetworkReference,
    TextReference,
    Thoroughness,
    num_reference_texts,
    probe_cases,
    probe_inputs,
)
from export.reference_builder import build_network_reference, build_text_reference
from export.targets.base import ExportSpec, LanguageModel, StoredTensor, Target
from models.activations import Activations
from models.eager import EagerDecoder, EagerMlp
from models.shape import MlpShape, TransformerShape
from models.tensors import EMBEDDING, HEAD, tensors
from models.weights import LoadedWeights, WeightSource, load_all


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """All gates of an artifact, passed, and the reference that they made or confirmed."""

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
        operators = check_operators(self.target.required_operators(self.spec), dict(observed.operators))
        actual = sum((self.folder / name).stat().st_size for name in self.model_files)
        size = check_size(actual, self.target.expected_file_bytes(self.spec))
        self.progress("weights")
        source = load_all(self.weights)
        weights, stored = self._read_back(source)
        if isinstance(self.spec.shape, MlpShape):
            assert not isinstance(reference, TextReference)
            dynamic, reference = self._prove_network(source, stored, reference)
        else:
            assert not isinstance(reference, NetworkReference)
            self.progress("reference")
            cases = probe_cases(self.spec, self.thoroughness)
            exact = self._eager_logits(source, cases, Activations.EXACT)
            del source
            gc.collect()  # half a gigabyte for the default pair; the next step needs as much again
            dynamic, reference = self._prove_language_model(stored, cases, exact, reference)
        return Proof(gates=(operators, size, weights, *dynamic), reference=reference)

    def _read_back(self, source: WeightSource) -> tuple[GateResult, dict[str, StoredTensor]]:
        stored: dict[str, StoredTensor] = {}
        checks: list[tuple[float, float]] = []
        for name, tensor in self.target.stored_tensors(self.spec, self.folder):
            stored[name] = tensor
            # A tied head that the target stores again is still the embedding's table.
            tied_head = (
                name == HEAD and isinstance(self.spec.shape, TransformerShape) and self.spec.shape.tie_embeddings
            )
            checks.append(check_tensor(name, tensor, source.get(EMBEDDING if tied_head else name)))
        missing = sorted({spec.name for spec in tensors(self.spec.shape)} - stored.keys())
        if missing:
            raise GateError(Gate.WEIGHTS, f"not stored: {', '.join(missing[:3])} ({len(missing)} in all)")
        bits = min(stored_bits(tensor) for tensor in stored.values())
        result = GateResult(
            gate=Gate.WEIGHTS,
            measured={"correlation": min(c for c, _ in checks), "norm_error": max(n for _, n in checks)},
            thresholds={"correlation": MIN_CORRELATION[bits], "norm_error": MAX_NORM_ERROR[bits]},
            note=f"{len(stored)} tensors read back by their place in the graph",
        )
        return result, stored

    def _prove_language_model(
        self, stored: dict[str, StoredTensor], cases: list[Case], exact: list[np.ndarray],
        reference: TextReference | None,
    ) -> tuple[tuple[GateResult, ...], TextReference]:  # fmt: skip
        same, floor, reference = self._expect(self._dequantized(stored), cases, reference)
        gc.collect()
        self.progress("logits")
        model = self.target.open_language_model(self.spec, self.folder, self.num_threads)
        chunk = self.spec.options.prefill_chunk
        logits = check_logits(cases, [run_case(model, case, chunk) for case in cases], same, exact, floor)
        self.progress("greedy")
        chosen = [run_case(model, case, chunk).argmax(-1) for case in _forced_cases(reference)]
        return (logits, check_greedy(reference, chosen)), reference

    def _expect(
        self, weights: LoadedWeights, cases: list[Case], reference: TextReference | None
    ) -> tuple[list[np.ndarray], Floor, TextReference]:
        """What eager makes of the artifact's own weights: logits, floor and reference."""
        same = self._eager_logits(weights, cases, Activations.EXACT)
        floor = self._floor(same, lambda mode: self._eager_logits(weights, cases, mode))
        if reference is not None:
            confirm_text_reference(reference, self._eager_logits(weights, _forced_cases(reference), Activations.EXACT))
            return same, floor, reference
        margin = DECISIVE_SIGMAS * 2**0.5 * floor.overall * spread(same)
        eager = self._eager(weights, Activations.EXACT, num_reference_texts(self.thoroughness))
        return same, floor, build_text_reference(eager, self.spec, self.thoroughness, margin)

    def _prove_network(
        self, source: LoadedWeights, stored: dict[str, StoredTensor], reference: NetworkReference | None
    ) -> tuple[tuple[GateResult, ...], NetworkReference]:
        assert isinstance(self.spec.shape, MlpShape)
        inputs = probe_inputs(self.spec.shape)
        weights = self._dequantized(stored)
        exact, same = [EagerMlp(source).forward(inputs)], [EagerMlp(weights).forward(inputs)]
        floor = self._floor(same, lambda mode: [EagerMlp(weights, mode).forward(inputs)])
        fresh = build_network_reference(
            EagerMlp(weights), FLOOR_FACTOR * DECISIVE_SIGMAS * floor.overall * spread(same)
        )
        if reference is not None:
            confirm_network_reference(reference, fresh)
        self.progress("logits")
        network = self.target.open_network(self.spec, self.folder, self.num_threads)
        artifact = [np.concatenate([network.forward(row[None]).copy() for row in inputs])]
        case = Case(np.zeros(len(inputs), np.int64), 1)
        return (check_logits([case], artifact, same, exact, floor),), reference or fresh

    def _floor(self, same: list[np.ndarray], run: Callable[[Activations], list[np.ndarray]]) -> Floor:
        activations = self.target.activations(self.spec.scheme)
        if activations is Activations.EXACT:
            return Floor(ARITHMETIC_FLOOR, ARITHMETIC_FLOOR)
        rounded = run(activations)
        overall = max(relative_rms(rounded, same), ARITHMETIC_FLOOR)
        return Floor(overall, max(worst_row(rounded, same)[0], overall))

    def _dequantized(self, stored: dict[str, StoredTensor]) -> LoadedWeights:
        """The stored weights as float32; empties `stored` on the way, so that nothing is held twice."""
        arrays: dict[str, np.ndarray] = {}
        for name in list(stored):
            tensor = stored.pop(name)
            arrays[name] = tensor.dequantize() if isinstance(tensor, QuantizedTensor) else tensor
        shape = self.spec.shape
        # Where a tied head is stored a second time, in its own format, the reference must multiply by that copy.
        if isinstance(shape, TransformerShape) and HEAD in arrays:
            shape = replace(shape, tie_embeddings=False)
        return LoadedWeights(shape, arrays)

    def _eager(self, weights: WeightSource, activations: Activations, batch: int = 1) -> EagerDecoder:
        return EagerDecoder(weights, self.spec.options.max_context, activations, batch)

    def _eager_logits(self, weights: WeightSource, cases: list[Case], activations: Activations) -> list[np.ndarray]:
        eager = self._eager(weights, activations)
        return [eager.forward(case.tokens[None], 0, case.rows)[0] for case in cases]


def _forced_cases(reference: TextReference) -> list[Case]:
    """Each reference text as a case whose rows are the greedy steps."""
    return [Case(np.asarray([*text.prompt, *text.greedy[:-1]], np.int64), len(text.prompt)) for text in reference.texts]


def run_case(model: LanguageModel, case: Case, chunk: int) -> np.ndarray:
    """float32 [rows, V]: the artifact's logits after the prompt, prefilled in chunks, and after each single step."""
    rows = [np.zeros(0, np.float32)]
    for start in range(0, case.prompt_length, chunk):
        rows[0] = model.forward(case.tokens[start : min(start + chunk, case.prompt_length)], start)
    rows[0] = rows[0].copy()
    for position in range(case.prompt_length, len(case.tokens)):
        rows.append(model.forward(case.tokens[position : position + 1], position).copy())
    return np.stack(rows)
