"""Title, definition and way to measure of each claim."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scripts.claims.claim import Claim

_SEED = "python -m scripts.claims.seed_article --out results/seed-article.json"
_FARM = "python -m scripts.farm run CAMPAIGN with at least 5 runs of each arm"
_TRAIN = "python -m scripts.claims.training.probe"


@dataclass(frozen=True, slots=True)
class ClaimText:
    """A claim in words.

    Attributes:
        definition: what is tested. Everywhere "matched" means equal total parameters within 0.5 %.
        how: the command that measures it, where nothing was measured.
    """

    title: str
    definition: str
    how: str


TEXTS: Mapping[Claim, ClaimText] = MappingProxyType({
    Claim.LATENCY: ClaimText(
        "Deep-narrow networks have lower latency.",
        "In a matched pair, one token (a decoder) or one row (an MLP) takes the deep arm less time than the wide one: "
        "the verdict on the run medians says `faster`. No difference shown counts against the claim.",
        f"{_SEED}; {_FARM}",
    ),
    Claim.PARALLELISM: ClaimText(
        "Deep-narrow networks offer more parallelism.",
        "In a matched pair, going from 1 thread to several makes the deep arm faster, and more so than the wide one: "
        "the interval of deep time / wide time lies lower with several threads than with one.",
        f"{_SEED} --threads 1,2; or {_FARM}, with two settings of num_threads",
    ),
    Claim.SMALLER_MATMULS: ClaimText(
        "Smaller matrix products suit small devices better.",
        "Where arithmetic and not memory is plausibly the limit (a prompt or a batch, 32 rows or more in one call), "
        "the deep arm of a matched pair, whose products are smaller, is shown not to be slower: the whole interval of "
        "deep time / wide time lies below 1 plus the floor. A verdict `slower` counts against; else undecided.",
        f"{_SEED}; {_FARM}",
    ),
    Claim.CACHE: ClaimText(
        "Deep-narrow networks use caches better.",
        "No cache is measured. In a matched pair, one token or row at a time, the deep arm moves its bytes faster: "
        "achieved bytes per second are higher than the wide arm's. As the arms read the same bytes, this is the row on "
        "latency in other units and not independent of it.",
        f"{_SEED}; {_FARM}",
    ),
    Claim.ACTIVATIONS: ClaimText(
        "Deep-narrow networks have smaller activations.",
        "In a matched pair the deep arm has fewer activation bytes for one token, counted twice: the most that must "
        "exist at once (peak), and all layers' outputs together (sum), which is the figure the article prints.",
        "nothing to run, it is computed",
    ),
    Claim.PARAMETER_READS: ClaimText(
        "Deep-narrow networks read fewer parameters.",
        "In a matched pair one token of the deep arm reads fewer weight bytes, by more than 0.5 %. With equal total "
        "parameters it cannot: the answer follows from the matching and would be another under another budget.",
        "nothing to run, it is computed",
    ),
    Claim.BANDWIDTH: ClaimText(
        "Deep-narrow networks need less memory bandwidth.",
        "Counted as bytes per token, not per second: in a matched pair one token of the deep arm reads fewer bytes, "
        "weights and KV cache together, by more than 0.5 %. Bytes per second follow from it and from latency.",
        "nothing to run, it is computed",
    ),
    Claim.TRAINING: ClaimText(
        "Deep-narrow networks are harder to train.",
        "In a matched pair, same data, same number of updates and each arm's best learning rate of a grid, every seed "
        "of the deep arm ends with a higher training loss than every seed of the wide arm, by 2 % in the median; a "
        "seed that diverged ranks above all others. Where only some constructions show it, the "
        "answer is that it depends on them.",
        _TRAIN,
    ),
    Claim.EXPRESSIVENESS: ClaimText(
        "Deep-narrow networks may express less.",
        "In a matched pair, each arm in the construction that fits best, every seed of the deep arm fits random labels "
        "or a sawtooth worse than every seed of the wide arm, or predicts held-out text worse, by 2 % in the median. "
        "It is what training reaches, not what the best weights could do.",
        _TRAIN,
    ),
    Claim.HARDWARE: ClaimText(
        "Which shape is faster depends on the hardware.",
        "The verdicts on one matched pair in one runtime, scheme and thread setting name opposite winners on two "
        "devices. The same winner on both counts against; no winner on one of them decides nothing. That a gap is "
        "larger on one device than on another is shown beside it and is no support.",
        f"{_FARM}, on at least two devices",
    ),
    Claim.EXAMPLE: ClaimText(
        "100 layers of 10k parameters beat 10 layers of 100k.",
        "Read as parameters per layer (as widths, one layer of 100k by 100k would hold 40 GB): 100 layers of 96 x 96 "
        "(9,312 parameters) against 10 layers of 320 x 320 (102,720), 192 inputs and outputs, matched. One row takes "
        "the deep one less time.",
        _SEED,
    ),
    Claim.QUANTISATION: ClaimText(
        "Quantisation is the next step.",
        "On the same device, runtime and threads the deep arm is faster in a quantised scheme than in fp32. What "
        "quantising does to deep time / wide time is shown beside it.",
        f"{_FARM}, with the schemes fp32 and int4",
    ),
})  # fmt: skip
