"""Random weights: reproducible one by one, spread as at the start of a training."""

from dataclasses import replace

import numpy as np
import pytest

from models.shape import MlpShape, TransformerShape
from models.tensors import Role, tensors
from models.weights import BIAS_STD, EMBEDDING_STD, NORM_STD, RandomWeights, load_all


def test_a_tensor_depends_on_seed_and_name_alone(variant: TransformerShape) -> None:
    names = [spec.name for spec in tensors(variant)]
    forward, backward = RandomWeights(variant, 3), RandomWeights(variant, 3)
    first = {name: forward.get(name) for name in names}
    second = {name: backward.get(name) for name in reversed(names)}
    for name in names:
        np.testing.assert_array_equal(first[name], second[name])
    assert not np.array_equal(first["layers.0.q.weight"], RandomWeights(variant, 4).get("layers.0.q.weight"))
    assert not np.array_equal(first["layers.0.gate.weight"], first["layers.0.up.weight"])
    assert not np.array_equal(first["layers.0.q.weight"], first["layers.1.q.weight"])


def test_values_are_the_same_on_every_machine(tiny: TransformerShape) -> None:
    values = RandomWeights(tiny, 0).get("layers.0.q.weight")[0, :3]
    expected = [-0.020020294934511185, 0.020341025665402412, -0.07362164556980133]
    np.testing.assert_array_equal(values, np.array(expected, dtype=np.float32))


def test_arrays_are_contiguous_float32_in_the_dimensions_of_the_spec(
    variant: TransformerShape, tiny_mlp: MlpShape
) -> None:
    for shape in (variant, tiny_mlp):
        weights = RandomWeights(shape, 0)
        for spec in tensors(shape):
            array = weights.get(spec.name)
            assert (array.shape, array.dtype, array.flags.c_contiguous) == (spec.shape, np.float32, True)


@pytest.mark.parametrize("repeats", [1, 2])
def test_spread_of_a_decoder(tiny: TransformerShape, repeats: int) -> None:
    shape = replace(tiny, hidden_size=256, ffn_size=512, layer_repeats=repeats, qkv_bias=True, tie_embeddings=False)
    weights = RandomWeights(shape, 0)
    spreads = {Role.NORM: NORM_STD, Role.BIAS: BIAS_STD, Role.EMBEDDING: EMBEDDING_STD, Role.HEAD: EMBEDDING_STD}
    for spec in tensors(shape):
        values = weights.get(spec.name)
        mean = 1.0 if spec.role is Role.NORM else 0.0
        std = spreads.get(spec.role) or (spec.columns or 0) ** -0.5
        if spec.name.endswith(("o.weight", "down.weight")):
            std /= (2 * shape.num_layers * repeats) ** 0.5
        # Six standard errors of a sample's mean and of its standard deviation.
        assert abs(values.mean() - mean) < 6 * std / values.size**0.5, spec.name
        assert abs(values.std() / std - 1) < 6 / (2 * values.size) ** 0.5, spec.name


def test_spread_of_an_mlp_keeps_the_variance_through_the_layers() -> None:
    shape = MlpShape(num_layers=12, hidden_size=256, input_size=256, output_size=256)
    weights = RandomWeights(shape, 0)
    x = np.random.default_rng(0).standard_normal((64, 256), dtype=np.float32)
    for layer in range(shape.num_layers):
        x = np.maximum(x @ weights.get(f"layers.{layer}.weight").T + weights.get(f"layers.{layer}.bias"), 0)
        assert 0.3 < (x**2).mean() < 3


def test_load_all_holds_every_tensor_of_its_source(variant: TransformerShape, tiny_mlp: MlpShape) -> None:
    for shape in (variant, tiny_mlp):
        source = RandomWeights(shape, 1)
        loaded = load_all(source)
        assert loaded.shape == shape
        for spec in tensors(shape):
            np.testing.assert_array_equal(loaded.get(spec.name), source.get(spec.name))
            assert loaded.get(spec.name) is loaded.get(spec.name)


def test_unknown_names_are_refused(tiny: TransformerShape) -> None:
    for source in (RandomWeights(tiny, 0), load_all(RandomWeights(tiny, 0))):
        with pytest.raises(KeyError, match=r"head\.weight"):
            source.get("head.weight")
