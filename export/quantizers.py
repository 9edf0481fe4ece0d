"""Symmetric weight quantisers, shared by all targets so that a difference between them is the target's, not ours."""

from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch

from export.quantized import QuantizedTensor
from models.storage import WeightFormat

HQQ_ITERATIONS = 20
HQQ_TOLERANCE = 1e-5
HQQ_BLOCK = 1 << 17  # weights
_EPS = torch.finfo(torch.float32).eps


def quantize(weight: np.ndarray, form: WeightFormat, scale_dtype: torch.dtype) -> QuantizedTensor:
    """Quantise float32 [rows, columns] to `form`; 4 bits by HQQ, 8 bits by the largest magnitude of a group.

    The integers are those that ExecuTorch's `export_llama` computes (torchao's `hqq_scale_only` and its symmetric
    per-row int8), before the scales are rounded to `scale_dtype`.

    Args:
        weight: float32 [rows, columns].
        form: a quantised format.
        scale_dtype: float type the target stores scales in; its width must be the format's `scale_bits`.
    """
    assert form.quantized
    assert torch.finfo(scale_dtype).bits == form.scale_bits
    tensor = torch.from_numpy(weight)
    group = form.group_size or weight.shape[1]
    with _one_thread():
        values, scales = _hqq(tensor, group) if form.bits == 4 else _by_magnitude(tensor, group)
    return QuantizedTensor(values.numpy(), scales.to(scale_dtype).float().numpy(), form.bits)


@contextmanager
def _one_thread() -> Generator[None]:
    """Waking a second thread for each of the many small steps costs more than it helps."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _hqq(weight: torch.Tensor, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Half-quadratic quantisation, scales only (arXiv 2309.15531 simplified as in torchao 0.18).

    Rounding and a least-squares refit of the scales alternate until no scale of the tensor moves by 1e-5. That test
    sees the whole tensor, so projections that a target packs together must still be quantised one by one.
    """
    groups = weight.reshape(weight.shape[0], -1, group)
    # Rows are independent within an iteration; a block of them stays in the processor's cache.
    blocks = groups.split(max(1, HQQ_BLOCK // weight.shape[1]))
    scale = (groups.abs().amax(2) / 8).clamp_min(_EPS)
    for _ in range(HQQ_ITERATIONS):
        previous = scale
        scale = torch.cat([_refit(*pair) for pair in zip(blocks, previous.split(len(blocks[0])), strict=True)])
        if ((scale - previous).abs() / previous.clamp_min(_EPS)).max() < HQQ_TOLERANCE:
            break
    pairs = zip(blocks, scale.split(len(blocks[0])), strict=True)
    return torch.cat([_round(*pair).to(torch.int8) for pair in pairs]).reshape(weight.shape), scale


def _round(groups: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (groups / scale.unsqueeze(-1)).round_().clamp_(-8, 7)


def _refit(groups: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """The scale that fits each group best, given what the present one rounds it to."""
    rounded = _round(groups, scale)
    dots, norms = (groups * rounded).sum(2), rounded.square_().sum(2)
    return torch.where(norms > 0, dots / norms, scale).clamp_min(_EPS)


def _by_magnitude(weight: torch.Tensor, group: int) -> tuple[torch.Tensor, torch.Tensor]:
    groups = weight.reshape(weight.shape[0], -1, group)
    magnitude = torch.maximum(-groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0))
    scale = (magnitude / 127.5).clamp_min(_EPS)
    values = torch.clamp(torch.round(groups * (1.0 / scale)[:, :, None]), -128, 127).to(torch.int8)
    return values.reshape(weight.shape), scale
