"""An artifact's weights, as its runtime multiplies them, for eager."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from export.quantized import QuantizedTensor
from export.targets.base import ExportSpec, StoredTensor, Target
from models.rope import ROPE_COS, ROPE_SIN
from models.shape import Shape, TransformerShape
from models.tensors import EMBEDDING, HEAD
from models.weights import LoadedWeights


def read_weights(target: Target, spec: ExportSpec, folder: Path) -> LoadedWeights:
    """The weights in the artifact `folder` as float32."""
    stored: dict[str, StoredTensor] = {}
    for name, tensor in target.stored_tensors(spec, folder):
        if name not in (ROPE_COS, ROPE_SIN):
            stored[HEAD if name == EMBEDDING and name in stored else name] = tensor
    return dequantized(spec.shape, stored)


def dequantized(shape: Shape, stored: dict[str, StoredTensor]) -> LoadedWeights:
    """The stored weights as float32; empties `stored` on the way, so that nothing is held twice."""
    arrays: dict[str, np.ndarray] = {}
    for name in list(stored):
        tensor = stored.pop(name)
        arrays[name] = tensor.dequantize() if isinstance(tensor, QuantizedTensor) else np.require(tensor, None, "W")
    # Where a tied head is stored a second time, in its own format, the reference must multiply by that copy.
    if isinstance(shape, TransformerShape) and HEAD in arrays:
        shape = replace(shape, tie_embeddings=False)
    return LoadedWeights(shape, arrays)
