"""ExecuTorch's own text runner on our file, with a tokenizer made here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from executorch.extension.llm.runner import GenerationConfig, TextLLMRunner

from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec, TokenIds
from export.targets.executorch.target import MODEL_FILE, ExecuTorchTarget
from models.shape import TransformerShape
from models.weights import RandomWeights

PROMPT = "deep and narrow"
NUM_TOKENS = 8


def train_tokenizer(folder: Path) -> sentencepiece.SentencePieceProcessor:
    text = folder / "text.txt"
    text.write_text("deep and narrow or shallow and wide, which one is faster on a phone?\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "tokenizer"), model_type="bpe", vocab_size=300, byte_fallback=True,
        hard_vocab_limit=False,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


@pytest.mark.parametrize("token_ids", [TokenIds(), TokenIds(bos=None, eos=())], ids=["ids", "no ids"])
def test_stock_runner_generates_our_greedy_tokens(tiny: TransformerShape, token_ids: TokenIds, tmp_path: Path) -> None:
    tokenizer = train_tokenizer(tmp_path)
    shape = replace(tiny, vocab_size=tokenizer.vocab_size())
    options = ExportOptions(max_context=64, prefill_chunk=32)
    spec = ExportSpec(shape=shape, scheme=Scheme.INT4, options=options, token_ids=token_ids)
    target = ExecuTorchTarget()
    target.write(spec, RandomWeights(shape, 1), tmp_path)

    model = target.open_language_model(spec, tmp_path, 1)
    ids = [tokenizer.bos_id(), *tokenizer.encode(PROMPT)]
    logits = model.forward(np.array(ids), 0)
    for _ in range(NUM_TOKENS):
        ids.append(int(logits.argmax()))
        logits = model.forward(np.array(ids[-1:]), len(ids) - 1)
    greedy = ids[-NUM_TOKENS - 1 :]
    assert tokenizer.eos_id() not in greedy

    pieces: list[str] = []
    runner = TextLLMRunner(str(tmp_path / MODEL_FILE), str(tmp_path / "tokenizer.model"))
    config = GenerationConfig(echo=False, max_new_tokens=NUM_TOKENS, temperature=0.0, num_bos=1)
    runner.generate(PROMPT, config, token_callback=pieces.append)
    expected = [tokenizer.id_to_piece(token).replace("\u2581", " ") for token in greedy[1:]]
    assert pieces == expected
