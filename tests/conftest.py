"""Tiny twins shared by all tests: no weights, no network, seconds on two cores."""

from dataclasses import replace

import pytest

from models.shape import Llama3RopeScaling, MlpShape, TransformerShape

TINY = TransformerShape(
    num_layers=3, hidden_size=64, num_heads=4, num_kv_heads=2, head_dim=32, ffn_size=160, vocab_size=320
)

VARIANTS = {
    "plain": TINY,
    "untied": replace(TINY, tie_embeddings=False),
    "qwen2": replace(TINY, qkv_bias=True, rope_theta=1e6),
    "qwen3": replace(TINY, qk_norm=True, tie_embeddings=False, rope_theta=1e6),
    "shared-layers": replace(TINY, layer_repeats=2),
    "llama3-rope": replace(
        TINY,
        rope_theta=5e5,
        rope_scaling=Llama3RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_context=64),
    ),
}


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS.keys())
def variant(request: pytest.FixtureRequest) -> TransformerShape:
    """Every architectural switch once."""
    return request.param


@pytest.fixture
def tiny() -> TransformerShape:
    """Three layers of 64."""
    return TINY


@pytest.fixture
def tiny_mlp() -> MlpShape:
    """Four linear layers of 64."""
    return MlpShape(num_layers=4, hidden_size=64, input_size=96, output_size=32)
