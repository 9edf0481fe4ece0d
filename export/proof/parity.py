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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from export.proof.gates import (
    DECISIVE_SIGMAS,
    FLOAT_ERROR,
    FLOOR_FACTOR,
    MAX_NATS,
    MAX_STEPS,
    Compared,
    Floor,
    Gate,
    GateError,
    GateResult,
    check_greedy,
    check_logits,
    check_operators,
    check_sample,
    check_size,
    check_tensor,
    confirm_network_reference,
    confirm_sample,
    confirm_text_reference,
    measure_floor,
    spread,
)
from export.proof.quality import NUM_TOKENS, Quality, measure_quality, text_tokens
from export.proof.reference import (
    REFERENCE_SCHEMA,
    SAMPLE_STEPS,
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
from export.proof.runs import Run, generate, run_case
from export.proof.stored import dequantized
from export.quantized import QuantizedTensor
from export.targets.base import ExportSpec, Observed, StoredTensor, Target
from models.activations import Activations
from models.eager import EagerDecoder, EagerMlp
from models.errors import UserError
from models.rope import ROPE_COS, ROPE_SIN, rope_tables
from models.shape import MlpShape, TransformerShape
from models.tensors import EMBEDDING, HEAD, tensors
from models.weights import WeightSource, load_all

# Rotary tables may be stored as float16.
ROPE_BITS = 16
_ARM = ("aarch64", "arm64")


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """All gates of an artifact, passed; what its files showed, and the reference that the gates made or confirmed."""

    observed: Observed
    gates: tuple[GateResult, ...]
    reference: TextReference | NetworkReference
    quality: Quality | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Prover:
    """Runs the gates of the artifact in `folder`.

    Attributes:
        weights: the source the artifact claims to hold.
        model_files: the files that the target wrote, relative to `folder`.
        progress: called with the name of each gate as it starts.
        text: on which the cost of the stored weights is measured; needs `tokenizer`, the artifact's tokenizer.json.
    """

    target: Target
    spec: ExportSpec
    weights: WeightSource
    folder: Path
    model_files: tuple[str, ...]
    thoroughness: Thoroughness
    num_threads: int
    progress: Callable[[str], None]
    text: Path | None = None
    tokenizer: Path | None = None

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
        quality = None
        if isinstance(self.spec.shape, MlpShape):
            assert not isinstance(reference, TextReference)
            rest, reference = self._prove_network(reference)
        else:
            assert not isinstance(reference, NetworkReference)
            rest, reference, quality = self._prove_language_model(reference)
        return Proof(observed=observed, gates=(operators, size, *rest), reference=reference, quality=quality)

    def _prove_language_model(
        self, reference: TextReference | None
    ) -> tuple[tuple[GateResult, ...], TextReference, Quality | None]:
        # Artifact, source and stored weights one after the other: each is half a gigabyte for the default pair.
        cases = probe_cases(self.spec, self.thoroughness)
        artifact = self._run_artifact(cases, reference)
        _give_memory_back()
        self.progress("weights")
        words = self._text()
        weights_gate, stored, exact = self._read_back(lambda source: self._eager_logits(source, [*cases, *words]))
        _give_memory_back()
        self.progress("logits")
        weights = dequantized(self.spec.shape, stored)
        same = self._eager_logits(weights, cases)
        quality = self._quality(words, weights, exact[len(cases) :])
        del exact[len(cases) :]
        floors = self._floors(weights, cases, same)
        largest = max(floors.values(), key=lambda floor: floor.overall)
        chunks = max(-(-case.prompt_length // self.spec.options.prefill_chunk) for case in cases)
        compared = Compared(
            cases=cases,
            artifact=artifact.logits,
            same=same,
            exact=exact,
            note=f"prefill in up to {chunks} chunks, then steps",
        )
        # On Arm the runtime may choose any family; elsewhere the first is the one that runs.
        here = largest if platform.machine().lower() in _ARM else next(iter(floors.values()))
        logits_gate = _with_floors(check_logits(self.spec.scheme, compared, here), floors)
        self.progress("greedy")
        eager = self._eager_logits(weights, artifact.texts)
        noise = largest.overall * spread(same)
        margin = DECISIVE_SIGMAS * 2**0.5 * noise
        if reference is not None:
            confirm_text_reference(reference, eager)
        greedy_gate = check_greedy(eager, artifact.chosen, margin)
        reference = reference or text_reference(artifact.texts, artifact.chosen, eager, margin, FLOOR_FACTOR * noise)
        gates = (weights_gate, logits_gate, greedy_gate)
        if (sample := reference.logit_sample) is not None:
            ids, steps = np.asarray(sample.token_ids), len(sample.rows)
            confirm_sample(sample, eager[0][:steps, ids])
            gates = (*gates, check_sample(artifact.first_rows[:steps, ids], sample))
        return gates, reference, quality

    def _text(self) -> list[Case]:
        """The sample text as a case of which every row counts; nothing without a tokenizer."""
        if self.text is None or self.tokenizer is None:
            return []
        tokens = text_tokens(self.tokenizer, self.text, min(NUM_TOKENS, self.spec.options.max_context))
        assert isinstance(self.spec.shape, TransformerShape)
        if tokens.max() >= self.spec.shape.vocab_size:
            raise UserError(f"{self.tokenizer}: makes token {tokens.max()} of {self.text}, outside the vocabulary")
        return [Case(tokens, 1)]

    def _quality(self, words: list[Case], weights: WeightSource, exact: list[np.ndarray]) -> Quality | None:
        if not words or self.text is None:
            return None
        (stored,) = self._eager_logits(weights, words)
        quality = measure_quality(self.text.name, words[0].tokens, stored[:-1], exact[0][:-1])
        if not quality.nats <= MAX_NATS[self.spec.scheme]:
            raise GateError(
                Gate.LOGITS, f"the stored weights cost {quality.nats:.3f} nats a token of {quality.text}, "
                f"{self.spec.scheme} may cost {MAX_NATS[self.spec.scheme]}"
            )  # fmt: skip
        return quality

    def _run_artifact(self, cases: list[Case], reference: TextReference | None) -> Run:
        """What the runtime makes of the files: logits of the cases; greedy ids, forced along `reference` if given."""
        self.progress("run")
        model = self.target.open_language_model(self.spec, self.folder, self.num_threads)
        chunk = self.spec.options.prefill_chunk
        logits = [run_case(model, case, chunk) for case in cases]
        if reference is not None:
            texts = forced_cases(reference)
            rows = [run_case(model, text, chunk) for text in texts]
            return Run(logits, texts, [each.argmax(-1) for each in rows], rows[0][:SAMPLE_STEPS])
        steps = num_greedy_steps(self.spec, self.thoroughness)
        prompts = reference_prompts(self.spec, self.thoroughness)
        chosen = [generate(model, prompt, steps, chunk) for prompt in prompts]
        texts = [Case(np.concatenate([p, ids[:-1]]), len(p)) for p, ids in zip(prompts, chosen, strict=True)]
        first = texts[0].prompt_length + SAMPLE_STEPS - 1
        rows = run_case(model, Case(texts[0].tokens[:first], texts[0].prompt_length), chunk)
        return Run(logits, texts, chosen, rows)

    def _read_back(
        self, run_source: Callable[[WeightSource], list[np.ndarray]]
    ) -> tuple[GateResult, dict[str, StoredTensor], list[np.ndarray]]:
        """Compare every stored tensor with its source, and run eager on the source while it is in memory."""
        source = load_all(self.weights)
        roles = {spec.name: spec.role for spec in tensors(self.spec.shape)}
        formats = self.target.storage(self.spec).formats
        rope = self._rope_tables()
        stored: dict[str, StoredTensor] = {}
        steps, errors = [0.0], [0.0]
        for name, tensor in self.target.stored_tensors(self.spec, self.folder):
            if name in rope:
                check_tensor(name, tensor, ROPE_BITS, rope.pop(name))
                continue
            bits = tensor.bits if isinstance(tensor, QuantizedTensor) else formats[roles[name]].bits
            found = steps if isinstance(tensor, QuantizedTensor) else errors
            found.append(check_tensor(name, tensor, bits, source.get(name)))
            # A tied table that the target stores twice comes twice: for the look-up, then for the head.
            stored[HEAD if name == EMBEDDING and name in stored else name] = tensor
        missing = sorted((roles.keys() | rope.keys()) - stored.keys())
        if missing:
            raise GateError(Gate.WEIGHTS, f"not stored: {', '.join(missing[:3])} ({len(missing)} in all)")
        result = GateResult(
            gate=Gate.WEIGHTS,
            measured={"steps": max(steps), "float_error": max(errors)},
            thresholds={"steps": MAX_STEPS, "float_error": FLOAT_ERROR[16][0]},
            note=f"{len(stored)} tensors read back by their place in the graph, every number held to its source",
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
        weights = dequantized(self.spec.shape, stored)
        same = [EagerMlp(weights).forward(inputs)]
        modes = self.target.activations(self.spec.scheme)
        floors = {mode: measure_floor([EagerMlp(weights, mode).forward(inputs)], same) for mode in modes}
        floor = max(floors.values(), key=lambda floor: floor.overall)
        fresh = NetworkReference(
            schema=REFERENCE_SCHEMA, tolerance=FLOOR_FACTOR * DECISIVE_SIGMAS * floor.overall * spread(same),
            inputs=inputs.tolist(), outputs=same[0].tolist(),
        )  # fmt: skip
        if reference is not None:
            confirm_network_reference(reference, fresh)
        case = Case(np.zeros(len(inputs), np.int64), 1)
        compared = Compared(cases=[case], artifact=artifact, same=same, exact=exact, note="one after the other")
        return (weights_gate, _with_floors(check_logits(self.spec.scheme, compared, floor), floors)), reference or fresh

    def _floors(self, weights: WeightSource, cases: list[Case], same: list[np.ndarray]) -> dict[Activations, Floor]:
        """By family of kernels, on all texts but the longest: rounding acts on each token alike, and eager is slow."""
        shorter = slice(1, None) if len(cases) > 1 else slice(None)
        return {
            family: measure_floor(self._eager_logits(weights, cases[shorter], family), same[shorter])
            for family in self.target.activations(self.spec.scheme)
        }

    def _eager_logits(
        self, weights: WeightSource, cases: list[Case], activations: Activations = Activations.EXACT
    ) -> list[np.ndarray]:
        eager = EagerDecoder(weights, self.spec.options.max_context, activations)
        return [eager.forward(case.tokens[None], 0, case.rows)[0] for case in cases]


def _with_floors(gate: GateResult, floors: Mapping[Activations, Floor]) -> GateResult:
    """`gate` with the floor of each family of kernels by name."""
    named = {f"floor {family}": floor.overall for family, floor in floors.items()}
    return replace(gate, measured={**gate.measured, **named})


def _give_memory_back() -> None:
    """Return freed tensors to the system; glibc keeps those below 32 MB for itself otherwise."""
    gc.collect()
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
