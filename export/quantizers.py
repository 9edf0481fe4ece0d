"""Symmetric weight quantisers, shared by all targets so that a difference between them is the target's, not ours."""

from collections.abc import Generator
from contextlib import contextmanager

import numpy as np
import torch

from export.quantized import QuantizedTensor
from models.storage import WeightFormat

# Weights of a block: rows are independent, and a block of them stays in the processor's cache.
_BLOCK = 1 << 17


def quantize(weight: np.ndarray, form: WeightFormat, scale_dtype: torch.dtype) -> QuantizedTensor:
    """Quantise float32 [rows, columns] to `form` by rounding to nearest, with a scale that fits a group's extremes.

    8 bits: the largest magnitude falls on 127.5. 4 bits with signed scales: the weight of largest magnitude falls on
    -8, the rule of llama.cpp's Q4_0; 4 bits with positive ones: nothing is clipped, the scale is
    max(largest / 7, -smallest / 8). The integers are computed with the scale as it is stored. Fitting scales by least
    squares (HQQ and its like) lowers the error of the weights and raises that of the model; see docs/quality.md.

    Args:
        weight: float32 [rows, columns], finite.
        form: a quantised format.
        scale_dtype: float type the target stores scales in; its width must be the format's `scale_bits`.
    """
    assert form.quantized
    assert torch.finfo(scale_dtype).bits == form.scale_bits
    tensor = torch.from_numpy(weight)
    group = form.group_size or weight.shape[1]
    with _one_thread():
        groups = tensor.reshape(weight.shape[0], -1, group)
        parts = [_round(block, form, scale_dtype) for block in groups.split(max(1, _BLOCK // weight.shape[1]))]
    values, scales = (torch.cat(part) for part in zip(*parts, strict=True))
    return QuantizedTensor(values.reshape(weight.shape).numpy(), scales.numpy(), form.bits)


def smallest_scale(scale_dtype: torch.dtype) -> float:
    """The least scale that is stored: a normal number where there is room for one, float16's smallest otherwise.

    XNNPACK refuses zero and subnormal scales; float16's normal numbers end at 6e-5, above what weights may need.
    """
    info = torch.finfo(scale_dtype)
    return info.smallest_normal if scale_dtype is not torch.float16 else 2.0**-24


@contextmanager
def _one_thread() -> Generator[None]:
    """Waking a second thread for each of the many small steps costs more than it helps."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _round(groups: torch.Tensor, form: WeightFormat, scale_dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """[rows, groups, group] -> int8 of the same size and float32 scales [rows, groups]."""
    low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
    if form.bits == 8:
        scale = torch.maximum(-low, high) / 127.5
    elif form.signed_scales:
        scale = torch.where(high > -low, -high, -low) / 8
    else:
        scale = torch.maximum(high / 7, -low / 8)
    scale = scale.to(scale_dtype).float()
    least = smallest_scale(scale_dtype)
    scale = torch.where(scale.abs() < least, least, scale)
    top = 2 ** (form.bits - 1)
    values = (groups / scale.unsqueeze(-1)).round_().clamp_(-top, top - 1)
    return values.to(torch.int8), scale
