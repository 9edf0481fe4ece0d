"""Networks that can be trained: the article's ReLU stack with and without residuals, and a decoder by our own walk."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.decoder import walk_decoder
from models.rope import rope_tables
from models.shape import MlpShape, TransformerShape
from models.tensors import Role, tensors
from models.weights import RandomWeights
from scripts.claims.training.record import Variant


class Mlp(nn.Module):
    """[N, input_size] -> [N, output_size]; hidden layers as `variant` builds them.

    The norm is RMSNorm without weights, so that every variant has the same parameters.
    """

    def __init__(self, shape: MlpShape, variant: Variant) -> None:
        super().__init__()
        self._residual = variant in (Variant.RESIDUAL, Variant.RESIDUAL_NORM)
        self._norm = variant is Variant.RESIDUAL_NORM
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in shape.layer_sizes)
        if variant is not Variant.PLAIN:
            for layer in self.linears():
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        if self._residual:
            # As GPT-2 does: the sum over the layers keeps its variance, however many there are.
            for layer in self.linears()[1:-1]:
                layer.weight.data /= (shape.num_layers - 2) ** 0.5

    def linears(self) -> list[nn.Linear]:
        """The layers, first to last."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def forward(self, x: Tensor) -> Tensor:
        """Run a batch."""
        first, *hidden, last = self.linears()
        x = functional.relu(first(x))
        for layer in hidden:
            update = functional.relu(layer(_rms(x) if self._norm else x))
            x = x + update if self._residual else update
        return last(_rms(x) if self._norm else x)

    def parameters_by_layer(self) -> list[list[nn.Parameter]]:
        """For gradient norms."""
        return [list(layer.parameters()) for layer in self.layers]


class Decoder(nn.Module):
    """A decoder that trains: all tokens of a batch at once, no cache. Legend: B texts, T tokens, V vocabulary."""

    def __init__(self, shape: TransformerShape, context: int, seed: int) -> None:
        super().__init__()
        self._shape = shape
        source = RandomWeights(shape, seed)
        self._names = {spec.name: spec.name.replace(".", "_") for spec in tensors(shape)}
        for spec in tensors(shape):
            value = torch.ones(spec.shape) if spec.role is Role.NORM else torch.from_numpy(source.get(spec.name))
            self.register_parameter(self._names[spec.name], nn.Parameter(value.clone()))
        cos, sin = (torch.from_numpy(table) for table in rope_tables(shape, context))
        self._cos, self._signed_sin = torch.cat([cos, cos], -1), torch.cat([-sin, sin], -1)
        self._tokens = torch.zeros(0, dtype=torch.long)
        self._logits = torch.zeros(0)

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """[B, T] ids -> [B, T, V] logits."""
        self._tokens = tokens_BT
        walk_decoder(self._shape, self)
        return self._logits

    def parameters_by_layer(self) -> list[list[nn.Parameter]]:
        """Of each block, for gradient norms."""
        prefixes = [f"layers.{index}." for index in range(self._shape.num_layers)]
        return [[self._get(name) for name in self._names if name.startswith(prefix)] for prefix in prefixes]

    # The builder protocol of `models.decoder`.

    def embed(self, table: str) -> Tensor:
        return functional.embedding(self._tokens, self._get(table))

    def norm(self, x: Tensor, weight: str) -> Tensor:
        return functional.rms_norm(x, x.shape[-1:], self._get(weight), self._shape.norm_eps)

    def add_norm(self, x: Tensor, update: Tensor, weight: str) -> tuple[Tensor, Tensor]:
        x = x + update
        return x, self.norm(x, weight)

    def linear(self, x: Tensor, weights: tuple[str, ...], biases: tuple[str, ...]) -> Tensor:
        assert not biases, "no shape that is trained here has biases"
        return torch.cat([functional.linear(x, self._get(weight)) for weight in weights], -1)

    def attention(self, qkv: Tensor, cache: int, q_norm: str | None, k_norm: str | None) -> Tensor:
        assert q_norm is None, "no shape that is trained here has norms on queries and keys"
        assert k_norm is None, "no shape that is trained here has norms on queries and keys"
        sizes = [self._shape.query_size, self._shape.kv_size, self._shape.kv_size]
        query, key, value = (
            part.unflatten(-1, (-1, self._shape.head_dim)).transpose(1, 2) for part in qkv.split(sizes, -1)
        )
        attended = functional.scaled_dot_product_attention(
            self._rotate(query), self._rotate(key), value, is_causal=True, enable_gqa=True
        )
        return attended.transpose(1, 2).flatten(-2)

    def swiglu(self, x: Tensor, gate: str, up: str) -> Tensor:
        return functional.silu(functional.linear(x, self._get(gate))) * functional.linear(x, self._get(up))

    def last_token(self, x: Tensor) -> Tensor:
        return x  # every position is trained on

    def finish(self, logits: Tensor) -> None:
        self._logits = logits

    def _get(self, name: str) -> nn.Parameter:
        return self.get_parameter(self._names[name])

    def _rotate(self, x_BNTH: Tensor) -> Tensor:
        count = x_BNTH.shape[-2]
        return x_BNTH * self._cos[:count] + x_BNTH.roll(self._shape.head_dim // 2, -1) * self._signed_sin[:count]


def _rms(x: Tensor) -> Tensor:
    return functional.rms_norm(x, x.shape[-1:], eps=1e-5)
