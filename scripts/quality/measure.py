"""Nats above float32, window by window, of artifacts made from one checkpoint."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.manifest import Manifest, read_manifest
from export.proof.quality import TOKENIZER, log_probabilities, open_tokenizer
from export.proof.stored import read_weights
from export.targets.registry import get_target
from models.checkpoint import open_checkpoint
from models.eager import EagerDecoder
from models.errors import UserError
from models.weights import WeightSource, load_all

WINDOW = 512


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One artifact.

    Attributes:
        nats: mean over windows of the mean negative log-likelihood above float32's.
        standard_error: of that mean, from the differences window by window.
        kl: mean divergence from float32, in nats.
        top1: share of tokens with the same likeliest id.
    """

    name: str
    model_bytes: int
    read_bytes: int
    nats: float
    standard_error: float
    kl: float
    top1: float


def read_windows(checkpoint: Path, text: Path, count: int) -> list[np.ndarray]:
    """The first `count` windows of 512 tokens of a text; single line breaks are taken out.

    Raises:
        UserError: the text is too short.
    """
    words = re.sub(r"(?<!\n)\n(?!\n)", " ", text.read_text(encoding="utf-8", errors="replace").replace("\r", ""))
    start = max(0, words.find("PART I."))  # behind the front matter of Newton's Opticks
    ids = np.asarray(open_tokenizer(checkpoint / TOKENIZER).encode(words[start:]).ids, np.int64)
    if len(ids) < count * WINDOW:
        raise UserError(f"{text}: {len(ids)} tokens are not {count} windows of {WINDOW}; choose fewer with --windows")
    return [ids[first : first + WINDOW] for first in range(0, count * WINDOW, WINDOW)]


def measure(checkpoint: Path, artifacts: Sequence[Path], windows: Sequence[np.ndarray]) -> list[Row]:
    """One row for each artifact. All weights are in memory at once, so that float32 runs each window a single time."""
    source = load_all(open_checkpoint(checkpoint))
    manifests = [read_manifest(folder) for folder in artifacts]
    stored = [read_weights(get_target(m.target), m.spec, f) for m, f in zip(manifests, artifacts, strict=True)]
    found: list[list[tuple[float, float, float]]] = [[] for _ in artifacts]
    for tokens in windows:
        exact = log_probabilities(_logits(source, tokens))
        for weights, rows in zip(stored, found, strict=True):
            rows.append(_compare(exact, log_probabilities(_logits(weights, tokens)), tokens))
    return [_row(manifest, np.array(rows)) for manifest, rows in zip(manifests, found, strict=True)]


def _row(manifest: Manifest, found: np.ndarray) -> Row:
    nats, kl, top1 = found.mean(0).tolist()
    return Row(
        name=f"{manifest.target}-{manifest.scheme}", model_bytes=manifest.model_bytes,
        read_bytes=manifest.cost_per_token.weight_bytes_read, nats=nats,
        standard_error=float(found[:, 0].std(ddof=1) / len(found) ** 0.5), kl=kl, top1=top1,
    )  # fmt: skip


def _compare(theirs: np.ndarray, ours: np.ndarray, tokens: np.ndarray) -> tuple[float, float, float]:
    """(nats, divergence, agreement) of one window, from log-probabilities [N - 1, V]."""
    rows, targets = np.arange(len(tokens) - 1), tokens[1:]
    nats = float((theirs[rows, targets] - ours[rows, targets]).mean())
    divergence = float((np.exp(theirs) * (theirs - ours)).sum(-1).mean())
    return nats, divergence, float((theirs.argmax(-1) == ours.argmax(-1)).mean())


def _logits(weights: WeightSource, tokens: np.ndarray) -> np.ndarray:
    return EagerDecoder(weights, len(tokens)).forward(tokens[None], 0, slice(0, len(tokens) - 1))[0]
