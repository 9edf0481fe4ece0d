"""What the program of a saved package says: sizes, element types, and how an app has to call it."""

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.targets.base import AttentionForm, ExportOptions, ExportSpec, TokenIds
from export.targets.coreml.reader import Reference, read_package
from export.targets.coreml.sdk import load_sdk
from export.targets.coreml.state_plan import plan_states
from export.targets.coreml.storage import PACKAGE
from export.targets.coreml.target import CoreMLTarget
from models.errors import UserError
from models.shape import TransformerShape
from models.weights import RandomWeights

TARGET = CoreMLTarget()
OPTIONS = ExportOptions(max_context=64, prefill_chunk=16)
PROGRAM = f"{PACKAGE}/Data/com.apple.CoreML/model.mlmodel"
RELOADED = {"plain": {}, "qwen3": {"qk_norm": True, "tie_embeddings": False}, "shared-layers": {"layer_repeats": 2}}


def make(spec: ExportSpec, folder: Path) -> Path:
    TARGET.write(spec, RandomWeights(spec.shape, 7), folder)
    return folder


def test_swapped_layers_show_in_the_stored_weights(tiny: TransformerShape, tmp_path: Path) -> None:
    """Names come from places in the graph: a program that reads two layers in the wrong order says so."""
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    before = dict(TARGET.stored_tensors(spec, make(spec, tmp_path)))
    with edited_operations(tmp_path) as operations:
        linears = [operation for operation in operations if operation.type == "linear"]
        # gate and up of layers 0 and 1
        first, second = (linears[index].inputs["weight"].arguments[0] for index in (3, 8))
        first.name, second.name = second.name, first.name
    after = dict(TARGET.stored_tensors(spec, tmp_path))
    for name, other in ((0, 1), (1, 0)):
        gate, moved = before[f"layers.{name}.gate.weight"], after[f"layers.{other}.gate.weight"]
        assert isinstance(gate, QuantizedTensor)
        assert isinstance(moved, QuantizedTensor)
        np.testing.assert_array_equal(gate.values, moved.values)


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
        (1, None, 128),  # keys and values, packed
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


def test_evaluator_never_copies_a_whole_cache(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = ExportSpec(shape=tiny, scheme=Scheme.INT4, options=OPTIONS)
    operators = read_package(make(spec, tmp_path) / PACKAGE).operators
    plan = plan_states(operators)
    reads = [index for index, operator in enumerate(operators) if operator.kind == "read_state"]
    assert plan.aliased_reads == set(reads)
    assert len(plan.in_place_updates) == len(plan.copying_slices) == 2 * tiny.num_passes
    # Up to E, which the call decides; the slice of one layer, whose end is a constant, is a view.
    assert all(isinstance(operators[index].argument("end"), Reference) for index in plan.copying_slices)


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
