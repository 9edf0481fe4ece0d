from dataclasses import FrozenInstanceError, replace

import pytest

from models.decoder import walk_decoder
from models.errors import UserError
from models.shape import Llama3RopeScaling, MlpShape, TransformerShape, describe
from models.tensors import Role, tensors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_size": 72}, "hidden_size 72 must be a multiple of 32"),
        ({"ffn_size": 100}, "ffn_size 100 must be a multiple of 32"),
        ({"head_dim": 24}, "head_dim 24 must be a multiple of 16"),
        ({"num_heads": 4, "num_kv_heads": 3}, "num_heads 4 must be a multiple of num_kv_heads 3"),
        ({"num_heads": 3, "num_kv_heads": 3, "head_dim": 16}, r"num_heads \* head_dim 48 must be a multiple of 32"),
        ({"num_heads": 2, "num_kv_heads": 1, "head_dim": 16}, r"num_kv_heads \* head_dim 16 must be a multiple of 32"),
        ({"num_layers": 0}, "num_layers 0 must be at least 1"),
        ({"vocab_size": 1}, "vocab_size 1 must be at least 2"),
        ({"layer_repeats": 0}, "layer_repeats 0 must be at least 1"),
        ({"norm_eps": 0.0}, "norm_eps 0.0 must lie between 0 and 1"),
        ({"rope_theta": 0.5}, "rope_theta 0.5 must be at least 1"),
    ],
)
def test_illegal_decoder_names_field_value_and_rule(tiny: TransformerShape, change: dict[str, int], message: str):
    with pytest.raises(UserError, match=message):
        replace(tiny, **change)


def test_illegal_mlp_names_field_value_and_rule():
    with pytest.raises(UserError, match="num_layers 1 must be at least 2"):
        MlpShape(num_layers=1, hidden_size=64)
    with pytest.raises(UserError, match="output_size 40 must be a multiple of 32"):
        MlpShape(num_layers=2, hidden_size=64, output_size=40)


def test_rope_scaling_needs_its_bands_in_order():
    with pytest.raises(UserError, match=r"high_freq_factor 1\.0 must exceed low_freq_factor 1\.0"):
        Llama3RopeScaling(factor=8.0, low_freq_factor=1.0, high_freq_factor=1.0, original_max_context=64)


def test_shapes_are_frozen_and_equal_by_value(tiny: TransformerShape):
    assert tiny == replace(tiny)
    with pytest.raises(FrozenInstanceError):
        tiny.hidden_size = 96  # pyright: ignore[reportAttributeAccessIssue]


def test_descriptions_tell_shapes_apart(tiny: TransformerShape):
    assert describe(tiny) == "3 x 64 (4/2 heads of 32, ffn 160)"
    assert describe(replace(tiny, layer_repeats=2)) == "3 (2x each) x 64 (4/2 heads of 32, ffn 160)"
    assert describe(MlpShape(num_layers=4, hidden_size=4096)) == "4 x 4096 (ReLU, 1024 -> 1024)"


def test_seed_article_constructor_makes_num_layers_linears():
    specs = tensors(MlpShape(num_layers=4, hidden_size=4096))
    assert [spec.shape for spec in specs if spec.role is Role.LINEAR] == [
        (4096, 1024), (4096, 4096), (4096, 4096), (1024, 4096),
    ]  # fmt: skip


def test_the_walk_uses_every_tensor_and_no_other(variant: TransformerShape):
    recorder = _Recorder()
    walk_decoder(variant, recorder)
    assert set(recorder.used) == {spec.name for spec in tensors(variant)}
    assert recorder.caches == list(range(variant.num_passes))


class _Recorder:
    """A builder that notes the weights it is asked to use."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self.caches: list[int] = []

    def embed(self, table: str) -> None:
        self.used.append(table)

    def norm(self, x: None, weight: str) -> None:
        self.used.append(weight)

    def add_norm(self, x: None, update: None, weight: str) -> tuple[None, None]:
        self.used.append(weight)
        return None, None

    def linear(self, x: None, weights: tuple[str, ...], biases: tuple[str, ...]) -> None:
        self.used += weights + biases

    def attention(self, qkv: None, cache: int, q_norm: str | None, k_norm: str | None) -> None:
        self.used += [name for name in (q_norm, k_norm) if name]
        self.caches.append(cache)

    def swiglu(self, x: None, gate: str, up: str) -> None:
        self.used += [gate, up]

    def last_token(self, x: None) -> None:
        return None

    def finish(self, logits: None) -> None:
        return None
