"""Core ML packages of the tiny twins, run by the package evaluator and compared with the eager reference."""

import hashlib
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.quantization import Scheme
from export.quantizers import QuantizedTensor, quantize
from export.targets.base import AttentionForm, ExportOptions, ExportSpec, TokenIds
from export.targets.coreml.formats import CAUSAL_MASK, INPUT_IDS, LOGITS, PACKAGE, tensor_formats
from export.targets.coreml.language_model import open_predictor
from export.targets.coreml.package_reader import read_package
from export.targets.coreml.sdk import load_sdk
from export.targets.coreml.target import CoreMLTarget
from models.eager import EagerDecoder, EagerMlp
from models.errors import UserError
from models.rope import ROPE_COS, ROPE_SIN, rope_tables
from models.shape import MlpShape, Shape, TransformerShape
from models.tensors import Role, tensors
from models.weights import LoadedWeights, RandomWeights, WeightSource

TARGET = CoreMLTarget()
OPTIONS = ExportOptions(max_context=64, prefill_chunk=16)
PROGRAM = f"{PACKAGE}/Data/com.apple.CoreML/model.mlmodel"
# Changes to the tiny twin.
UNUSUAL = {
    "one-kv-head": {"num_kv_heads": 1},
    "no-groups": {"num_kv_heads": 4},
    "odd-vocab": {"vocab_size": 333},
    "wide-heads": {"head_dim": 80},
    "three-repeats": {"layer_repeats": 3},
}
RELOADED = {"plain": {}, "qwen3": {"qk_norm": True, "tie_embeddings": False}, "shared-layers": {"layer_repeats": 2}}
# Norm of the difference over that of the logits where every result is rounded to float16. Measured on these twins:
# 1.4e-3 to 2.3e-3, under fp32 (a float16 cache only) below 5e-4; 4e-7 with all rounding taken out of the evaluator.
FLOAT16_ERROR = 4e-3
FLOAT16_CACHE_ERROR = 1e-3


def make(spec: ExportSpec, folder: Path, weights: WeightSource | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    TARGET.write(spec, weights or RandomWeights(spec.shape, 7), folder)
    return folder


def stored_weights(spec: ExportSpec, folder: Path) -> LoadedWeights:
    stored = dict(TARGET.stored_tensors(spec, folder))
    names = {tensor.name for tensor in tensors(spec.shape)}
    arrays = {n: t.dequantize() if isinstance(t, QuantizedTensor) else t for n, t in stored.items() if n in names}
    return LoadedWeights(spec.shape, arrays)


def run_package(spec: ExportSpec, folder: Path, tokens: np.ndarray) -> np.ndarray:
    """Logits after each of `calls`."""
    model = TARGET.open_language_model(spec, folder, 1)
    return np.stack([model.forward(tokens[first:last], first).copy() for first, last in calls()])


def run_eager(weights: WeightSource, tokens: np.ndarray) -> np.ndarray:
    model = EagerDecoder(weights, OPTIONS.max_context)
    return np.stack([model.forward(tokens[None, first:last], first)[0, -1] for first, last in calls()])


def calls() -> list[tuple[int, int]]:
    """Chunks and single steps by turns, up to the very last position of the cache."""
    steps = [(position, position + 1) for position in (*range(27, 32), *range(59, OPTIONS.max_context))]
    return sorted([(0, 16), (16, 27), (32, 48), (48, 59), *steps])


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def some_tokens(shape: Shape) -> np.ndarray:
    assert isinstance(shape, TransformerShape)
    return np.random.default_rng(3).integers(0, shape.vocab_size, OPTIONS.max_context)


@pytest.mark.parametrize("scheme", Scheme)
def test_package_computes_what_eager_computes_with_its_stored_weights(
    variant: TransformerShape, scheme: Scheme, tmp_path: Path
) -> None:
    check_against_eager(ExportSpec(shape=variant, scheme=scheme, options=OPTIONS), tmp_path)


@pytest.mark.parametrize("changes", UNUSUAL.values(), ids=UNUSUAL.keys())
def test_unusual_sizes(tiny: TransformerShape, changes: dict[str, int], tmp_path: Path) -> None:
    check_against_eager(ExportSpec(shape=replace(tiny, **changes), scheme=Scheme.INT4, options=OPTIONS), tmp_path)


def check_against_eager(spec: ExportSpec, folder: Path) -> None:
    make(spec, folder)
    tokens = some_tokens(spec.shape)
    error = relative_error(run_package(spec, folder, tokens), run_eager(stored_weights(spec, folder), tokens))
    assert error < (FLOAT16_CACHE_ERROR if spec.scheme is Scheme.FP32 else FLOAT16_ERROR)
    written = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert written == pytest.approx(TARGET.expected_file_bytes(spec), rel=0.02)
    census = TARGET.observe(spec, folder).operators
    assert TARGET.required_operators(spec).items() <= census.items()


@pytest.mark.parametrize("scheme", Scheme)
def test_stored_weights_are_the_quantised_source(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = ExportSpec(shape=variant, scheme=scheme, options=OPTIONS)
    source = RandomWeights(variant, 7)
    stored = dict(TARGET.stored_tensors(spec, make(spec, tmp_path, source)))
    assert set(stored) == {ROPE_COS, ROPE_SIN, *(tensor.name for tensor in tensors(variant))}
    width = np.float32 if scheme is Scheme.FP32 else np.float16
    for name, table in zip((ROPE_COS, ROPE_SIN), rope_tables(variant, OPTIONS.max_context), strict=True):
        np.testing.assert_array_equal(stored[name], table.astype(width).astype(np.float32))
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
    with edited_operations(tmp_path) as operations:
        linears = [operation for operation in operations if operation.type == "linear"]
        # gate and up of layers 0 and 1
        first, second = (linears[index].inputs["weight"].arguments[0] for index in (2, 6))
        first.name, second.name = second.name, first.name
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


def test_inputs_outputs_and_states(tiny: TransformerShape, tmp_path: Path) -> None:
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


def test_package_says_how_to_call_it(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    description = read_model(make(spec, tmp_path)).description
    assert dict(description.metadata.userDefined).items() >= {
        ("bos_token_id", "1"), ("eos_token_ids", "[2]"), ("max_context", "64"), ("prefill_chunk", "16"),
    }  # fmt: skip
    ids, mask = description.input
    assert "at most prefill_chunk" in ids.shortDescription
    assert mask.shortDescription == (
        "[1,1,T,E]: 0 where visible, -30000 where hidden; E = tokens in the cache after the call"
    )
    assert "last token" in description.output[0].shortDescription


def test_no_special_tokens_are_invented(tiny: TransformerShape, tmp_path: Path) -> None:
    none = TokenIds(bos=None, eos=())
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS, token_ids=none)
    metadata = dict(read_model(make(spec, tmp_path)).description.metadata.userDefined)
    assert "bos_token_id" not in metadata
    assert metadata["eos_token_ids"] == "[]"


def test_token_count_comes_from_the_tokens(tiny: TransformerShape, tmp_path: Path) -> None:
    """A mask of one row, which broadcasts over the tokens, must not shift them to another position."""
    spec = ExportSpec(shape=replace(tiny, num_kv_heads=4), scheme=Scheme.INT4, options=OPTIONS)
    folder = make(spec, tmp_path)
    logits: list[np.ndarray] = []
    for rows in (1, 5):
        predictor = open_predictor(folder, stateful=True, num_threads=1)
        mask = np.zeros((1, 1, rows, 5), np.float16)
        logits.append(predictor.predict({INPUT_IDS: np.int32([[3, 1, 4, 1, 5]]), CAUSAL_MASK: mask})[LOGITS])
    np.testing.assert_array_equal(logits[0], logits[1])


@pytest.mark.parametrize("form", AttentionForm)
def test_only_tokens_and_context_are_unknown_sizes(form: AttentionForm, tmp_path: Path) -> None:
    """Every size of this shape is a number of its own, so that the axes of each result can be told apart."""
    shape = TransformerShape(
        num_layers=2, hidden_size=96, num_heads=6, num_kv_heads=2, head_dim=32, ffn_size=160, vocab_size=320
    )
    spec = ExportSpec(shape=shape, scheme=Scheme.INT4, options=replace(OPTIONS, coreml_attention=form))
    known: set[tuple[int | None, ...]] = set()
    with edited_operations(make(spec, tmp_path)) as operations:
        for operation in operations:
            known |= {sizes(output) for output in operation.outputs}
    # None is T or E, or T times the 3 heads of a group.
    open_sizes = {size for size in known if None in size}
    assert open_sizes - {(1, 1, None, None), (1, 2, None, None)} == {
        (None, 32),  # rows of the rotary tables
        (1, None, 1),  # norms
        (1, None, 96), (1, None, 192), (1, None, 320), (1, None, 160),  # hidden, query, packed projections
        (1, None, 10, 32), (1, None, 6, 32), (1, 10, None, 32),  # heads
        (1, 6, None, 32), (1, 6, None, 16), (1, 2, None, 32), (1, 2, None, 16),  # queries, keys, values, halves
    }  # fmt: skip


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("changes", RELOADED.values(), ids=RELOADED.keys())
def test_coremltools_infers_the_types_that_the_file_declares(
    tiny: TransformerShape, changes: dict[str, Any], scheme: Scheme, tmp_path: Path
) -> None:
    from coremltools.converters.mil.frontend.milproto.load import load

    shape = replace(tiny, **changes)
    model = read_model(make(ExportSpec(shape=shape, scheme=scheme, options=OPTIONS), tmp_path))
    program = load(model, model.specificationVersion, str(weight_file(tmp_path).parent))
    inferred = Counter(operation.op_type for operation in program.functions["main"].operations)
    with edited_operations(tmp_path) as operations:
        declared = Counter(operation.type for operation in operations)
    for kind in ("linear", "slice_update", "slice_by_index", "scaled_dot_product_attention", "cast"):
        assert inferred[kind] == declared[kind]
    (logits,) = program.functions["main"].outputs
    assert logits.shape == (1, 1, shape.vocab_size)


def test_cast_that_contradicts_its_declared_type_is_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    with edited_operations(make(spec, tmp_path)) as operations:
        cast = next(operation for operation in operations if operation.type == "cast")
        dtype = constant(operations, cast.inputs["dtype"])
        dtype.immediateValue.tensor.strings.values[0] = "fp16"
    with pytest.raises(UserError, match=r"cast .* to fp16 is declared as float32"):
        TARGET.open_language_model(spec, tmp_path, 1)


def test_swapped_rotary_tables_show(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.FP32, options=OPTIONS)
    with edited_operations(make(spec, tmp_path)) as operations:
        tables = [op for op in operations if op.type == "slice_by_index" and sizes(op.outputs[0]) == (None, 32)]
        cos, sin = (constant(operations, operation.inputs["x"]).blobFileValue for operation in tables)
        cos.offset, sin.offset = sin.offset, cos.offset
    with pytest.raises(UserError, match=r"two halves of rope\.cos contradict each other"):
        dict(TARGET.stored_tensors(spec, tmp_path))


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
    program = make(spec, tmp_path) / PROGRAM
    program.write_bytes(program.read_bytes()[:-100])
    with pytest.raises(UserError, match="damaged"):
        TARGET.observe(spec, tmp_path)
    program.unlink()
    with pytest.raises(UserError, match="missing"):
        TARGET.observe(spec, tmp_path)


def test_call_beyond_the_context_is_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    model = TARGET.open_language_model(spec, make(spec, tmp_path), 1)
    for count, position, message in (
        (2, 63, r"2 tokens at position 63 .* 64"),
        (1, -1, "position -1"),
        (17, 0, r"17 tokens .* 1 to 16"),
        (0, 0, r"0 tokens .* 1 to 16"),
    ):
        with pytest.raises(UserError, match=message):
            model.forward(np.zeros(count, np.int64), position)


@contextmanager
def edited_operations(folder: Path) -> Generator[Any]:
    """The operations of the program in `folder`; what is changed in them is saved."""
    model = read_model(folder)
    yield model.mlProgram.functions["main"].block_specializations["CoreML8"].operations
    (folder / PROGRAM).write_bytes(model.SerializeToString())


def constant(operations: Any, argument: Any) -> Any:
    """The value of the constant that a parameter reads."""
    (operation,) = (op for op in operations if op.type == "const" and op.outputs[0].name == argument.arguments[0].name)
    return operation.attributes["val"]


def read_model(folder: Path) -> Any:
    return load_sdk().model_proto.Model.FromString((folder / PROGRAM).read_bytes())


def sizes(output: Any) -> tuple[int | None, ...]:
    dimensions = output.type.tensorType.dimensions
    return tuple(d.constant.size if d.HasField("constant") else None for d in dimensions)


def weight_file(folder: Path) -> Path:
    return folder / PACKAGE / "Data/com.apple.CoreML/weights/weight.bin"


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
