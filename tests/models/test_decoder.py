"""The walks: every tensor is used, once per pass, in the right place; a recording builder listens."""

from collections import Counter

from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import MlpShape, TransformerShape
from models.tensors import EMBEDDING, FINAL_NORM, head_name, tensors


class Recorder:
    """A builder whose values are the widths of tensors and whose result is what was asked of it."""

    def __init__(self, shape: TransformerShape) -> None:
        self.shape = shape
        self.sizes = {spec.name: spec.shape for spec in tensors(shape)}
        self.used: Counter[str] = Counter()
        self.steps: list[str] = []
        self.caches: list[int] = []
        self.output = 0

    def embed(self, table: str) -> int:
        self._use("embed", table)
        return self.sizes[table][1]

    def norm(self, x: int, weight: str) -> int:
        self._use("norm", weight)
        assert self.sizes[weight] == (x,)
        return x

    def add_norm(self, x: int, update: int, weight: str) -> tuple[int, int]:
        self._use("add_norm", weight)
        assert self.sizes[weight] == (x,) == (update,)
        return x, x

    def linear(self, x: int, weights: tuple[str, ...], biases: tuple[str, ...]) -> int:
        self._use("linear", *weights, *biases)
        assert all(self.sizes[weight][1] == x for weight in weights)
        assert [self.sizes[bias] for bias in biases] == [self.sizes[weight][:1] for weight in weights if biases]
        return sum(self.sizes[weight][0] for weight in weights)

    def attention(self, qkv: int, cache: int, q_norm: str | None, k_norm: str | None) -> int:
        self._use("attention", *(name for name in (q_norm, k_norm) if name is not None))
        self.caches.append(cache)
        assert qkv == self.shape.query_size + 2 * self.shape.kv_size
        assert (q_norm is None) == (k_norm is None) == (not self.shape.qk_norm)
        return self.shape.query_size

    def swiglu(self, x: int, gate: str, up: str) -> int:
        self._use("swiglu", gate, up)
        assert self.sizes[gate][1] == x
        return self.sizes[gate][0]

    def last_token(self, x: int) -> int:
        self._use("last_token")
        return x

    def finish(self, logits: int) -> None:
        self.output = logits

    def _use(self, step: str, *names: str) -> None:
        self.steps.append(step)
        self.used.update(names)


def test_every_tensor_is_used_once_per_pass(variant: TransformerShape) -> None:
    recorder = Recorder(variant)
    walk_decoder(variant, recorder)
    expected = Counter(
        {spec.name: variant.layer_repeats if spec.name.startswith("layers.") else 1 for spec in tensors(variant)}
    )
    expected[head_name(variant)] = 2 if variant.tie_embeddings else 1
    assert recorder.used == expected
    assert recorder.output == variant.vocab_size


def test_every_pass_has_a_cache_of_its_own(variant: TransformerShape) -> None:
    recorder = Recorder(variant)
    walk_decoder(variant, recorder)
    assert recorder.caches == list(range(variant.num_passes))


def test_only_the_last_pass_drops_the_earlier_tokens(variant: TransformerShape) -> None:
    recorder = Recorder(variant)
    walk_decoder(variant, recorder)
    block = ["linear", "attention", "linear", "add_norm", "swiglu", "linear", "add_norm"]
    last = [*block[:2], "last_token", "last_token", *block[2:]]
    assert recorder.steps == ["embed", "norm", *block * (variant.num_passes - 1), *last, "linear"]


def test_repeated_blocks_run_back_to_back(variant: TransformerShape) -> None:
    norms: list[str] = []

    class Norms(Recorder):
        def add_norm(self, x: int, update: int, weight: str) -> tuple[int, int]:
            norms.append(weight)
            return super().add_norm(x, update, weight)

    walk_decoder(variant, Norms(variant))
    order = [layer for layer in range(variant.num_layers) for _ in range(variant.layer_repeats)]
    assert norms[::2] == [f"layers.{layer}.mlp_norm.weight" for layer in order]
    assert norms[1::2] == [*(f"layers.{layer}.attn_norm.weight" for layer in order[1:]), FINAL_NORM]
    assert EMBEDDING not in norms


def test_mlp_has_no_activation_after_the_last_layer(tiny_mlp: MlpShape) -> None:
    steps: list[str] = []

    class Steps:
        def input(self) -> int:
            return tiny_mlp.input_size

        def linear(self, x: int, weights: tuple[str, ...], biases: tuple[str, ...]) -> int:
            steps.extend([*weights, *biases])
            return x

        def relu(self, x: int) -> int:
            steps.append("relu")
            return x

        def finish(self, output: int) -> None:
            steps.append("finish")

    walk_mlp(tiny_mlp, Steps())
    assert [step for step in steps if step not in ("relu", "finish")] == [spec.name for spec in tensors(tiny_mlp)]
    assert [steps.count("relu"), steps[-3:]] == [3, ["layers.3.weight", "layers.3.bias", "finish"]]
