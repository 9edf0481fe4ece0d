"""From walk to `.mlpackage`: the same inputs give the same bytes."""

import errno
import json
import os
import shutil
import tempfile
import uuid
from pathlib import Path

import numpy as np

from export.quantization import Scheme
from export.targets.base import ExportSpec
from export.targets.coreml.graph import DecoderGraph, MlpGraph
from export.targets.coreml.sdk import Var, load_sdk, quiet_conversion
from export.targets.coreml.storage import (
    CAUSAL_MASK,
    CAUSAL_MASK_DESCRIPTION,
    INPUT_IDS,
    INPUT_IDS_DESCRIPTION,
    KEY_CACHE,
    LOGITS,
    LOGITS_DESCRIPTION,
    MLP_INPUT,
    MLP_OUTPUT,
    PACKAGE,
    VALUE_CACHE,
)
from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import MlpShape, TransformerShape
from models.weights import WeightSource

DESCRIPTIONS = {
    INPUT_IDS: INPUT_IDS_DESCRIPTION,
    CAUSAL_MASK: CAUSAL_MASK_DESCRIPTION,
    LOGITS: LOGITS_DESCRIPTION,
}

# A copy that failed may have left a little room.
NEARLY_FULL_BYTES = 4 << 20


def write_package(spec: ExportSpec, weights: WeightSource, folder: Path) -> None:
    """Write `model.mlpackage` into `folder`."""
    function, inputs = _mlp(spec, weights) if isinstance(spec.shape, MlpShape) else _decoder(spec, spec.shape, weights)
    sdk = load_sdk()
    program = sdk.mil.Program()
    program.add_function("main", function)
    package = folder / PACKAGE
    with quiet_conversion():
        # No optimisation passes: the graph is already in its final form, and a pass of coremltools 9.0
        # (canonicalize_inplace_pattern) fails on several caches in one state.
        try:
            sdk.ct.convert(
                program, source="milinternal", convert_to="mlprogram", inputs=inputs,
                minimum_deployment_target=sdk.ct.target.iOS18, compute_units=sdk.ct.ComputeUnit.CPU_AND_GPU,
                pass_pipeline=sdk.ct.PassPipeline.EMPTY, skip_model_load=True, package_dir=str(package),
            )  # fmt: skip
        except RuntimeError as error:
            raise _disk_error(error, folder) or error from error
    _finish_model(spec, package / "Data/com.apple.CoreML/model.mlmodel")
    _fix_identifiers(package / "Manifest.json")


def _disk_error(error: RuntimeError, folder: Path) -> OSError | None:
    """coremltools writes the weights into the temporary folder and copies them; both may be full."""
    if "filesystem error" not in str(error):
        return None
    for place in (folder, Path(tempfile.gettempdir())):
        if shutil.disk_usage(place).free < NEARLY_FULL_BYTES:
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))
    return OSError(errno.EIO, str(error).split("filesystem error: ")[-1], str(folder))


def _decoder(spec: ExportSpec, shape: TransformerShape, weights: WeightSource) -> tuple[Var, list[Var]]:
    sdk, options = load_sdk(), spec.options
    tokens = sdk.ct.RangeDim(1, options.prefill_chunk, default=1)
    context = sdk.ct.RangeDim(1, options.max_context, default=1)
    cache = (shape.num_passes, shape.num_kv_heads, options.max_context, shape.head_dim)
    names = {
        INPUT_IDS: sdk.mb.placeholder((1, tokens.symbol), dtype=sdk.types.int32),
        CAUSAL_MASK: sdk.mb.placeholder((1, 1, tokens.symbol, context.symbol), dtype=sdk.types.fp16),
        KEY_CACHE: sdk.mb.state_tensor_placeholder(cache, dtype=sdk.types.fp16),
        VALUE_CACHE: sdk.mb.state_tensor_placeholder(cache, dtype=sdk.types.fp16),
    }
    with sdk.mil.Function(names, opset_version=sdk.ct.target.iOS18) as function:
        graph = DecoderGraph(spec, weights, *(function.inputs[name] for name in names))
        walk_decoder(shape, graph)
        _set_output(function, graph.output, LOGITS)
    inputs = [
        sdk.ct.TensorType(INPUT_IDS, shape=(1, tokens), dtype=np.int32),
        sdk.ct.TensorType(CAUSAL_MASK, shape=(1, 1, tokens, context), dtype=np.float16),
    ]
    return function, inputs


def _mlp(spec: ExportSpec, weights: WeightSource) -> tuple[Var, list[Var]]:
    assert isinstance(spec.shape, MlpShape)
    sdk = load_sdk()
    size = (1, spec.shape.input_size)
    wide = spec.scheme is Scheme.FP32
    placeholder = sdk.mb.placeholder(size, dtype=sdk.types.fp32 if wide else sdk.types.fp16)
    with sdk.mil.Function({MLP_INPUT: placeholder}, opset_version=sdk.ct.target.iOS18) as function:
        graph = MlpGraph(spec, weights, function.inputs[MLP_INPUT])
        walk_mlp(spec.shape, graph)
        _set_output(function, graph.output, MLP_OUTPUT)
    return function, [sdk.ct.TensorType(MLP_INPUT, shape=size, dtype=np.float32 if wide else np.float16)]


def _set_output(function: Var, output: Var, name: str) -> None:
    output.name = name
    function.set_outputs([output])


def _finish_model(spec: ExportSpec, path: Path) -> None:
    """Add what a host must know to run the decoder, and serialise map entries in sorted order."""
    model = load_sdk().model_proto.Model.FromString(path.read_bytes())
    metadata = model.description.metadata.userDefined
    if isinstance(spec.shape, TransformerShape):
        if spec.token_ids.bos is not None:
            metadata["bos_token_id"] = str(spec.token_ids.bos)
        metadata["eos_token_ids"] = json.dumps(spec.token_ids.eos)
        metadata["max_context"] = str(spec.options.max_context)
        metadata["prefill_chunk"] = str(spec.options.prefill_chunk)
        for feature in (*model.description.input, *model.description.output):
            feature.shortDescription = DESCRIPTIONS[feature.name]
    path.write_bytes(model.SerializeToString(deterministic=True))


def _fix_identifiers(path: Path) -> None:
    """Replace the random identifiers of the package's items by ones that follow from their paths."""
    manifest = json.loads(path.read_text())
    entries: dict[str, dict[str, str]] = manifest["itemInfoEntries"]
    new = {old: str(uuid.uuid5(uuid.NAMESPACE_URL, entry["path"])) for old, entry in entries.items()}
    manifest["itemInfoEntries"] = {
        new[old]: entry for old, entry in sorted(entries.items(), key=lambda e: e[1]["path"])
    }
    manifest["rootModelIdentifier"] = new[manifest["rootModelIdentifier"]]
    path.write_text(json.dumps(manifest, indent=4) + "\n")
