"""What this target stores under a scheme, and how many bytes a file has. Needs no SDK."""

import numpy as np

from export.quantization import ScaleForm, Scheme, formats, splits_qkv
from export.targets.base import ExportSpec, StoredTensor
from models.shape import MlpShape
from models.storage import Storage, WeightFormat
from models.tensors import TensorSpec, tensors

KV_BITS = 32
# XNNPACK's kernels know no other widths, and it refuses negative scales.
SCALES = ScaleForm(group_bits=16, row_bits=32, signed=False)
SEGMENT_ALIGNMENT = 128
# Serialised graphs and instructions, measured: for a decoder, for one executed block, for its q and k norms if it has
# them, for a block whose graph equals another's; for a ReLU network and for one of its layers.
FILE_BYTES = 10_000
PASS_BYTES = 8_500
QK_NORM_BYTES = 2_600
REPEATED_PASS_BYTES = 1_200
NETWORK_BYTES, LINEAR_BYTES = 1_200, 870
# Queries apart from keys and values: one more product and the concatenation.
SPLIT_QKV_BYTES = 600


def storage(scheme: Scheme) -> Storage:
    """Scales are bfloat16 for groups and float32 for rows.

    A tied table is stored once: the kernel that looks rows up and XNNPACK, which multiplies, read the same layout.
    """
    return Storage(formats(scheme, SCALES), shared_table=True, kv_bits=KV_BITS)


def stored(weight: np.ndarray, form: WeightFormat) -> StoredTensor:
    """`weight` in the form in which this target stores it."""
    if not form.quantized:
        return weight
    # Here, since sizes are asked for by reports, which need no torch.
    import torch

    from export.quantizers import quantize

    return quantize(weight, form, torch.bfloat16 if form.scale_bits == 16 else torch.float32)


def file_bytes(spec: ExportSpec) -> int:
    """Size of `model.pte`: weights and rotary tables, each aligned, plus the graphs' share."""
    shape, form = spec.shape, storage(spec.scheme).formats
    total = sum(_tensor_bytes(tensor, form[tensor.role]) for tensor in tensors(shape))
    if isinstance(shape, MlpShape):
        return total + NETWORK_BYTES + LINEAR_BYTES * shape.num_layers
    total += 2 * spec.options.max_context * shape.head_dim * 4
    # Between the first and the last pass of a layer all graphs are equal; equal payloads are stored once.
    distinct = shape.num_layers * min(shape.layer_repeats, 2)
    graphs = distinct * (PASS_BYTES + QK_NORM_BYTES * shape.qk_norm)
    graphs += distinct * SPLIT_QKV_BYTES * splits_qkv(form)
    return total + FILE_BYTES + graphs + (shape.num_passes - distinct) * REPEATED_PASS_BYTES


def _tensor_bytes(tensor: TensorSpec, form: WeightFormat) -> int:
    """Values and scales are separate segments; half the alignment is lost by each on average."""
    return form.num_bytes(tensor.rows, tensor.columns or 1) + SEGMENT_ALIGNMENT // 2 * (1 + form.quantized)
