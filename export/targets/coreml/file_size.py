"""Size of a package, computed without making it."""

from export.quantization import Scheme, splits_qkv
from export.targets.base import AttentionForm, ExportSpec
from export.targets.coreml.placement import Consumer, weight_uses
from export.targets.coreml.storage import storage, tensor_formats
from export.targets.coreml.weight_file import ALIGNMENT
from models.shape import MlpShape, TransformerShape

MANIFEST_BYTES = 617
# Bytes of the program, which is what coremltools 9.0 makes of this target's graph: measured on tiny twins. Names get a
# little longer with their numbers, which is far below the gate's tolerance.
DECODER_BYTES = 8_800
PASS_BYTES = 15_740
QUANTIZED_PASS_BYTES = 710
DECOMPOSED_BYTES = 1_150
QK_NORM_BYTES = 3_220
REPEATED_PASS_SAVES = 1_460
MLP_LAYER_BYTES = 670
# Queries apart from keys and values: one more linear and the concatenation.
SPLIT_QKV_BYTES = 1_200


def expected_file_bytes(spec: ExportSpec) -> int:
    """Bytes of manifest, program and weight file together."""
    program = (
        MLP_LAYER_BYTES * spec.shape.num_layers if isinstance(spec.shape, MlpShape) else _decoder(spec, spec.shape)
    )
    return MANIFEST_BYTES + program + _weight_file_bytes(spec)


def _decoder(spec: ExportSpec, shape: TransformerShape) -> int:
    each = PASS_BYTES
    each += QUANTIZED_PASS_BYTES if spec.scheme is not Scheme.FP32 else 0
    each += DECOMPOSED_BYTES if spec.options.coreml_attention is AttentionForm.DECOMPOSED else 0
    each += QK_NORM_BYTES if shape.qk_norm else 0
    each += SPLIT_QKV_BYTES if splits_qkv(storage(spec).formats) else 0
    return DECODER_BYTES + each * shape.num_passes - REPEATED_PASS_SAVES * (shape.num_passes - shape.num_layers)


def _weight_file_bytes(spec: ExportSpec) -> int:
    """The header of the file, and each constant once: weights, the zero biases of linears without one, rope tables."""
    formats = tensor_formats(spec)
    width = 4 if spec.scheme is Scheme.FP32 else 2
    blobs: dict[object, int] = {}
    for use in weight_uses(spec):
        parts = [formats[name] for name in use.weights]
        rows, columns, form = sum(tensor.rows for tensor, _ in parts), parts[0][0].columns or 1, parts[0][1]
        blobs[use.weights] = rows * columns * form.bits // 8
        if form.quantized:
            blobs[use.weights, "scales"] = form.num_scales(rows, columns) * form.scale_bits // 8
        if use.consumer is Consumer.LINEAR:
            blobs[use.biases or rows] = rows * width
    if isinstance(spec.shape, TransformerShape):
        table = spec.options.max_context * spec.shape.head_dim * width
        blobs |= {"cos": table, "sin": table}
    return ALIGNMENT + sum(ALIGNMENT + -(-size // ALIGNMENT) * ALIGNMENT for size in blobs.values())
