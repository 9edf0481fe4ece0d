"""Core ML packages of the tiny twins, run by the package evaluator and compared with the eager reference."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.quantization import Scheme
from export.quantizers import QuantizedTensor, quantize
from export.targets.base import AttentionForm, ExportOptions, ExportSpec
from export.targets.coreml.formats import PACKAGE, tensor_formats
from export.targets.coreml.package_reader import read_package
from export.targets.coreml.sdk import load_sdk
from export.targets.coreml.target import CoreMLTarget
from models.eager import EagerDecoder, EagerMlp
from models.errors import UserError
from models.shape import MlpShape, TransformerShape
from models.tensors import Role, tensors
from models.weights import LoadedWeights, RandomWeights, WeightSource

TARGET = CoreMLTarget()
OPTIONS = ExportOptions(max_context=64, prefill_chunk=16)
# Norm of the difference over that of the logits where every result is rounded to float16. Measured on these twins:
# 1.4e-3 to 2.3e-3, under fp32 (a float16 cache only) below 5e-4; 4e-7 with all rounding taken out of the evaluator.
FLOAT16_ERROR = 4e-3
FLOAT16_CACHE_ERROR = 1e-3


def make(spec: ExportSpec, folder: Path, weights: WeightSource | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    TARGET.write(spec, weights or RandomWeights(spec.shape, 7), folder)
    return folder


def stored_weights(spec: ExportSpec, folder: Path) -> LoadedWeights:
    stored = TARGET.stored_tensors(spec, folder)
    arrays = {n: t.dequantize() if isinstance(t, QuantizedTensor) else t for n, t in stored}
    return LoadedWeights(spec.shape, arrays)


def run_package(spec: ExportSpec, folder: Path, tokens: np.ndarray) -> np.ndarray:
    """Logits after a prefill in two chunks and after each of some single steps."""
    model = TARGET.open_language_model(spec, folder, 1)
    return np.stack([model.forward(tokens[first:last], first).copy() for first, last in calls(tokens)])


def run_eager(weights: WeightSource, tokens: np.ndarray) -> np.ndarray:
    model = EagerDecoder(weights, OPTIONS.max_context)
    return np.stack([model.forward(tokens[None, first:last], first)[0, -1] for first, last in calls(tokens)])


def calls(tokens: np.ndarray) -> list[tuple[int, int]]:
    return [(0, 16), (16, 27), *((position, position + 1) for position in range(27, tokens.size))]


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def some_tokens(shape: TransformerShape) -> np.ndarray:
    return np.random.default_rng(3).integers(0, shape.vocab_size, 36)


@pytest.mark.parametrize("scheme", Scheme)
def test_package_computes_what_eager_computes_with_its_stored_weights(
    variant: TransformerShape, scheme: Scheme, tmp_path: Path
) -> None:
    spec = ExportSpec(shape=variant, scheme=scheme, options=OPTIONS)
    folder = make(spec, tmp_path)
    tokens = some_tokens(variant)
    error = relative_error(run_package(spec, folder, tokens), run_eager(stored_weights(spec, folder), tokens))
    assert error < (FLOAT16_CACHE_ERROR if scheme is Scheme.FP32 else FLOAT16_ERROR)
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert written == pytest.approx(TARGET.expected_file_bytes(spec), rel=0.02)
    census = TARGET.observe(spec, folder).operators
    assert TARGET.required_operators(spec).items() <= census.items()


@pytest.mark.parametrize("scheme", Scheme)
def test_stored_weights_are_the_quantised_source(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = ExportSpec(shape=variant, scheme=scheme, options=OPTIONS)
    source = RandomWeights(variant, 7)
    stored = dict(TARGET.stored_tensors(spec, make(spec, tmp_path, source)))
    assert set(stored) == {tensor.name for tensor in tensors(variant)}
    for name, (_, form) in tensor_formats(spec).items():
        found = stored[name]
        if form.quantized:
            expected = quantize(source.get(name), form, torch.float16)
            assert isinstance(found, QuantizedTensor)
            np.testing.assert_array_equal(found.values, expected.values)
            np.testing.assert_array_equal(found.scales, expected.scales)
            assert found.bits == form.bits
        else:
            dtype = np.float16 if form.bits == 16 else np.float32
            np.testing.assert_array_equal(found, source.get(name).astype(dtype))


def test_swapped_layers_show_in_the_stored_weights(tiny: TransformerShape, tmp_path: Path) -> None:
    """Names come from places in the graph: a program that reads two layers in the wrong order says so."""
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    before = dict(TARGET.stored_tensors(spec, make(spec, tmp_path)))
    path = tmp_path / PACKAGE / "Data/com.apple.CoreML/model.mlmodel"
    model = load_sdk().model_proto.Model.FromString(path.read_bytes())
    operations = model.mlProgram.functions["main"].block_specializations["CoreML8"].operations
    linears = [operation for operation in operations if operation.type == "linear"]
    first, second = (linears[index].inputs["weight"].arguments[0] for index in (2, 6))  # gate and up of layers 0 and 1
    first.name, second.name = second.name, first.name
    path.write_bytes(model.SerializeToString())
    after = dict(TARGET.stored_tensors(spec, tmp_path))
    for name, other in ((0, 1), (1, 0)):
        gate, moved = before[f"layers.{name}.gate.weight"], after[f"layers.{other}.gate.weight"]
        assert isinstance(gate, QuantizedTensor)
        assert isinstance(moved, QuantizedTensor)
        np.testing.assert_array_equal(gate.values, moved.values)


def test_decomposed_attention_gives_the_same_logits(tiny: TransformerShape, tmp_path: Path) -> None:
    tokens = some_tokens(tiny)
    logits = {}
    for form in AttentionForm:
        spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=replace(OPTIONS, coreml_attention=form))
        folder = make(spec, tmp_path / form)
        observed = TARGET.observe(spec, folder)
        assert TARGET.required_operators(spec).items() <= observed.operators.items()
        logits[observed.attention_operator] = run_package(spec, folder, tokens)
    fused, decomposed = logits["scaled_dot_product_attention"], logits["matmul + softmax"]
    assert relative_error(decomposed, fused) < FLOAT16_ERROR


def test_norms_of_large_activations_stay_finite(tiny: TransformerShape, tmp_path: Path) -> None:
    """Activations of several thousand: their squares and the sum of them are infinite in float16."""
    source = RandomWeights(tiny, 7)
    arrays = {tensor.name: source.get(tensor.name) for tensor in tensors(tiny)}
    arrays["embed.weight"] = arrays["embed.weight"] * np.float32(1e5)
    # Logits of a tied table that large would overflow by themselves.
    arrays["norm.weight"] = arrays["norm.weight"] * np.float32(1e-3)
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT8, options=OPTIONS)
    folder = make(spec, tmp_path, LoadedWeights(tiny, arrays))
    tokens = some_tokens(tiny)
    found = run_package(spec, folder, tokens)
    assert np.isfinite(found).all()
    assert relative_error(found, run_eager(stored_weights(spec, folder), tokens)) < FLOAT16_ERROR


@pytest.mark.parametrize("scheme", Scheme)
def test_mlp(tiny_mlp: MlpShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny_mlp, scheme=scheme)
    folder = make(spec, tmp_path)
    x = np.random.default_rng(0).standard_normal((1, tiny_mlp.input_size), dtype=np.float32)
    found = TARGET.open_network(spec, folder, 1).forward(x)
    assert found.shape == (1, tiny_mlp.output_size)
    assert relative_error(found, EagerMlp(stored_weights(spec, folder)).forward(x)) < FLOAT16_ERROR
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert written == pytest.approx(TARGET.expected_file_bytes(spec), rel=0.02)


def test_interface_is_what_swift_transformers_looks_for(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    folder = make(spec, tmp_path)
    observed = TARGET.observe(spec, folder)
    assert [(i.name, i.dtype, i.shape) for i in observed.inputs] == [
        ("inputIds", "int32", (1, "1..16")),
        ("causalMask", "float16", (1, 1, "1..16", "1..64")),
    ]
    assert [(o.name, o.dtype) for o in observed.outputs] == [("logits", "float16")]
    assert [(s.name, s.dtype, s.shape) for s in observed.states] == [
        ("keyCache", "float16", (3, 2, 64, 32)),
        ("valueCache", "float16", (3, 2, 64, 32)),
    ]
    assert observed.cache_operator == "slice_update + write_state"


def test_coremltools_reloads_the_package(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    package = make(spec, tmp_path) / PACKAGE
    model = load_sdk().ct.models.MLModel(str(package), skip_model_load=True)
    assert model.get_spec().specificationVersion == 9  # iOS 18
    assert read_package(package).opset == "CoreML8"


def test_tied_table_is_stored_once(tiny: TransformerShape, tmp_path: Path) -> None:
    tied = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    untied = replace(tied, shape=replace(tiny, tie_embeddings=False))
    sizes = {spec: weight_file(make(spec, tmp_path / str(i))).stat().st_size for i, spec in enumerate((tied, untied))}
    embedding = TARGET.storage(untied).formats[Role.EMBEDDING]
    assert sizes[untied] - sizes[tied] == pytest.approx(embedding.num_bytes(tiny.vocab_size, tiny.hidden_size), abs=192)


def test_same_inputs_give_the_same_bytes(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    first, second = (digests(make(spec, tmp_path / name)) for name in ("first", "second"))
    assert first == second


def test_truncated_weight_file_is_one_clear_error(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    path = weight_file(make(spec, tmp_path))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"weight\.bin.*damaged"):
        TARGET.open_language_model(spec, tmp_path, 1)
    with pytest.raises(UserError, match=r"weight\.bin.*damaged"):
        dict(TARGET.stored_tensors(spec, tmp_path))


def test_missing_and_damaged_program_are_clear_errors(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    program = make(spec, tmp_path) / PACKAGE / "Data/com.apple.CoreML/model.mlmodel"
    program.write_bytes(program.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        TARGET.observe(spec, tmp_path)
    program.unlink()
    with pytest.raises(UserError, match="missing"):
        TARGET.observe(spec, tmp_path)


def test_call_beyond_the_context_is_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    model = TARGET.open_language_model(spec, make(spec, tmp_path), 1)
    with pytest.raises(UserError, match="64 in all"):
        model.forward(np.zeros(2, np.int64), 63)
    with pytest.raises(UserError, match="17 tokens"):
        model.forward(np.zeros(17, np.int64), 0)


def weight_file(folder: Path) -> Path:
    return folder / PACKAGE / "Data/com.apple.CoreML/weights/weight.bin"


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
