"""Rotary position tables, computed once in double precision and used by every target and by the reference."""

import math

import numpy as np

from models.shape import Llama3RopeScaling, TransformerShape

# What the tables are called among an artifact's stored tensors.
ROPE_COS, ROPE_SIN = "rope.cos", "rope.sin"


def rope_tables(shape: TransformerShape, max_context: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of every position's angles.

    The pairing is the "rotate half" one of Hugging Face Llama: element j turns with element j + head_dim / 2.

    Returns:
        cos, sin: float32 [max_context, head_dim / 2].
    """
    exponents = np.arange(0, shape.head_dim, 2, dtype=np.float64) / shape.head_dim
    frequencies = shape.rope_theta**-exponents
    if shape.rope_scaling is not None:
        frequencies = _llama3(frequencies, shape.rope_scaling)
    angles = np.outer(np.arange(max_context, dtype=np.float64), frequencies)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _llama3(frequencies: np.ndarray, scaling: Llama3RopeScaling) -> np.ndarray:
    """Llama 3.1's rule: long wavelengths slow down by `factor`, short ones stay, those between are blended."""
    wavelengths = 2 * math.pi / frequencies
    low, high = scaling.low_freq_factor, scaling.high_freq_factor
    kept = np.clip((scaling.original_max_context / wavelengths - low) / (high - low), 0, 1)
    return frequencies * (kept + (1 - kept) / scaling.factor)
