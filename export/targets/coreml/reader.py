"""A saved `.mlpackage` as plain Python: the program's operators and the numbers in its weight file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import DecodeError

from export.targets.base import TensorInfo
from export.targets.coreml.sdk import Proto, load_sdk
from export.targets.coreml.weight_file import Blob, WeightFile
from models.errors import UserError

MODEL_TYPE_DTYPES = {65552: "float16", 65568: "float32", 131104: "int32"}


@dataclass(frozen=True, slots=True)
class Reference:
    """An argument that another operator, an input or a state provides."""

    name: str


# What an operator's argument can be: someone's output, numbers in the weight file, or numbers or text in the program.
Argument = Reference | Blob | np.ndarray | str


@dataclass(frozen=True, slots=True)
class Operator:
    """One MIL operator.

    Attributes:
        kind: MIL operator type, such as `linear`.
        inputs: arguments by parameter name; only `values` of `concat` has more than one. Constants are resolved.
        outputs: names of the results.
        dtypes: element type of each result, as numpy calls it.
    """

    kind: str
    inputs: Mapping[str, tuple[Argument, ...]]
    outputs: tuple[str, ...]
    dtypes: tuple[str, ...]

    def argument(self, parameter: str) -> Argument:
        """The argument of a parameter that takes one."""
        (argument,) = self.inputs[parameter]
        return argument


@dataclass(frozen=True, slots=True)
class Package:
    """A program with its interface. `operators` has everything but `const`, which the arguments already contain."""

    operators: tuple[Operator, ...]
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    states: tuple[TensorInfo, ...]
    specification_version: int
    opset: str
    weights: WeightFile


def read_package(path: Path) -> Package:
    """Parse the package at `path`.

    Raises:
        UserError: a file of the package is missing, cut or not what it should be.
    """
    model = _read_model(path)
    function = model.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    constants: dict[str, Argument] = {}
    operators: list[Operator] = []
    for operation in block.operations:
        if operation.type == "const":
            constants[operation.outputs[0].name] = _value(operation.attributes["val"])
        else:
            operators.append(_operator(operation, constants))
    description = model.description
    return Package(
        operators=tuple(operators),
        inputs=tuple(_feature(feature) for feature in description.input),
        outputs=tuple(_feature(feature) for feature in description.output),
        states=tuple(_state(feature) for feature in description.state),
        specification_version=model.specificationVersion,
        opset=function.opset,
        weights=WeightFile(path / "Data/com.apple.CoreML/weights/weight.bin"),
    )


def _read_model(path: Path) -> Proto:
    manifest = path / "Manifest.json"
    try:
        entries = json.loads(manifest.read_text())
        item = entries["itemInfoEntries"][entries["rootModelIdentifier"]]["path"]
        return load_sdk().model_proto.Model.FromString((path / "Data" / item).read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: file {error.filename} of the package is missing") from None
    except (json.JSONDecodeError, KeyError):
        raise UserError(f"{manifest}: not the manifest of a Core ML package") from None
    except DecodeError:
        raise UserError(f"{path}: its model.mlmodel is not a Core ML model or is damaged") from None


def _operator(operation: Proto, constants: Mapping[str, Argument]) -> Operator:
    inputs = {
        parameter: tuple(_argument(binding, constants) for binding in argument.arguments)
        for parameter, argument in operation.inputs.items()
    }
    dtypes = tuple(_dtype(output.type.tensorType) for output in operation.outputs)
    return Operator(operation.type, inputs, tuple(output.name for output in operation.outputs), dtypes)


def _argument(binding: Proto, constants: Mapping[str, Argument]) -> Argument:
    if binding.HasField("value"):
        return _value(binding.value)
    return constants.get(binding.name, Reference(binding.name))


def _value(value: Proto) -> Argument:
    """Numbers of a MIL value. `bytes` is how MIL stores what protobuf has no type for."""
    kind = value.type.tensorType
    shape = tuple(dimension.constant.size for dimension in kind.dimensions)
    if value.HasField("blobFileValue"):
        return Blob(value.blobFileValue.offset, _dtype(kind), shape)
    tensor = value.immediateValue.tensor
    field = tensor.WhichOneof("value")
    if field == "strings":
        return str(tensor.strings.values[0])
    if field == "bytes":
        return np.frombuffer(tensor.bytes.values, _dtype(kind)).reshape(shape)
    return np.array(getattr(tensor, field).values, _dtype(kind)).reshape(shape)


def _dtype(tensor_type: Proto) -> str:
    name = load_sdk().mil_proto.DataType.Name(tensor_type.dataType).lower()
    return "str" if name == "string" else name


def _feature(feature: Proto) -> TensorInfo:
    array = feature.type.multiArrayType
    sizes: list[int | str] = list(array.shape)
    for axis, limits in enumerate(array.shapeRange.sizeRanges):
        if limits.lowerBound != limits.upperBound:
            sizes[axis] = f"{limits.lowerBound}..{limits.upperBound}"
    return TensorInfo(name=feature.name, dtype=MODEL_TYPE_DTYPES[array.dataType], shape=tuple(sizes))


def _state(feature: Proto) -> TensorInfo:
    array = feature.type.stateType.arrayType
    return TensorInfo(name=feature.name, dtype=MODEL_TYPE_DTYPES[array.dataType], shape=tuple(array.shape))
