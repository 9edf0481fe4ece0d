"""What quantisation costs, measured: known differences give known figures, and every bad input one line."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from export.proof.quality import SAMPLE, measure_quality, text_tokens
from models.errors import UserError


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    words = {chr(code): code - 32 for code in range(32, 127)}
    made = Tokenizer(models.BPE(vocab=words | {"?": 31}, merges=[], unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def test_equal_logits_cost_nothing() -> None:
    logits = np.random.default_rng(0).standard_normal((99, 50), dtype=np.float32)
    tokens = np.arange(100) % 50
    quality = measure_quality("t", tokens, logits, logits)
    assert (quality.nats, quality.kl, quality.top1, quality.tokens) == (0, 0, 1, 99)


def test_known_distributions_give_known_nats_and_divergence() -> None:
    tokens = np.zeros(100, np.int64)
    exact = np.log(np.tile([0.5, 0.25, 0.25], (99, 1))).astype(np.float32)
    stored = np.log(np.tile([0.25, 0.5, 0.25], (99, 1))).astype(np.float32) + 3  # an offset says nothing
    quality = measure_quality("t", tokens, stored, exact)
    assert quality.nats == pytest.approx(np.log(2), rel=1e-6)
    assert quality.kl == pytest.approx(0.25 * np.log(2), rel=1e-6)
    assert quality.standard_error == pytest.approx(0, abs=1e-9)
    assert quality.top1 == 0


def test_the_sample_that_ships_is_long_enough(tokenizer: Path) -> None:
    assert len(text_tokens(tokenizer, SAMPLE)) == 512


def test_bad_texts_and_tokenizers_are_one_line(tokenizer: Path, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("short")
    (tmp_path / "latin.txt").write_bytes(b"\xff" * 100)
    (tmp_path / "broken.json").write_text("{}")
    for broken, text, words in (
        (tokenizer, tmp_path / "short.txt", "too few"),
        (tokenizer, tmp_path / "latin.txt", "UTF-8"),
        (tokenizer, tmp_path / "none.txt", "cannot be read"),
        (tmp_path / "broken.json", SAMPLE, "not a tokenizer"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            text_tokens(broken, text)
        assert "\n" not in str(caught.value)
