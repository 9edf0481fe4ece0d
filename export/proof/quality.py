"""What the stored weights cost on a text, against float32: nats, divergence, agreement. Needs a tokenizer.

The text that ships with the project is its own documentation; whoever has a better one passes it with `--text`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.errors import UserError

if TYPE_CHECKING:  # manifests are read where no tokenizers are installed
    from tokenizers import Tokenizer

SAMPLE = Path(__file__).with_name("sample.txt")
TOKENIZER = "tokenizer.json"
# Tokens of the text: as many as leave an export fast; `scripts.quality` measures on more.
NUM_TOKENS = 512
MIN_TOKENS = 32
# Rows of logits at a time: a table of log-probabilities in double precision is large.
_ROWS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """Eager with the stored weights against eager with the source's, over one text.

    Attributes:
        text: the text's file name.
        tokens: how many were predicted.
        nats: mean negative log-likelihood above float32's.
        standard_error: of `nats`, from the differences token by token.
        kl: mean divergence of the distributions, float32's first, in nats.
        top1: share of tokens at which both find the same id likeliest.
    """

    text: str
    tokens: int
    nats: float
    standard_error: float
    kl: float
    top1: float


def text_tokens(tokenizer: Path, text: Path, max_tokens: int = NUM_TOKENS) -> np.ndarray:
    """int64 [N]: the first tokens of `text`.

    Raises:
        UserError: the text or the tokenizer cannot be read, or the text is too short.
    """
    ids = open_tokenizer(tokenizer).encode(_read(text)).ids[:max_tokens]
    if len(ids) < MIN_TOKENS:
        raise UserError(f"{text}: {len(ids)} tokens are too few to measure on; at least {MIN_TOKENS} are needed")
    return np.asarray(ids, np.int64)


def open_tokenizer(path: Path) -> "Tokenizer":
    """The tokenizer in a `tokenizer.json`.

    Raises:
        UserError: it is none.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UserError("tokenizers is not installed; pip install 'deepnarrow[export]'") from error
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise UserError(f"{path}: not a tokenizer that the package tokenizers reads ({error})") from error


def measure_quality(text: str, tokens: np.ndarray, stored: np.ndarray, exact: np.ndarray) -> Quality:
    """Compare two runs over `tokens`.

    Args:
        text: its name.
        tokens: int64 [N].
        stored: float32 [N - 1, V] logits with the stored weights, of each token but the last.
        exact: the same with the source's weights.
    """
    parts = [_compare(tokens[1:][rows], stored[rows], exact[rows]) for rows in _blocks(len(exact))]
    losses, divergences, agreements = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Quality(
        text=text, tokens=len(losses), nats=float(losses.mean()),
        standard_error=float(losses.std(ddof=1) / len(losses) ** 0.5), kl=float(divergences.mean()),
        top1=float(agreements.mean()),
    )  # fmt: skip


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """float64 [rows, V]."""
    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _compare(targets: np.ndarray, stored: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ours, theirs = log_probabilities(stored), log_probabilities(exact)
    rows = np.arange(len(targets))
    divergence = (np.exp(theirs) * (theirs - ours)).sum(-1)
    return theirs[rows, targets] - ours[rows, targets], divergence, stored.argmax(-1) == exact.argmax(-1)


def _blocks(rows: int) -> list[slice]:
    return [slice(first, min(first + _ROWS, rows)) for first in range(0, rows, _ROWS)]


def _read(text: Path) -> str:
    try:
        return text.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{text}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{text}: not UTF-8 text ({error.reason})") from error
