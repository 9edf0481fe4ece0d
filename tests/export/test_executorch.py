"""Tiny `.pte` files, executed by ExecuTorch's own runtime and read back from disk."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.quantizers import quantize
from export.targets.base import ExportOptions, ExportSpec, StoredTensor, TokenIds
from export.targets.executorch.schema_pin import SCHEMA_SHA256, check_schema, executorch_root
from export.targets.executorch.target import MODEL_FILE, ExecuTorchTarget
from models.eager import Activations, EagerDecoder, EagerMlp
from models.errors import UserError
from models.rope import ROPE_COS, ROPE_SIN, rope_tables
from models.shape import MlpShape, Shape, TransformerShape
from models.tensors import Role, tensors
from models.weights import LoadedWeights, RandomWeights

CONTEXT, CHUNK = 48, 12
# Two chunks of the prompt, single steps, and chunks behind them: every way in which a position can be reached, up to
# the last one of the cache.
CALLS = ((0, 12), (12, 20), (20, 21), (21, 22), (22, 23), (23, 35), (35, 47), (47, 48))
TARGET = ExecuTorchTarget()

# Dimensions that nothing depends on but the graph; the architectural switches are in `variant`.
DIMENSIONS = {
    "one kv head": {"num_kv_heads": 1},
    "a kv head for each head": {"num_kv_heads": 4},
    "odd vocabulary": {"vocab_size": 333},
    "heads of 80": {"head_dim": 80},
    "each layer three times": {"layer_repeats": 3},
}


def spec_of(shape: Shape, scheme: Scheme) -> ExportSpec:
    options = ExportOptions(max_context=CONTEXT, prefill_chunk=CHUNK)
    return ExportSpec(shape=shape, scheme=scheme, options=options, token_ids=TokenIds(bos=5, eos=(6, 7)))


def write(shape: Shape, scheme: Scheme, folder: Path) -> ExportSpec:
    spec = spec_of(shape, scheme)
    TARGET.write(spec, RandomWeights(shape, 3), folder)
    return spec


def source_of(spec: ExportSpec, folder: Path) -> LoadedWeights:
    """The stored weights, dequantised."""
    arrays: dict[str, np.ndarray] = {}
    for name, tensor in TARGET.stored_tensors(spec, folder):
        values = tensor.dequantize() if isinstance(tensor, QuantizedTensor) else np.array(tensor)
        arrays[name] = values
    return LoadedWeights(spec.shape, arrays)


def logits_of(decoder: EagerDecoder, tokens: np.ndarray) -> np.ndarray:
    return np.stack([decoder.forward(tokens[None, first:last], first)[0, 0] for first, last in CALLS])


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """1 - cosine, the largest over the rows."""
    return float((1 - (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)).max())


@pytest.mark.parametrize("scheme", Scheme)
def test_logits_equal_eager_with_the_stored_weights(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    check_logits(variant, scheme, tmp_path)


@pytest.mark.parametrize("changes", DIMENSIONS.values(), ids=DIMENSIONS.keys())
def test_logits_of_other_dimensions(tiny: TransformerShape, changes: dict[str, int], tmp_path: Path) -> None:
    check_logits(replace(tiny, **changes), Scheme.INT4, tmp_path)


def check_logits(shape: TransformerShape, scheme: Scheme, folder: Path) -> None:
    spec = write(shape, scheme, folder)
    model = TARGET.open_language_model(spec, folder, 1)
    tokens = np.random.default_rng(0).integers(0, shape.vocab_size, CALLS[-1][1])
    logits = np.stack([model.forward(tokens[first:last], first).copy() for first, last in CALLS])
    source = source_of(spec, folder)
    exact = logits_of(EagerDecoder(source, CONTEXT), tokens)
    assert logits.dtype == np.float32
    if scheme is Scheme.FP32:
        np.testing.assert_allclose(logits, exact, atol=1e-5)
        return
    rounded = logits_of(EagerDecoder(source, CONTEXT, Activations.INT8_PER_TOKEN), tokens)
    floor = distance(rounded, exact)
    assert distance(logits, rounded) < floor, (distance(logits, rounded), floor)
    assert distance(logits, exact) < 2 * floor, (distance(logits, exact), floor)


@pytest.mark.parametrize("scheme", Scheme)
def test_stored_tensors_are_the_quantised_source(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = write(variant, scheme, tmp_path)
    source = RandomWeights(variant, 3)
    roles = {tensor.name: tensor.role for tensor in tensors(variant)}
    formats = TARGET.storage(spec).formats
    tables = dict(zip((ROPE_COS, ROPE_SIN), rope_tables(variant, CONTEXT), strict=True))
    seen: list[str] = []
    for name, tensor in TARGET.stored_tensors(spec, tmp_path):
        seen.append(name)
        if name in tables:
            np.testing.assert_array_equal(tensor, tables[name])
            continue
        check_stored(tensor, source.get(name), formats[roles[name]].bits)
    assert sorted(seen) == sorted([*roles, *tables])  # a tied table once


@pytest.mark.parametrize("scheme", Scheme)
def test_a_tied_table_is_stored_once(tiny: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    sizes: list[int] = []
    for number, shape in enumerate((tiny, replace(tiny, tie_embeddings=False))):
        (tmp_path / str(number)).mkdir()
        spec = write(shape, scheme, tmp_path / str(number))
        sizes.append((tmp_path / str(number) / "model.pte").stat().st_size)
    form = TARGET.storage(spec).formats[Role.HEAD]
    assert sizes[1] - sizes[0] == pytest.approx(form.num_bytes(tiny.vocab_size, tiny.hidden_size), abs=512)


def check_stored(tensor: StoredTensor, source: np.ndarray, bits: int) -> None:
    if bits == 32:
        np.testing.assert_array_equal(tensor, source)
        return
    assert isinstance(tensor, QuantizedTensor)
    form = next(form for form in TARGET.storage(spec_of(MlpShape(num_layers=2, hidden_size=32), SCHEMES[bits]))
                .formats.values() if form.bits == bits)  # fmt: skip
    expected = quantize(source, form, torch.bfloat16 if bits == 4 else torch.float32)
    np.testing.assert_array_equal(tensor.values, expected.values)
    np.testing.assert_array_equal(tensor.scales, expected.scales)
    assert tensor.bits == bits


SCHEMES = {8: Scheme.INT8, 4: Scheme.INT4}


@pytest.mark.parametrize("scheme", Scheme)
def test_observed_facts(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = write(variant, scheme, tmp_path)
    observed = TARGET.observe(spec, tmp_path)
    for name, count in TARGET.required_operators(spec).items():
        assert observed.operators[name] == count, name
    assert observed.delegate_calls == 2 * variant.num_passes + 1
    assert observed.attention_operator == "XnnpackBackend:BatchMatrixMultiply"
    assert observed.cache_operator == "llama::update_cache.out"
    assert observed.backends == ("XnnpackBackend",)
    assert observed.delegated_share is not None
    assert 0.8 < observed.delegated_share < 1
    assert [(info.name, info.dtype, info.shape) for info in (*observed.inputs, *observed.outputs)] == [
        ("tokens", "int64", (1, "T")), ("input_pos", "int64", (1,)), ("logits", "float32", (1, 320)),
    ]  # fmt: skip
    assert len(observed.states) == 2 * variant.num_passes
    assert observed.states[0].shape == (1, CONTEXT, variant.num_kv_heads, variant.head_dim)


@pytest.mark.parametrize("scheme", Scheme)
def test_file_size_is_the_computed_one(variant: TransformerShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = write(variant, scheme, tmp_path)
    assert TARGET.expected_file_bytes(spec) == pytest.approx((tmp_path / MODEL_FILE).stat().st_size, rel=0.02)


@pytest.mark.parametrize("qk_norm", [False, True])
@pytest.mark.parametrize("scheme", Scheme)
def test_equal_graphs_are_stored_and_computed_once(
    tiny: TransformerShape, scheme: Scheme, qk_norm: bool, tmp_path: Path
) -> None:
    spec = write(replace(tiny, layer_repeats=3, qk_norm=qk_norm), scheme, tmp_path)
    assert TARGET.expected_file_bytes(spec) == pytest.approx((tmp_path / MODEL_FILE).stat().st_size, rel=0.02)


def test_layers_that_share_weights_store_them_once(tiny: TransformerShape, tmp_path: Path) -> None:
    sizes: list[int] = []
    for repeats in (1, 2):
        folder = tmp_path / str(repeats)
        folder.mkdir()
        write(replace(tiny, layer_repeats=repeats), Scheme.FP32, folder)
        sizes.append((folder / MODEL_FILE).stat().st_size)
    assert sizes[1] - sizes[0] < 10_000 * tiny.num_layers


def test_metadata_methods(tiny: TransformerShape, tmp_path: Path) -> None:
    from executorch.extension.pybindings.portable_lib import _load_for_executorch

    spec = write(tiny, Scheme.INT4, tmp_path)
    TARGET.open_language_model(spec, tmp_path, 1)
    module = _load_for_executorch(str(tmp_path / MODEL_FILE))
    expected = {
        "get_max_seq_len": [CHUNK], "get_max_context_len": [CONTEXT], "get_vocab_size": [320], "get_n_layers": [3],
        "get_bos_id": [5], "get_eos_ids": [6, 7], "use_kv_cache": [True], "use_sdpa_with_kv_cache": [True],
        "enable_dynamic_shape": [True],
    }  # fmt: skip
    assert {name: list(module.run_method(name, ())) for name in expected} == expected


def test_special_tokens_that_a_checkpoint_lacks_are_left_out(tiny: TransformerShape, tmp_path: Path) -> None:
    from executorch.extension.pybindings.portable_lib import _load_for_executorch

    spec = replace(spec_of(tiny, Scheme.FP32), token_ids=TokenIds(bos=None, eos=()))
    TARGET.write(spec, RandomWeights(tiny, 3), tmp_path)
    names = _load_for_executorch(str(tmp_path / MODEL_FILE)).method_names()
    assert "get_vocab_size" in names
    assert not {"get_bos_id", "get_eos_ids"} & set(names)


def test_calls_out_of_bounds_are_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    model = TARGET.open_language_model(write(tiny, Scheme.FP32, tmp_path), tmp_path, 1)
    tokens = np.arange(CHUNK + 1)
    for count, position in ((0, 0), (CHUNK + 1, 0), (1, -1), (1, CONTEXT), (CHUNK, CONTEXT - CHUNK + 1)):
        with pytest.raises(UserError, match=rf"{count} tokens"):
            model.forward(tokens[:count], position)
    for count, position in ((1, 0), (CHUNK, 0), (CHUNK, CONTEXT - CHUNK), (1, CONTEXT - 1)):
        assert model.forward(tokens[:count], position).shape == (320,)


def test_a_text_can_start_again(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = write(tiny, Scheme.INT4, tmp_path)
    model = TARGET.open_language_model(spec, tmp_path, 2)
    tokens = np.arange(CHUNK)
    first = model.forward(tokens, 0).copy()
    model.forward(tokens[::-1], CHUNK)
    np.testing.assert_array_equal(model.forward(tokens, 0), first)


@pytest.mark.parametrize("scheme", Scheme)
def test_mlp(tiny_mlp: MlpShape, scheme: Scheme, tmp_path: Path) -> None:
    spec = write(tiny_mlp, scheme, tmp_path)
    x = np.random.default_rng(1).standard_normal((1, 96), dtype=np.float32)
    output = TARGET.open_network(spec, tmp_path, 1).forward(x).copy()
    source = source_of(spec, tmp_path)
    expected = EagerMlp(source, TARGET.activations(scheme)[0]).forward(x)
    np.testing.assert_allclose(output, expected, atol=1e-5 if scheme is Scheme.FP32 else 0.02 * np.abs(expected).max())
    observed = TARGET.observe(spec, tmp_path)
    assert {name: observed.operators[name] for name in TARGET.required_operators(spec)} == TARGET.required_operators(
        spec
    )
    assert (observed.delegate_calls, observed.delegated_share) == (1, 1.0)
    assert TARGET.expected_file_bytes(spec) == pytest.approx((tmp_path / MODEL_FILE).stat().st_size, rel=0.02)
    assert {name for name, _ in TARGET.stored_tensors(spec, tmp_path)} == {tensor.name for tensor in tensors(tiny_mlp)}


def test_schema_pin(tmp_path: Path) -> None:
    check_schema(executorch_root())
    for name in SCHEMA_SHA256:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(executorch_root() / name, tmp_path / name)
    check_schema(tmp_path)
    changed = tmp_path / "exir/schema.py"
    changed.write_text(changed.read_text() + "\n")
    with pytest.raises(UserError, match=r"exir/schema\.py is not the one of 1\.5\.1: install executorch==1\.5\.1"):
        check_schema(tmp_path)
    changed.unlink()
    with pytest.raises(UserError, match=r"exir/schema\.py is missing"):
        check_schema(tmp_path)


def test_toolchain_names_the_pinned_version() -> None:
    assert TARGET.toolchain()["executorch"].startswith("1.5.1")
    assert TARGET.verified_by() == "executorch 1.5.1"
