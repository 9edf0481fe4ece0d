"""How a runtime rounds what enters a matrix product."""

from enum import StrEnum


class Activations(StrEnum):
    """Rounding applied to the input of every matrix product."""

    EXACT = "exact"
    INT8_PER_TOKEN = "int8-per-token"  # XNNPACK qd8: asymmetric, one scale per row
    INT8_PER_BLOCK = "int8-per-block"  # ONNX Runtime MatMulNBits, accuracy level 4: symmetric, blocks of 32
    FLOAT16_CACHE = "float16-cache"  # Core ML in float32: only keys and values are rounded
    FLOAT16 = "float16"  # Core ML; every other result of an operator is rounded too
