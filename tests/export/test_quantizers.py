"""Our quantisers against torchao's, bit for bit: these are the weights that `export_llama` stores."""

import numpy as np
import pytest
import torch
from torchao.quantization.quant_primitives import _choose_qparams_and_quantize_scale_only_hqq

from export.quantizers import quantize
from models.storage import WeightFormat


@pytest.mark.parametrize(("rows", "columns"), [(64, 64), (320, 96), (7, 160)])
@pytest.mark.parametrize("spread", [1e-6, 0.02, 3.0])
def test_hqq_equals_torchao(rows: int, columns: int, spread: float) -> None:
    weight = np.random.default_rng(rows).standard_normal((rows, columns), dtype=np.float32) * np.float32(spread)
    weight[0] = 0  # a group without any magnitude
    ours = quantize(weight, WeightFormat(4, 32, 16), torch.bfloat16)
    values, scales = _choose_qparams_and_quantize_scale_only_hqq(torch.from_numpy(weight), [1, 32], -8, 7)
    np.testing.assert_array_equal(ours.values, values.numpy())
    np.testing.assert_array_equal(ours.scales, scales.to(torch.bfloat16).float().numpy())


def test_per_row_uses_the_whole_range_and_bounds_the_error() -> None:
    weight = np.random.default_rng(0).standard_normal((16, 64), dtype=np.float32)
    quantized = quantize(weight, WeightFormat(8, None, 32), torch.float32)
    assert quantized.scales.shape == (16, 1)
    assert np.abs(quantized.values.astype(int)).max(axis=1).min() >= 127
    # The largest positive weight of a row sits at 127.5 scales and is clamped to 127.
    assert (np.abs(quantized.dequantize() - weight) <= quantized.scales * 0.501).all()


def test_dequantize_applies_each_groups_scale() -> None:
    weight = np.repeat(np.array([[1.0, -4.0]], np.float32), 32, axis=1)
    quantized = quantize(weight, WeightFormat(4, 32, 32), torch.float32)
    np.testing.assert_allclose(quantized.dequantize(), weight, rtol=1e-6)
