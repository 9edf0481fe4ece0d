"""What the files store, and how integers become bytes. Needs no SDK.

Byte layouts are those of ONNX Runtime's MatMulNBits and GatherBlockQuantized without a zero-point input: unsigned
integers with an implied zero point in the middle of their range (8 of 0..15, 128 of 0..255), the lower nibble first.
"""

import numpy as np

from export.quantization import GROUP_SIZE, ScaleForm, Scheme, formats
from export.targets.base import ExportSpec
from models.shape import MlpShape, TransformerShape
from models.storage import Storage, WeightFormat
from models.tensors import Role, TensorSpec, tensors

MODEL_FILE = "model.onnx"
DATA_FILE = "model.onnx.data"
GENAI_FILE = "genai_config.json"
CACHE_PARTS = ("key", "value")

# A cache line. The runtime maps weights straight from the file, at any offset.
ALIGNMENT = 64
# MatMulNBits on float32 activations takes float32 scales only.
SCALES = ScaleForm(group_bits=32, row_bits=32, signed=True)
# What MatMulNBits multiplies; a table of its own is only looked up.
MULTIPLIED = (Role.LINEAR, Role.KEY_VALUE, Role.DOWN, Role.HEAD)


def past_name(cache: int, part: str) -> str:
    """Input of cache number `cache`; `part` is `key` or `value`."""
    return f"past_key_values.{cache}.{part}"


def present_name(cache: int, part: str) -> str:
    """Output of cache number `cache`."""
    return f"present.{cache}.{part}"


def storage(spec: ExportSpec) -> Storage:
    """Formats of each role.

    8-bit matrices have one scale per group of 32, not per row: MatMulNBits, the operator that reads 8-bit weights
    fastest for a single token, knows blocks of a power of two only. A table of its own is looked up by
    GatherBlockQuantized, for which one block may be longer than the row, and so keeps one scale per row.
    """
    roles = dict(formats(spec.scheme, SCALES))
    for role in MULTIPLIED:
        if roles[role].bits == 8:
            roles[role] = WeightFormat(8, GROUP_SIZE, SCALES.row_bits)
    shared = isinstance(spec.shape, TransformerShape) and spec.shape.tie_embeddings
    return Storage(roles, shared_table=shared, kv_bits=32)


def format_of(stored: Storage, role: Role) -> WeightFormat:
    """The format of one tensor: a shared table has the head's."""
    return stored.formats[Role.HEAD if role is Role.EMBEDDING and stored.shared_table else role]


def expected_file_bytes(spec: ExportSpec) -> int:
    """Computed size of model.onnx and its data file together."""
    shape, stored = spec.shape, storage(spec)
    data = sum(_tensor_bytes(tensor, format_of(stored, tensor.role)) for tensor in tensors(shape))
    if isinstance(shape, TransformerShape):
        data += spec.options.max_context * shape.head_dim * 4  # cosines and sines
    return data + _graph_bytes(spec)


def pack(values: np.ndarray, bits: int) -> np.ndarray:
    """int8 [rows, columns] to uint8 [rows, columns * bits / 8]."""
    if bits == 8:
        return values.view(np.uint8) ^ np.uint8(0x80)
    nibbles = (values + np.int8(8)).view(np.uint8)
    return nibbles[:, ::2] | (nibbles[:, 1::2] << 4)


def unpack(stored: np.ndarray, bits: int) -> np.ndarray:
    """The inverse of `pack`."""
    if bits == 8:
        return (stored ^ np.uint8(0x80)).view(np.int8)
    values = np.empty((stored.shape[0], stored.shape[1] * 2), np.int8)
    values[:, ::2] = stored & 0xF
    values[:, 1::2] = stored >> 4
    values -= 8
    return values


def block_size(form: WeightFormat, columns: int) -> int:
    """The operators' `block_size`: the group, or the power of two that covers a whole row."""
    return form.group_size or max(16, 1 << (columns - 1).bit_length())


def _tensor_bytes(tensor: TensorSpec, form: WeightFormat) -> int:
    return tensor.size * 4 if tensor.columns is None else form.num_bytes(tensor.rows, tensor.columns)


def _graph_bytes(spec: ExportSpec) -> int:
    """Size of model.onnx from measured sizes of its parts: next to nothing, except for tiny twins."""
    shape, floats = spec.shape, spec.scheme is Scheme.FP32
    if isinstance(shape, MlpShape):
        return 250 + (400 if floats else 550) * shape.num_layers
    per_layer = (5 if floats else 10) + 2 + (1 if shape.qkv_bias else 0) + (2 if shape.qk_norm else 0)
    per_pass = (1905 if floats else 2386) + (900 if shape.qk_norm else 0)
    return 1400 + 110 * per_layer * shape.num_layers + per_pass * shape.num_passes
