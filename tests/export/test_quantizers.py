"""The quantisers: what they promise of integers and scales."""

import numpy as np
import pytest
import torch

from export.quantizers import quantize
from models.storage import WeightFormat

WEIGHT = np.random.default_rng(0).standard_normal((16, 64), dtype=np.float32)


def test_per_row_uses_the_whole_range_and_bounds_the_error() -> None:
    quantized = quantize(WEIGHT, WeightFormat(8, None, 32), torch.float32)
    assert quantized.scales.shape == (16, 1)
    assert np.abs(quantized.values.astype(int)).max(axis=1).min() >= 127
    # The largest positive weight of a row sits at 127.5 scales and is clamped to 127.
    assert (np.abs(quantized.dequantize() - WEIGHT) <= quantized.scales * 0.501).all()


def test_signed_scales_put_the_largest_weight_of_a_group_on_minus_eight() -> None:
    quantized = quantize(WEIGHT, WeightFormat(4, 32, 32, signed_scales=True), torch.float32)
    groups, values = WEIGHT.reshape(16, 2, 32), quantized.values.reshape(16, 2, 32)
    largest = np.abs(groups).argmax(-1)[..., None]
    assert (np.take_along_axis(values, largest, -1) == -8).all()
    assert (quantized.scales < 0).any()
    assert (quantized.scales > 0).any()
    exact = np.take_along_axis(quantized.dequantize().reshape(groups.shape), largest, -1)
    np.testing.assert_allclose(exact, np.take_along_axis(groups, largest, -1), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_positive_scales_clip_nothing(dtype: torch.dtype) -> None:
    quantized = quantize(WEIGHT, WeightFormat(4, 32, torch.finfo(dtype).bits), dtype)
    assert (quantized.scales > 0).all()
    errors = np.abs(quantized.dequantize() - WEIGHT).reshape(16, 2, 32)
    assert (errors <= quantized.scales[..., None] * 0.54).all()  # bfloat16 may round a scale down by 0.4 %


def test_dequantize_applies_each_groups_scale() -> None:
    weight = np.repeat(np.array([[1.0, -4.0]], np.float32), 32, axis=1)
    quantized = quantize(weight, WeightFormat(4, 32, 32), torch.float32)
    np.testing.assert_allclose(quantized.dequantize(), weight, rtol=1e-6)
