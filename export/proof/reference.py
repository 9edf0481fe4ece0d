"""The texts on which an artifact is judged, and `reference.json`: what a right artifact answers, for phones to check.

Token ids are random on purpose: no tokenizer, no data set, and every row of the embedding table is as likely as any.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from export.targets.base import ExportSpec
from models.shape import MlpShape, TransformerShape

REFERENCE_SCHEMA = "deepnarrow/reference/1"
REFERENCE_FILE = "reference.json"
PROBE_SEED = 20_240_222
REFERENCE_PROMPT_TOKENS = 16
# Sampled logits: enough to average noise out, small beside the ids.
SAMPLE_IDS, SAMPLE_STEPS = 64, 16


class Thoroughness(StrEnum):
    """How much text the gates run."""

    FULL = "full"  # three prompts, one of them past position 512, 32 steps each; 2 x 64 greedy tokens
    QUICK = "quick"  # one short prompt, 8 steps; 16 greedy tokens: for sweeps of random-weight shapes


@dataclass(frozen=True, slots=True)
class Case:
    """One text: the first `prompt_length` ids of `tokens` int64 [N] are prefilled in chunks, the others stepped."""

    tokens: np.ndarray
    prompt_length: int

    @property
    def rows(self) -> slice:
        """Positions whose logits are compared: the prompt's last token and every stepped one."""
        return slice(self.prompt_length - 1, len(self.tokens))


def probe_cases(spec: ExportSpec, thoroughness: Thoroughness) -> list[Case]:
    """The texts for the logits gate, shortened where the cache is smaller than the longest."""
    # Longest first: what it leaves in the cache behind the shorter ones must not be read again.
    lengths, steps = ((540, 100, 9), 32) if thoroughness is Thoroughness.FULL else ((40,), 8)
    assert isinstance(spec.shape, TransformerShape)
    stream = np.random.default_rng(PROBE_SEED)
    room = max(1, spec.options.max_context - steps)
    cases: list[Case] = []
    for length in (min(length, room) for length in lengths):
        count = min(length + steps, spec.options.max_context)
        cases.append(Case(stream.integers(0, spec.shape.vocab_size, count), length))
    return cases


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GreedyText(_Model):
    """One prompt with its greedy continuation.

    Attributes:
        prompt: token ids to prefill.
        greedy: the continuation; runs are forced along these ids.
        margins: best logit minus the second best, in eager with the artifact's weights, per step.
        decisive: whether the margin exceeds what rounding may move. There any right artifact chooses the id in
            `greedy`; at the other steps the choice is ambiguous, and `greedy` holds one of the near-equal ids.
    """

    prompt: list[int]
    greedy: list[int]
    margins: list[float]
    decisive: list[bool]

    @model_validator(mode="after")
    def _one_entry_per_step(self) -> "GreedyText":
        if not len(self.prompt) > 0 < len(self.greedy) == len(self.margins) == len(self.decisive):
            raise ValueError("a text needs a prompt, and as many margins and decisive flags as greedy ids")
        return self


class LogitSample(_Model):
    """Some logits of the first text, which prove something where no margin is decisive.

    Attributes:
        token_ids: the ids whose logits are kept.
        rows: their logits at the first greedy steps, in eager with the artifact's weights.
        tolerance: largest root mean square difference, over all of them, that a right artifact may show with any family
            of kernels.
    """

    token_ids: list[int]
    rows: list[list[float]]
    tolerance: float

    @model_validator(mode="after")
    def _rectangular(self) -> "LogitSample":
        if not self.rows or not self.token_ids or any(len(row) != len(self.token_ids) for row in self.rows):
            raise ValueError("a sample of logits needs one logit for each id at each step")
        return self


class TextReference(_Model):
    """`reference.json` of a decoder."""

    schema_: Literal["deepnarrow/reference/1"] = Field(REFERENCE_SCHEMA, alias="schema")
    family: Literal["transformer"] = "transformer"
    decisive_margin: float
    texts: list[GreedyText]
    logit_sample: LogitSample | None = None


class NetworkReference(_Model):
    """`reference.json` of an MLP: rows of inputs, the outputs they must give, and the largest difference allowed."""

    schema_: Literal["deepnarrow/reference/1"] = Field(REFERENCE_SCHEMA, alias="schema")
    family: Literal["mlp"] = "mlp"
    tolerance: float
    inputs: list[list[float]]
    outputs: list[list[float]]


Reference = Annotated[TextReference | NetworkReference, Field(discriminator="family")]


def reference_prompts(spec: ExportSpec, thoroughness: Thoroughness) -> np.ndarray:
    """int64 [texts, tokens]: the prompts of a new reference."""
    assert isinstance(spec.shape, TransformerShape)
    size = (2 if thoroughness is Thoroughness.FULL else 1, REFERENCE_PROMPT_TOKENS)
    return np.random.default_rng(PROBE_SEED + 1).integers(0, spec.shape.vocab_size, size)


def num_greedy_steps(spec: ExportSpec, thoroughness: Thoroughness) -> int:
    """Length of each greedy continuation, less where the cache is too small."""
    steps = 64 if thoroughness is Thoroughness.FULL else 16
    return min(steps, spec.options.max_context - REFERENCE_PROMPT_TOKENS)


def text_reference(
    texts: list[Case], chosen: list[np.ndarray], eager: list[np.ndarray], decisive_margin: float, tolerance: float
) -> TextReference:
    """The reference of an artifact whose greedy gate has passed.

    Args:
        texts: prompts with their forced continuation.
        chosen: int64 [steps] ids of each continuation.
        eager: float32 [steps, V] logits of eager along each.
        decisive_margin: smallest margin, in logits, that rounding cannot overturn.
        tolerance: of the sampled logits.
    """
    entries: list[GreedyText] = []
    for case, ids, logits in zip(texts, chosen, eager, strict=True):
        margins = top_margins(logits).tolist()
        entries.append(
            GreedyText(
                prompt=case.tokens[: case.prompt_length].tolist(), greedy=ids.tolist(), margins=margins,
                decisive=[margin > decisive_margin for margin in margins],
            )
        )  # fmt: skip
    ids = sample_ids(eager[0])
    rows = eager[0][:SAMPLE_STEPS, ids].tolist()
    sample = LogitSample(token_ids=ids.tolist(), rows=rows, tolerance=tolerance)
    return TextReference(
        schema=REFERENCE_SCHEMA, decisive_margin=decisive_margin, texts=entries, logit_sample=sample
    )  # fmt: skip


def sample_ids(logits: np.ndarray) -> np.ndarray:
    """int64 [<= 64]: half of them the likeliest ids of the first steps, half spread over the vocabulary, sorted."""
    vocab = logits.shape[-1]
    likely = np.argsort(-logits[:SAMPLE_STEPS].mean(0), kind="stable")[: SAMPLE_IDS // 2]
    spread = np.linspace(0, vocab - 1, min(SAMPLE_IDS // 2, vocab)).astype(np.int64)
    return np.union1d(likely, spread)


def forced_cases(reference: TextReference) -> list[Case]:
    """Each reference text as a case whose rows are the greedy steps."""
    return [Case(np.asarray([*text.prompt, *text.greedy[:-1]], np.int64), len(text.prompt)) for text in reference.texts]


def probe_inputs(shape: MlpShape) -> np.ndarray:
    """float32 [4, input_size] standard-normal rows for an MLP's gates."""
    return np.random.default_rng(PROBE_SEED).standard_normal((4, shape.input_size), dtype=np.float32)


def top_margins(logits: np.ndarray) -> np.ndarray:
    """Best minus second-best logit of each row of [..., V]."""
    top = np.partition(logits, -2, axis=-1)[..., -2:]
    return top[..., 1] - top[..., 0]
