"""The evaluator's operators on packages that coremltools wrote, against torch."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from export.targets.coreml.evaluator import Evaluator
from export.targets.coreml.reader import read_package
from export.targets.coreml.sdk import load_sdk, quiet_conversion
from models.errors import UserError

Build = Callable[..., Any]


def run(build: Build, folder: Path, *calls: dict[str, np.ndarray], state: tuple[int, ...] = ()) -> list[np.ndarray]:
    """Save the program that `build` makes of fixed-size float32 inputs and call it, keeping its state."""
    return [evaluator.predict(call)["result"] for evaluator in [load(build, folder, calls[0], state)] for call in calls]


def load(build: Build, folder: Path, call: dict[str, np.ndarray], state: tuple[int, ...] = ()) -> Evaluator:
    sdk = load_sdk()
    kinds = {np.dtype(np.float32): sdk.types.fp32, np.dtype(np.float16): sdk.types.fp16}
    inputs = {name: sdk.mb.placeholder(array.shape, dtype=kinds[array.dtype]) for name, array in call.items()}
    if state:
        inputs["cache"] = sdk.mb.state_tensor_placeholder(state, dtype=sdk.types.fp16)
    with sdk.mil.Function(inputs, opset_version=sdk.ct.target.iOS18) as function:
        result = build(sdk.mb, *(function.inputs[name] for name in inputs))
        result.name = "result"
        function.set_outputs([result])
    program = sdk.mil.Program()
    program.add_function("main", function)
    types = [sdk.ct.TensorType(name, shape=array.shape, dtype=array.dtype.type) for name, array in call.items()]
    with quiet_conversion():
        sdk.ct.convert(
            program, source="milinternal", convert_to="mlprogram", inputs=types, skip_model_load=True,
            minimum_deployment_target=sdk.ct.target.iOS18, pass_pipeline=sdk.ct.PassPipeline.EMPTY,
            package_dir=str(folder / "op.mlpackage"),
        )  # fmt: skip
    return Evaluator(read_package(folder / "op.mlpackage"))


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape, dtype=np.float32)


X = numbers(2, 6, 8)
T = torch.from_numpy(X)
CASES: dict[str, tuple[Build, torch.Tensor]] = {
    "slice": (
        lambda mb, x: mb.slice_by_index(x=x, begin=[0, 1, 2], end=[2, 5, 8], stride=[1, 2, 3]),
        T[:, 1:5:2, 2:8:3],
    ),
    "slice-masks": (
        lambda mb, x: mb.slice_by_index(
            x=x, begin=[1, 3, 5], end=[1, 4, 7], begin_mask=[True, False, False], end_mask=[True, False, True]
        ),
        T[:, 3:4, 5:],
    ),
    "slice-squeeze": (
        lambda mb, x: mb.slice_by_index(
            x=x, begin=[1, 0, 0], end=[0, 6, 8], squeeze_mask=[True, False, False]
        ),
        T[1],
    ),
    "slice-last": (
        lambda mb, x: mb.slice_by_index(x=x, begin=[0, -1, 0], end=[0, 0, 0], end_mask=[True] * 3), T[:, -1:]
    ),
    "slice-update": (
        lambda mb, x: mb.slice_update(x=x, update=np.ones((2, 2, 8), np.float32), begin=[0, 2, 0], end=[2, 4, 8]),
        torch.cat([T[:, :2], torch.ones(2, 2, 8), T[:, 4:]], 1),
    ),
    "split-sizes": (lambda mb, x: mb.split(x=x, split_sizes=[1, 3, 2], axis=1)[1], T[:, 1:4]),
    "split-number": (lambda mb, x: mb.split(x=x, num_splits=2, axis=-1)[1], T[..., 4:]),
    "concat": (lambda mb, x: mb.concat(values=[x, x], axis=1), torch.cat([T, T], 1)),
    "gather": (lambda mb, x: mb.gather(x=x, indices=np.int32([[3, 0]]), axis=1), T[:, [3, 0]].unflatten(1, (1, 2))),
    "reshape": (lambda mb, x: mb.reshape(x=x, shape=[4, -1, 8]), T.reshape(4, 3, 8)),
    "transpose": (lambda mb, x: mb.transpose(x=x, perm=[2, 0, 1]), T.permute(2, 0, 1)),
    "tile": (lambda mb, x: mb.tile(x=x, reps=[1, 3, 1]), T.repeat(1, 3, 1)),
    "softmax": (lambda mb, x: mb.softmax(x=x, axis=-1), torch.softmax(T, -1)),
    "reduce-mean": (lambda mb, x: mb.reduce_mean(x=x, axes=[-1], keep_dims=True), T.mean(-1, keepdim=True)),
    "rsqrt": (lambda mb, x: mb.rsqrt(x=mb.mul(x=x, y=x), epsilon=np.float32(0.5)), torch.rsqrt(T * T + 0.5)),
    "silu": (lambda mb, x: mb.silu(x=x), functional.silu(T)),
    "relu": (lambda mb, x: mb.relu(x=x), T.relu()),
    "matmul": (lambda mb, x: mb.matmul(x=x, y=x, transpose_y=True), T @ T.transpose(1, 2)),
    "linear": (
        lambda mb, x: mb.linear(x=x, weight=numbers(5, 8), bias=numbers(5)),
        functional.linear(T, torch.from_numpy(numbers(5, 8)), torch.from_numpy(numbers(5))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_operator_is_torchs(case: tuple[Build, torch.Tensor], tmp_path: Path) -> None:
    build, expected = case
    (found,) = run(build, tmp_path, {"x": X})
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_attention_adds_a_mask_that_broadcasts_over_heads(tmp_path: Path) -> None:
    q, k, v = numbers(1, 3, 4, 16), numbers(1, 3, 6, 16), numbers(1, 3, 6, 16) + 1
    mask = np.triu(np.full((1, 1, 4, 6), -3e4, np.float32), 3)
    (found,) = run(
        lambda mb, q, k, v, mask: mb.scaled_dot_product_attention(query=q, key=k, value=v, attn_mask=mask),
        tmp_path,
        {"q": q, "k": k, "v": v, "mask": mask},
    )
    scores = torch.from_numpy(q) @ torch.from_numpy(k).transpose(-1, -2) / 4
    expected = torch.softmax(scores.masked_fill(torch.from_numpy(mask) < 0, -torch.inf), -1) @ torch.from_numpy(v)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_attention_scores_beyond_float16_are_not_hidden(tmp_path: Path) -> None:
    def build(mb: Any, q: Any) -> Any:
        return mb.scaled_dot_product_attention(query=q, key=q, value=q)

    small, large = np.full((1, 1, 2, 16), 100, np.float16), np.full((1, 1, 2, 16), 200, np.float16)
    fits, overflows = run(build, tmp_path, {"q": small}, {"q": large})  # scores of 40 000 and 160 000
    np.testing.assert_array_equal(fits, small)
    assert np.isnan(overflows).all()


@pytest.mark.parametrize(
    ("dtype", "expected"), [("fp16", np.float16([2048, -1.7])), ("int32", np.int32([2049, -1]))], ids=["fp16", "int32"]
)
def test_cast_rounds(dtype: str, expected: np.ndarray, tmp_path: Path) -> None:
    (found,) = run(lambda mb, x: mb.cast(x=x, dtype=dtype), tmp_path, {"x": np.float32([2049, -1.7])})
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


# Each takes float32 `y` and, once the package is edited, float16 `x`.
MIXED: dict[str, Build] = {
    "add": lambda mb, x, y: mb.add(x=x, y=y),
    "mul": lambda mb, x, y: mb.mul(x=x, y=y),
    "matmul": lambda mb, x, y: mb.matmul(x=x, y=y),
    "linear": lambda mb, x: mb.linear(x=x, weight=numbers(4, 4)),
    "slice_update": lambda mb, x, y: mb.slice_update(x=x, update=y, begin=[0, 0, 0], end=[1, 4, 4]),
    "scaled_dot_product_attention": lambda mb, x, y: mb.scaled_dot_product_attention(query=x, key=y, value=y),
}


@pytest.mark.parametrize(("kind", "build"), MIXED.items(), ids=MIXED.keys())
def test_mixed_element_types_are_refused(kind: str, build: Build, tmp_path: Path) -> None:
    """coremltools builds no such program: both inputs are float32 until the first one is declared float16."""
    x = numbers(1, 4, 4)
    load(build, tmp_path, {"x": x} if kind == "linear" else {"x": x, "y": x})
    package = read_package(tmp_path / "op.mlpackage")
    inputs = (replace(package.inputs[0], dtype="float16"), *package.inputs[1:])
    with pytest.raises(UserError, match=f"{kind} result mixes element types: float16, float32"):
        Evaluator(replace(package, inputs=inputs))


def test_input_of_another_type_is_named(tmp_path: Path) -> None:
    evaluator = load(lambda mb, x: mb.relu(x=x), tmp_path, {"x": X})
    with pytest.raises(UserError, match="input x is float64, not float32"):
        evaluator.predict({"x": X.astype(np.float64)})


def test_slices_of_slices_of_a_state_stay_what_they_were(tmp_path: Path) -> None:
    """Read in two steps before and after a write; only the last slice of a chain may outlive the write."""

    def build(mb: Any, x: Any, state: Any) -> Any:
        row = mb.slice_by_index(x=mb.read_state(input=state), begin=[1, 0], end=[2, 4])
        old = mb.slice_by_index(x=row, begin=[0, 0], end=[1, 2])
        new = mb.slice_update(x=mb.read_state(input=state), update=x, begin=[1, 0], end=[2, 4])
        written = mb.coreml_update_state(state=state, value=new)
        changed = mb.slice_by_index(x=mb.slice_by_index(x=written, begin=[1, 0], end=[2, 4]), begin=[0, 2], end=[1, 4])
        late = mb.slice_by_index(x=row, begin=[0, 2], end=[1, 4])
        return mb.concat(values=[old, late, changed], axis=1)

    calls = [{"x": np.full((1, 4), value, np.float16)} for value in (1, 2)]
    first, second = run(build, tmp_path, *calls, state=(2, 4))
    np.testing.assert_array_equal(first, [[0, 0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(second, [[1, 1, 1, 1, 2, 2]])


def test_each_result_is_rounded_to_its_declared_type(tmp_path: Path) -> None:
    x = np.float16([[1.0, 3.0]])
    (found,) = run(lambda mb, x: mb.add(x=mb.add(x=x, y=np.float16(2048)), y=np.float16(-2048)), tmp_path, {"x": x})
    np.testing.assert_array_equal(found, [[0.0, 4.0]])  # 2049 and 2051 are halfway between float16 numbers


@pytest.mark.parametrize("bits", [4, 8])
def test_blockwise_weights_are_data_times_scale(bits: int, tmp_path: Path) -> None:
    from coremltools.converters.mil.mil.types.type_mapping import string_to_nptype

    limit = 2 ** (bits - 1)
    data = np.random.default_rng(0).integers(-limit, limit, (4, 64)).astype(np.int8)
    scale = np.random.default_rng(1).uniform(0.5, 2, (4, 2)).astype(np.float16)
    stored = data.astype(string_to_nptype("int4")) if bits == 4 else data

    def build(mb: Any, x: Any) -> Any:
        return mb.linear(x=x, weight=mb.constexpr_blockwise_shift_scale(data=stored, scale=scale))

    (found,) = run(build, tmp_path, {"x": np.eye(64, dtype=np.float16)})
    np.testing.assert_array_equal(found.T, (data * np.repeat(scale.astype(np.float32), 32, 1)).astype(np.float16))


def test_state_survives_calls_and_a_value_read_before_a_write_stays_old(tmp_path: Path) -> None:
    def build(mb: Any, x: Any, state: Any) -> Any:
        old, again = mb.read_state(input=state), mb.read_state(input=state)
        new = mb.slice_update(x=again, update=x, begin=[1, 0], end=[2, 4])
        written = mb.coreml_update_state(state=state, value=new)
        return mb.concat(values=[old, written], axis=0)

    calls = [{"x": np.full((1, 4), value, np.float16)} for value in (1, 2)]
    first, second = run(build, tmp_path, *calls, state=(2, 4))
    np.testing.assert_array_equal(first[:, 0], [0, 0, 0, 1])
    np.testing.assert_array_equal(second[:, 0], [0, 1, 0, 2])


def test_update_that_is_not_written_back_leaves_the_state_alone(tmp_path: Path) -> None:
    def build(mb: Any, x: Any, state: Any) -> Any:
        changed = mb.slice_update(x=mb.read_state(input=state), update=x, begin=[0, 0], end=[1, 4])
        return mb.concat(values=[changed, mb.read_state(input=state)], axis=0)

    call = {"x": np.ones((1, 4), np.float16)}
    first, second = run(build, tmp_path, call, call, state=(1, 4))
    np.testing.assert_array_equal(first[:, 0], [1, 0])
    np.testing.assert_array_equal(second[:, 0], [1, 0])


def test_unknown_operator_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="operator erf is not one of"):
        load(lambda mb, x: mb.erf(x=x), tmp_path, {"x": X})


def test_missing_input_is_named(tmp_path: Path) -> None:
    evaluator = load(lambda mb, x: mb.relu(x=x), tmp_path, {"x": X})
    with pytest.raises(UserError, match="input x is missing; given: y"):
        evaluator.predict({"y": X})
