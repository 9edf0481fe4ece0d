"""Our file against the one that ExecuTorch's official path makes of the same network and the same weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from executorch.backends.xnnpack.partition.xnnpack_partitioner import (
    XnnpackDynamicallyQuantizedPartitioner,
    XnnpackPartitioner,
)
from executorch.exir import to_edge_transform_and_lower
from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer
from torch import nn
from torchao.quantization.granularity import PerAxis
from torchao.quantization.quant_api import Int8DynamicActivationIntxWeightConfig, quantize_

from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec
from export.targets.executorch.target import ExecuTorchTarget
from models.rope import rope_tables
from models.shape import TransformerShape
from models.tensors import tensors
from models.weights import RandomWeights

TOKENS = 7


class Block(nn.Module):
    """One decoder layer in plain torch, without a cache."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.shape = shape
        hidden, query, kv, ffn = shape.hidden_size, shape.query_size, shape.kv_size, shape.ffn_size
        self.attn_norm, self.mlp_norm = (nn.RMSNorm(hidden, shape.norm_eps) for _ in range(2))
        sizes = {"q": (hidden, query), "k": (hidden, kv), "v": (hidden, kv), "o": (query, hidden)}
        sizes |= {"gate": (hidden, ffn), "up": (hidden, ffn), "down": (ffn, hidden)}
        for name, (inputs, outputs) in sizes.items():
            setattr(self, name, nn.Linear(inputs, outputs, bias=False))

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        h = self.attn_norm(x)
        q, k, v = (
            part(h).view(1, TOKENS, -1, self.shape.head_dim).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        q, k = (torch.cat([-y.chunk(2, -1)[1], y.chunk(2, -1)[0]], -1) * sin + y * cos for y in (q, k))
        groups = self.shape.num_heads // self.shape.num_kv_heads
        k, v = (torch.cat([y[:, i // groups, None] for i in range(self.shape.num_heads)], 1) for y in (k, v))
        mask = torch.full((TOKENS, TOKENS), -1e9).triu(1)
        attended = torch.softmax(q @ k.transpose(-1, -2) * self.shape.head_dim**-0.5 + mask, -1) @ v
        x = x + self.o(attended.transpose(1, 2).reshape(1, TOKENS, -1))
        h = self.mlp_norm(x)
        return x + self.down(nn.functional.silu(self.gate(h)) * self.up(h))


class Decoder(nn.Module):
    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.embed = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.num_layers))
        self.norm = nn.RMSNorm(shape.hidden_size, shape.norm_eps)
        self.head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        cos, sin = (torch.from_numpy(np.hstack([table, table])) for table in rope_tables(shape, TOKENS))
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin)
        return self.head(self.norm(x[:, -1]))


def official_logits(shape: TransformerShape, scheme: Scheme, tokens: torch.Tensor) -> np.ndarray:
    module = Decoder(shape).eval()
    source = RandomWeights(shape, 2)
    state = {spec.name: torch.from_numpy(source.get(spec.name)) for spec in tensors(shape)}
    module.load_state_dict(state, strict=False)
    if scheme is Scheme.INT8:
        table = torch.from_numpy(source.get("embed.weight"))
        magnitude = table.abs().amax(1, keepdim=True) / 127.5
        module.embed.weight.data = torch.clamp(torch.round(table * (1 / magnitude)), -128, 127) * magnitude
        config = Int8DynamicActivationIntxWeightConfig(
            weight_dtype=torch.int8, weight_granularity=PerAxis(0),
        )  # fmt: skip
        quantize_(module, config)
    exported = torch.export.export(module, (tokens,))
    partitioners = [XnnpackDynamicallyQuantizedPartitioner(), XnnpackPartitioner()]
    lowered = to_edge_transform_and_lower(exported, partitioner=partitioners).to_executorch()
    return _load_for_executorch_from_buffer(lowered.buffer).forward([tokens])[0].numpy()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [Scheme.FP32, Scheme.INT8])
def test_logits_equal_those_of_the_official_path(tiny: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    shape = replace(tiny, num_layers=1, tie_embeddings=False)
    tokens = torch.arange(3, 3 + 5 * TOKENS, 5)[None]
    spec = ExportSpec(shape=shape, scheme=scheme, options=ExportOptions(max_context=32, prefill_chunk=16))
    target = ExecuTorchTarget()
    target.write(spec, RandomWeights(shape, 2), tmp_path)
    ours = target.open_language_model(spec, tmp_path, 1).forward(tokens[0].numpy(), 0).copy()
    official = official_logits(shape, scheme, tokens)[0]
    # A dynamically quantised activation may round the other way after another order of additions: about 5 % of a
    # logit's spread at this width; a wrong operator or a misplaced weight moves it by more than all of it.
    difference = float(np.sqrt(np.mean((ours - official) ** 2)) / official.std())
    assert difference < (1e-5 if scheme is Scheme.FP32 else 0.1)
