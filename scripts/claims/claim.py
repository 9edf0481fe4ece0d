"""What a claim is and what may be answered to it."""

from dataclasses import dataclass
from enum import StrEnum


class Claim(StrEnum):
    """What the article says of deep-narrow networks."""

    LATENCY = "lower-latency"
    PARALLELISM = "more-parallelism"
    SMALLER_MATMULS = "smaller-matmuls"
    CACHE = "better-cache-use"
    ACTIVATIONS = "smaller-activations"
    PARAMETER_READS = "fewer-parameter-reads"
    BANDWIDTH = "less-bandwidth"
    TRAINING = "harder-training"
    EXPRESSIVENESS = "lower-expressiveness"
    HARDWARE = "depends-on-hardware"
    EXAMPLE = "10x100k-against-100x10k"
    QUANTISATION = "quantisation-next"


class Answer(StrEnum):
    """What measurement says of a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    DEPENDS = "depends on"
    NOT_MEASURED = "not measured here"


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """What others found; no verdict rests on it."""

    text: str
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimRow:
    """One claim.

    Attributes:
        title: the claim in the article's sense, about a deep-narrow network against a shallow-wide one.
        definition: what exactly is tested, so that it can fail.
        measured: findings with numbers and conditions, one sentence each; empty where nothing was measured.
        published: evidence of others, with its source.
        condition: when the answer is true, or what it depends on, or what to run where nothing was measured.
    """

    claim: Claim
    title: str
    definition: str
    measured: tuple[str, ...]
    published: tuple[Published, ...]
    answer: Answer
    condition: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was measured or computed.

    Attributes:
        where: pair and conditions, short enough for a list.
        factor: the one condition that the answer may depend on; shown instead of `where` if it tells yes from no.
        text: the sentence that is shown, numbers and conditions in it.
        supports: whether it supports the claim; None where it is shown only: an unmatched pair, too few runs.
    """

    where: str
    text: str
    supports: bool | None
    factor: str = ""
