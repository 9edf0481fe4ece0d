"""The reference against itself in pieces, and against plain torch. (Against transformers: test_checkpoint.py.)"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from models.eager import Activations, EagerDecoder, EagerMlp
from models.shape import MlpShape, TransformerShape
from models.tensors import tensors
from models.weights import LoadedWeights, RandomWeights, load_all

CONTEXT = 96
# Float32 sums in another order.
TOLERANCE = 2e-5


def identity(shape: MlpShape) -> LoadedWeights:
    """A network that returns what reaches its matrix products, for inputs that no ReLU touches."""
    arrays = {
        spec.name: np.zeros(spec.rows, np.float32) if spec.columns is None else np.eye(spec.rows, dtype=np.float32)
        for spec in tensors(shape)
    }
    return LoadedWeights(shape, arrays)


def some_tokens(shape: TransformerShape, batch: int, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, shape.vocab_size, (batch, count))


def test_chunks_and_single_steps_equal_one_pass(variant: TransformerShape) -> None:
    weights, tokens = load_all(RandomWeights(variant, 0)), some_tokens(variant, 1, CONTEXT)
    whole = EagerDecoder(weights, CONTEXT).forward(tokens, 0, slice(None))
    pieces = EagerDecoder(weights, CONTEXT)
    bounds = [0, 33, 64, 65, *range(66, CONTEXT + 1)]
    logits = [pieces.forward(tokens[:, start:end], start, slice(None)) for start, end in pairwise(bounds)]
    assert np.abs(whole).max() > 0.3
    assert np.abs(np.concatenate(logits, 1) - whole).max() < TOLERANCE


def test_rows_select_positions_and_default_to_the_last(tiny: TransformerShape) -> None:
    weights, tokens = load_all(RandomWeights(tiny, 0)), some_tokens(tiny, 1, 20)
    whole = EagerDecoder(weights, 20).forward(tokens, 0, slice(None))
    last = EagerDecoder(weights, 20).forward(tokens, 0)
    some = EagerDecoder(weights, 20).forward(tokens, 0, slice(4, 9))
    assert (whole.shape, last.shape, some.shape) == ((1, 20, 320), (1, 1, 320), (1, 5, 320))
    assert max(np.abs(last - whole[:, -1:]).max(), np.abs(some - whole[:, 4:9]).max()) < TOLERANCE


def test_a_token_sees_the_past_and_not_the_future(variant: TransformerShape) -> None:
    weights, tokens = load_all(RandomWeights(variant, 0)), some_tokens(variant, 1, 24)
    changed = tokens.copy()
    changed[0, 10] = (changed[0, 10] + 1) % variant.vocab_size
    before, after = (EagerDecoder(weights, 24).forward(t, 0, slice(None)) for t in (tokens, changed))
    difference = np.abs(before - after).max(-1)[0]
    assert difference[:10].max() == 0
    assert difference[10:].min() > 1e-4


def test_sequences_of_a_batch_are_independent(variant: TransformerShape) -> None:
    weights, tokens = load_all(RandomWeights(variant, 0)), some_tokens(variant, 3, 24)
    together = EagerDecoder(weights, 24, batch=3)
    logits = [together.forward(tokens[:, :16], 0), *(together.forward(tokens[:, i : i + 1], i) for i in range(16, 24))]
    for row in range(3):
        alone = EagerDecoder(weights, 24).forward(tokens[row : row + 1], 0, slice(15, None))
        assert np.abs(np.concatenate(logits, 1)[row] - alone[0]).max() < TOLERANCE


def test_a_new_text_does_not_see_the_old_one(tiny: TransformerShape) -> None:
    weights, tokens = load_all(RandomWeights(tiny, 0)), some_tokens(tiny, 1, 12)
    used, fresh = EagerDecoder(weights, CONTEXT), EagerDecoder(weights, CONTEXT)
    used.forward(some_tokens(tiny, 1, 80, seed=1), 0)
    np.testing.assert_array_equal(used.forward(tokens, 0), fresh.forward(tokens, 0))


@pytest.mark.parametrize(
    ("batch", "count", "position"), [(2, 4, 0), (1, 4, 13), (1, 17, 0), (1, 4, -1), (1, 0, 3)], ids=str
)
def test_calls_beyond_the_caches_are_refused(tiny: TransformerShape, batch: int, count: int, position: int) -> None:
    decoder = EagerDecoder(RandomWeights(tiny, 0), 16)
    with pytest.raises(AssertionError):
        decoder.forward(some_tokens(tiny, batch, count), position)


def test_every_rounding_has_the_error_of_its_width(variant: TransformerShape) -> None:
    weights, tokens = load_all(RandomWeights(variant, 0)), some_tokens(variant, 1, CONTEXT)
    exact = EagerDecoder(weights, CONTEXT).forward(tokens, 0, slice(None))

    def error(activations: Activations) -> float:
        rounded = EagerDecoder(weights, CONTEXT, activations).forward(tokens, 0, slice(None))
        return float(np.sqrt(np.mean((rounded - exact) ** 2) / np.mean(exact**2)))

    assert error(Activations.EXACT) == 0
    assert 1e-5 < error(Activations.FLOAT16) < 2e-3
    for activations in (Activations.INT8_PER_BLOCK, Activations.INT8_PER_TOKEN):
        assert 1e-3 < error(activations) < 0.1


@pytest.mark.parametrize("activations", [Activations.INT8_PER_TOKEN, Activations.INT8_PER_BLOCK])
def test_rounding_is_per_row_or_block_and_stays_within_half_a_step(activations: Activations) -> None:
    shape = MlpShape(num_layers=2, hidden_size=64, input_size=64, output_size=64)
    x = np.abs(np.random.default_rng(0).standard_normal((3, 64), dtype=np.float32)) * [[1], [1000], [0]]
    rounded = EagerMlp(identity(shape), activations).forward(x.astype(np.float32))
    spread = x.reshape(3, 2, 32).max(-1).repeat(32, -1) / 127
    if activations is Activations.INT8_PER_TOKEN:
        spread = x.max(-1, keepdims=True) / 255
    # Rounded twice, the second time onto nearly the same grid.
    assert (np.abs(rounded - x) <= 1.01 * spread).all()
    assert np.abs(rounded - x)[:2].max(-1).min() > 0
    assert (rounded[2] == 0).all()


def test_int8_per_token_keeps_zero_exact() -> None:
    """Padding and ReLU make exact zeros; an asymmetric grid must contain zero."""
    shape = MlpShape(num_layers=2, hidden_size=32, input_size=32, output_size=32)
    x = np.linspace(-1, 3, 32, dtype=np.float32)[None]
    x[0, 5] = 0
    rounded = EagerMlp(identity(shape), Activations.INT8_PER_TOKEN).forward(x)
    assert rounded[0, 5] == 0
    assert rounded[0, 31] != 3


def test_mlp_equals_a_sequence_of_torch_layers(tiny_mlp: MlpShape) -> None:
    weights = RandomWeights(tiny_mlp, 0)
    layers: list[torch.nn.Module] = []
    for index, (inputs, outputs) in enumerate(tiny_mlp.layer_sizes):
        linear = torch.nn.Linear(inputs, outputs)
        linear.load_state_dict(
            {part: torch.from_numpy(weights.get(f"layers.{index}.{part}")) for part in ("weight", "bias")}
        )
        layers += [linear, torch.nn.ReLU()]
    x = np.random.default_rng(0).standard_normal((5, tiny_mlp.input_size), dtype=np.float32)
    with torch.no_grad():
        expected = torch.nn.Sequential(*layers[:-1])(torch.from_numpy(x)).numpy()
    assert (expected < 0).any()
    np.testing.assert_allclose(EagerMlp(weights).forward(x), expected, rtol=0, atol=1e-6)


def test_norms_and_biases_change_the_result(tiny: TransformerShape) -> None:
    """A forgotten norm weight or bias would pass a comparison on weights that are one or zero."""
    shape = replace(tiny, qkv_bias=True, qk_norm=True, tie_embeddings=False)
    weights, tokens = load_all(RandomWeights(shape, 0)), some_tokens(shape, 1, 16)
    expected = EagerDecoder(weights, 16).forward(tokens, 0)
    for name in [spec.name for spec in tensors(shape) if spec.columns is None]:
        arrays = {spec.name: weights.get(spec.name) for spec in tensors(shape)}
        arrays[name] = arrays[name] * np.linspace(0.5, 2, arrays[name].size, dtype=np.float32)
        changed = EagerDecoder(LoadedWeights(shape, arrays), 16).forward(tokens, 0)
        assert np.abs(changed - expected).max() > 1e-4, name
