"""The ONNX target on tiny twins, executed by ONNX Runtime and by onnxruntime-genai."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import onnxruntime_genai as og
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument

from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.quantizers import quantize
from export.targets.base import ExportOptions, ExportSpec, StoredTensor, TokenIds
from export.targets.onnx.storage import DATA_FILE, MODEL_FILE, pack, unpack
from export.targets.onnx.target import OnnxTarget
from models.eager import Activations, EagerDecoder, EagerMlp
from models.errors import UserError
from models.rope import ROPE_COS, ROPE_SIN, rope_tables
from models.shape import MlpShape, Shape, TransformerShape
from models.tensors import EMBEDDING, Role, tensors
from models.weights import LoadedWeights, RandomWeights

CONTEXT, CHUNK = 64, 16
TARGET = OnnxTarget()
# Two chunks of a prompt, the second of which meets cached keys, then single tokens and chunks to the end of the cache.
CALLS = [(0, 9), (9, 20), *((position, position + 1) for position in range(20, 32)), (32, 48), (48, 63), (63, 64)]

# Dimensions that nothing depends on but the graph; the architectural switches are in `variant`.
DIMENSIONS = {
    "one kv head": {"num_kv_heads": 1},
    "a kv head for each head": {"num_kv_heads": 4},
    "odd vocabulary": {"vocab_size": 333},
    "heads of 80": {"head_dim": 80},
    "each layer three times": {"layer_repeats": 3},
}


def write(shape: Shape, scheme: Scheme, folder: Path) -> tuple[ExportSpec, RandomWeights]:
    spec = ExportSpec(shape=shape, scheme=scheme, options=ExportOptions(max_context=CONTEXT, prefill_chunk=CHUNK))
    weights = RandomWeights(shape, seed=3)
    folder.mkdir(exist_ok=True)
    TARGET.write(spec, weights, folder)
    return spec, weights


def as_float(stored: StoredTensor) -> np.ndarray:
    return stored.dequantize() if isinstance(stored, QuantizedTensor) else stored


def stored_weights(spec: ExportSpec, folder: Path) -> LoadedWeights:
    return LoadedWeights(spec.shape, {name: as_float(value) for name, value in TARGET.stored_tensors(spec, folder)})


def prompt(shape: TransformerShape, count: int = CONTEXT) -> np.ndarray:
    return np.random.default_rng(5).integers(0, shape.vocab_size, count)


def eager_logits(weights: LoadedWeights, ids: np.ndarray, activations: Activations) -> np.ndarray:
    model = EagerDecoder(weights, CONTEXT, activations)
    return np.stack([model.forward(ids[None, first:end], first)[0, -1] for first, end in CALLS])


def file_bytes(folder: Path) -> int:
    return sum((folder / name).stat().st_size for name in (MODEL_FILE, DATA_FILE))


@pytest.mark.parametrize("scheme", Scheme)
def test_logits_match_eager(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    check_logits(variant, scheme, tmp_path)


@pytest.mark.parametrize("changes", DIMENSIONS.values(), ids=DIMENSIONS.keys())
def test_logits_of_other_dimensions(tiny: TransformerShape, changes: dict[str, int], tmp_path: Path) -> None:
    check_logits(replace(tiny, **changes), Scheme.INT4, tmp_path)


def check_logits(shape: TransformerShape, scheme: Scheme, folder: Path) -> None:
    spec, _ = write(shape, scheme, folder)
    model, ids, weights = TARGET.open_language_model(spec, folder, 1), prompt(shape), stored_weights(spec, folder)
    logits = np.stack([model.forward(ids[first:end], first).copy() for first, end in CALLS])
    exact = eager_logits(weights, ids, Activations.EXACT)
    rounded = eager_logits(weights, ids, TARGET.activations(scheme)[0])
    floor = float(np.abs(rounded - exact).max())
    assert np.abs(logits - exact).max() <= 1e-4 + 1.5 * floor
    # Where no activation falls on the other side of a rounding border, the two agree to float precision.
    assert np.median(np.abs(logits - rounded).max(1)) <= 1e-4 + 0.5 * floor
    assert floor < 0.1 * np.abs(exact).max()


@pytest.mark.parametrize("scheme", Scheme)
def test_mlp_matches_eager(tiny_mlp: MlpShape, scheme: Scheme, tmp_path: Path) -> None:
    spec, _ = write(tiny_mlp, scheme, tmp_path)
    x = np.random.default_rng(0).standard_normal((1, tiny_mlp.input_size), np.float32)
    output = TARGET.open_network(spec, tmp_path, 1).forward(x)
    weights = stored_weights(spec, tmp_path)
    exact = EagerMlp(weights).forward(x)
    floor = float(np.abs(EagerMlp(weights, TARGET.activations(scheme)[0]).forward(x) - exact).max())
    assert output.shape == (1, tiny_mlp.output_size)
    assert np.abs(output - exact).max() <= 1e-5 + 1.5 * floor


@pytest.mark.parametrize("scheme", Scheme)
def test_read_back_is_what_the_quantiser_said(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec, weights = write(variant, scheme, tmp_path)
    stored, roles = dict(TARGET.stored_tensors(spec, tmp_path)), TARGET.storage(spec)
    tables = dict(zip((ROPE_COS, ROPE_SIN), rope_tables(variant, CONTEXT), strict=True))
    assert sorted(stored) == sorted([*(tensor.name for tensor in tensors(variant)), *tables])
    for name, table in tables.items():
        np.testing.assert_array_equal(as_float(stored[name]), table)
    for tensor in tensors(variant):
        role = Role.HEAD if tensor.name == EMBEDDING and roles.shared_table else tensor.role
        source, value = weights.get(tensor.name), stored[tensor.name]
        if not roles.formats[role].quantized:
            np.testing.assert_array_equal(as_float(value), source)
            continue
        expected = quantize(source, roles.formats[role], torch.float32)
        assert isinstance(value, QuantizedTensor)
        np.testing.assert_array_equal(value.values, expected.values)
        np.testing.assert_array_equal(value.scales, expected.scales)


@pytest.mark.parametrize("bits", [4, 8])
def test_packing_is_reversible(bits: int) -> None:
    values = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1), dtype=np.int8).reshape(4, -1)
    np.testing.assert_array_equal(unpack(pack(values, bits), bits), values)
    assert pack(values, bits)[0, 0] == (0x10 if bits == 4 else 0)


@pytest.mark.parametrize("scheme", Scheme)
def test_size_and_promises(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec, _ = write(variant, scheme, tmp_path)
    assert file_bytes(tmp_path) == pytest.approx(TARGET.expected_file_bytes(spec), rel=0.02)
    observed = TARGET.observe(spec, tmp_path)
    required = TARGET.required_operators(spec)
    assert {name: observed.operators[name] for name in required} == required
    assert observed.attention_operator == observed.cache_operator == "GroupQueryAttention"
    assert len(observed.inputs) == 2 + 2 * variant.num_passes
    assert (observed.outputs[-1].name, observed.outputs[-1].shape) == ("logits", (1, 1, variant.vocab_size))


@pytest.mark.parametrize("scheme", Scheme)
def test_mlp_size_and_promises(tiny_mlp: MlpShape, scheme: Scheme, tmp_path: Path) -> None:
    spec, _ = write(tiny_mlp, scheme, tmp_path)
    assert file_bytes(tmp_path) == pytest.approx(TARGET.expected_file_bytes(spec), rel=0.02)
    observed, required = TARGET.observe(spec, tmp_path), TARGET.required_operators(spec)
    assert {name: observed.operators[name] for name in required} == required
    assert observed.cache_operator == ""


@pytest.mark.parametrize("scheme", Scheme)
def test_a_tied_table_is_stored_once(tiny: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    tied, _ = write(tiny, scheme, tmp_path / "tied")
    untied, _ = write(replace(tiny, tie_embeddings=False), scheme, tmp_path / "untied")
    role = TARGET.storage(untied).formats[Role.EMBEDDING]
    table = role.num_bytes(tiny.vocab_size, tiny.hidden_size)
    sizes = [(tmp_path / name / DATA_FILE).stat().st_size for name in ("tied", "untied")]
    assert sizes[1] - sizes[0] == pytest.approx(table, abs=256)
    assert tied.shape != untied.shape


def test_shared_layers_are_stored_once(tiny: TransformerShape, tmp_path: Path) -> None:
    write(tiny, Scheme.INT4, tmp_path / "once")
    write(replace(tiny, layer_repeats=2), Scheme.INT4, tmp_path / "twice")
    sizes = [(tmp_path / name / DATA_FILE).stat().st_size for name in ("once", "twice")]
    assert sizes[0] == sizes[1]


def test_separate_past_and_present_give_the_same_logits(variant: TransformerShape, tmp_path: Path) -> None:
    spec, _ = write(variant, Scheme.INT4, tmp_path)
    model, ids = TARGET.open_language_model(spec, tmp_path, 1), prompt(variant)
    session = ort.InferenceSession(tmp_path / MODEL_FILE, providers=["CPUExecutionProvider"])
    size = (1, variant.num_kv_heads, 0, variant.head_dim)
    caches = {info.name: np.zeros(size, np.float32) for info in session.get_inputs()[2:]}
    names = [info.name for info in session.get_outputs()]
    for first, end in CALLS:
        feeds = {"input_ids": ids[None, first:end], "attention_mask": np.ones((1, end), np.int64), **caches}
        outputs = dict(zip(names, session.run(names, feeds), strict=True))
        np.testing.assert_allclose(outputs["logits"][0, 0], model.forward(ids[first:end], first), atol=1e-5)
        caches = {name: outputs[name.replace("past_key_values", "present")] for name in caches}
        assert next(iter(caches.values())).shape[2] == end


@pytest.mark.parametrize("scheme", Scheme)
def test_a_new_text_forgets_the_old_one(tiny: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec, _ = write(tiny, scheme, tmp_path)
    model, ids = TARGET.open_language_model(spec, tmp_path, 1), prompt(tiny)
    first = model.forward(ids[:8], 0).copy()
    model.forward(ids[8:24], 8)
    np.testing.assert_array_equal(model.forward(ids[:8], 0), first)


def test_genai_generates_the_same_tokens(variant: TransformerShape, tmp_path: Path) -> None:
    spec, _ = write(variant, Scheme.INT4, tmp_path)
    model, ids, count = TARGET.open_language_model(spec, tmp_path, 1), prompt(variant, 12), 24
    token, expected = int(model.forward(ids, 0).argmax()), []
    for position in range(ids.size, ids.size + count):
        expected.append(token)
        if token in spec.token_ids.eos:
            break
        token = int(model.forward(np.array([token]), position).argmax())
    assert genai_tokens(tmp_path, ids, ids.size + count)[ids.size :].tolist() == expected


def genai_tokens(folder: Path, ids: np.ndarray, max_length: int) -> np.ndarray:
    """The prompt and its continuation by the stock onnxruntime-genai."""
    stock = og.Model(str(folder))
    params = og.GeneratorParams(stock)
    params.set_search_options(max_length=max_length)
    generator = og.Generator(stock, params)
    generator.append_tokens(ids.astype(np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return generator.get_sequence(0)


def test_swapped_layers_show_in_the_names(tiny: TransformerShape, tmp_path: Path) -> None:
    spec, weights = write(tiny, Scheme.INT4, tmp_path)
    path = tmp_path / MODEL_FILE
    model = onnx.load(path, load_external_data=False)
    products = [node for node in model.graph.node if node.op_type == "MatMulNBits"]
    for slot in (1, 2):
        first, second = products[0].input[slot], products[6].input[slot]
        products[0].input[slot], products[6].input[slot] = second, first
    path.write_bytes(model.SerializeToString())
    form = TARGET.storage(spec).formats[Role.LINEAR]
    stored = dict(TARGET.stored_tensors(spec, tmp_path))["layers.0.q.weight"]
    assert isinstance(stored, QuantizedTensor)
    expected = [quantize(weights.get(f"layers.{layer}.q.weight"), form, torch.float32).values for layer in (0, 1)]
    assert not np.array_equal(stored.values, expected[0])
    np.testing.assert_array_equal(stored.values, expected[1])


def test_a_rewired_graph_is_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec, _ = write(tiny, Scheme.INT4, tmp_path)
    path = tmp_path / MODEL_FILE
    model = onnx.load(path, load_external_data=False)
    attention = [node for node in model.graph.node if node.op_type == "GroupQueryAttention"]
    attention[0].input[3], attention[1].input[3] = attention[1].input[3], attention[0].input[3]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UserError, match="does not read cache 0"):
        list(TARGET.stored_tensors(spec, tmp_path))


def test_damaged_files_are_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec, _ = write(tiny, Scheme.INT4, tmp_path)
    data, model = tmp_path / DATA_FILE, tmp_path / MODEL_FILE
    data.write_bytes(data.read_bytes()[:-5000])
    with pytest.raises(UserError, match="does not lie in it"):
        list(TARGET.stored_tensors(spec, tmp_path))
    data.unlink()
    with pytest.raises(UserError, match=f"no {DATA_FILE}"):
        list(TARGET.stored_tensors(spec, tmp_path))
    data.write_bytes(b"\0")
    model.write_bytes(b"not a model")
    with pytest.raises(UserError, match="not an ONNX file"):
        TARGET.observe(spec, tmp_path)
    model.unlink()
    with pytest.raises(UserError, match=f"no {MODEL_FILE}"):
        TARGET.open_language_model(spec, tmp_path, 1)


def test_swapped_rotary_tables_show(tiny: TransformerShape, tmp_path: Path) -> None:
    spec, _ = write(tiny, Scheme.INT4, tmp_path)
    path = tmp_path / MODEL_FILE
    model = onnx.load(path, load_external_data=False)
    for node in (node for node in model.graph.node if node.op_type == "GroupQueryAttention"):
        node.input[7], node.input[8] = node.input[8], node.input[7]
        path.write_bytes(model.SerializeToString())
        if node.input[3] == "past_key_values.0.key":
            with pytest.raises(UserError, match=r"rope\.cos is stored more than once"):
                list(TARGET.stored_tensors(spec, tmp_path))
    np.testing.assert_array_equal(
        as_float(dict(TARGET.stored_tensors(spec, tmp_path))[ROPE_COS]), rope_tables(tiny, CONTEXT)[1]
    )


def test_calls_out_of_bounds_are_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec, _ = write(tiny, Scheme.FP32, tmp_path)
    model, tokens = TARGET.open_language_model(spec, tmp_path, 1), np.arange(CHUNK + 1)
    for count, position in ((0, 0), (CHUNK + 1, 0), (1, -1), (1, CONTEXT), (CHUNK, CONTEXT - CHUNK + 1)):
        with pytest.raises(UserError, match=rf"{count} tokens"):
            model.forward(tokens[:count], position)
    for count, position in ((1, 0), (CHUNK, 0), (CHUNK, CONTEXT - CHUNK), (1, CONTEXT - 1)):
        assert model.forward(tokens[:count], position).shape == (tiny.vocab_size,)


def test_a_batch_of_two_is_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    write(tiny, Scheme.INT4, tmp_path)
    session = ort.InferenceSession(tmp_path / MODEL_FILE, providers=["CPUExecutionProvider"])
    size = (2, tiny.num_kv_heads, 0, tiny.head_dim)
    feeds = {info.name: np.zeros(size, np.float32) for info in session.get_inputs()[2:]}
    tokens = {"input_ids": np.ones((2, 3), np.int64), "attention_mask": np.ones((2, 3), np.int64)}
    with pytest.raises(InvalidArgument, match="Got invalid dimensions for input"):
        session.run(None, {**feeds, **tokens})


def test_onnx_checker_complains_about_one_operator_only(variant: TransformerShape, tmp_path: Path) -> None:
    write(variant, Scheme.INT4, tmp_path)
    path = tmp_path / MODEL_FILE
    with pytest.raises(onnx.checker.ValidationError, match="No Op registered for SimplifiedLayerNormalization"):
        onnx.checker.check_model(path)
    model = onnx.load(path, load_external_data=False)
    for node in model.graph.node:
        if node.op_type == "SimplifiedLayerNormalization":
            node.domain = "com.microsoft"
    path.write_bytes(model.SerializeToString())
    onnx.checker.check_model(path)


def test_genai_runs_without_special_tokens(tiny: TransformerShape, tmp_path: Path) -> None:
    spec, weights = write(tiny, Scheme.INT4, tmp_path)
    TARGET.write(replace(spec, token_ids=TokenIds(bos=None, eos=())), weights, tmp_path)
    assert genai_tokens(tmp_path, prompt(tiny, 12), CONTEXT).size == CONTEXT


def test_unsupported_sdk_versions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TARGET.verified_by() == f"onnxruntime {ort.__version__}"
    assert TARGET.toolchain()["onnx"] == onnx.__version__
    monkeypatch.setattr("export.targets.onnx.target.version", lambda _: "1.0.0")
    with pytest.raises(UserError, match=r"onnx 1\.0\.0 is not supported"):
        TARGET.toolchain()
