"""The written files, parsed: nodes by the values they consume, initializers as places in the data file."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper

from export.quantized import QuantizedTensor
from export.targets.base import StoredTensor, TensorInfo
from export.targets.onnx.storage import DATA_FILE, MODEL_FILE, unpack
from models.errors import UserError


@dataclass(frozen=True, slots=True)
class Node:
    """One operator."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int | float]


@dataclass(frozen=True, slots=True)
class Place:
    """A weight in the data file: offsets in bytes, `columns` 1 for vectors, `bits` 32 and no scales for floats."""

    offset: int
    rows: int
    columns: int
    bits: int = 32
    scales_offset: int = 0
    groups: int = 0


class ModelFile:
    """model.onnx and its data file, which is mapped, not read.

    Raises:
        UserError: a file is missing or is not what the other says.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MODEL_FILE
        self._data_path = folder / DATA_FILE
        for name in (MODEL_FILE, DATA_FILE):
            if not (folder / name).is_file():
                raise UserError(f"{folder}: no {name}; write the artifact again")
        try:
            model = onnx.load(str(self.path), load_external_data=False)
        except DecodeError as error:
            raise UserError(f"{self.path}: not an ONNX file ({error}); write the artifact again") from error
        self.nodes = [_node(proto) for proto in model.graph.node]
        self.inputs = _infos(model.graph.input)
        self.outputs = _infos(model.graph.output)
        self._initializers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._data = np.memmap(self._data_path, np.uint8, "r")
        self._consumers: defaultdict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                self._consumers[name].append(node)

    def consumers(self, value: str, *operators: str) -> list[Node]:
        """Nodes of these operators that read `value`, in the graph's order."""
        return [node for node in self._consumers[value] if node.operator in operators]

    def only_consumer(self, value: str, *operators: str) -> Node:
        """The one node of these operators that reads `value`.

        Raises:
            UserError: there is none, or there are several.
        """
        found = self.consumers(value, *operators)
        if len(found) != 1:
            raise UserError(f"{self.path}: {len(found)} {' or '.join(operators)} read {value}, not 1")
        return found[0]

    def floats(self, name: str) -> Place:
        """Where the float32 initializer `name` lies."""
        tensor = self._initializer(name)
        columns = tensor.dims[1] if len(tensor.dims) > 1 else 1
        return Place(self._offset(tensor, tensor.dims[0] * columns * 4), tensor.dims[0], columns)

    def integers(self, values: str, scales: str, bits: int, columns: int) -> Place:
        """Where the integer matrix `values` and its scales lie."""
        rows = self._initializer(scales).dims[0]
        groups = self._initializer(scales).dims[1]
        offset = self._offset(self._initializer(values), rows * columns * bits // 8)
        return Place(offset, rows, columns, bits, self._offset(self._initializer(scales), rows * groups * 4), groups)

    def columns(self, values: str, bits: int) -> int:
        """Columns of the packed matrix `values`, one row of which is the last dimension."""
        return self._initializer(values).dims[1] * 8 // bits

    def read(self, place: Place, first: int, count: int) -> StoredTensor:
        """`count` rows of the weight at `place` from row `first` on."""
        row_bytes = place.columns * place.bits // 8
        raw = self._data[place.offset + first * row_bytes :][: count * row_bytes]
        if place.bits == 32:
            numbers = np.array(raw.view(np.float32))
            return numbers if place.columns == 1 else numbers.reshape(count, place.columns)
        scales = self._data[place.scales_offset + first * place.groups * 4 :][: count * place.groups * 4]
        numbers = np.array(scales.view(np.float32)).reshape(count, place.groups)
        return QuantizedTensor(unpack(np.array(raw).reshape(count, row_bytes), place.bits), numbers, place.bits)

    def _initializer(self, name: str) -> onnx.TensorProto:
        if name not in self._initializers:
            raise UserError(f"{self.path}: {name or 'an input'} is not a stored weight")
        return self._initializers[name]

    def _offset(self, tensor: onnx.TensorProto, length: int) -> int:
        place = {entry.key: entry.value for entry in tensor.external_data}
        offset = int(place.get("offset", -1))
        fits = offset >= 0 and offset + length <= self._data.size
        if place.get("location") != DATA_FILE or int(place["length"]) != length or not fits:
            raise UserError(f"{self._data_path}: {tensor.name} does not lie in it as {MODEL_FILE} says")
        return offset


def _node(proto: onnx.NodeProto) -> Node:
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in proto.attribute}
    return Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes)


def _infos(values: Iterable[onnx.ValueInfoProto]) -> tuple[TensorInfo, ...]:
    return tuple(_info(value) for value in values)


def _info(value: onnx.ValueInfoProto) -> TensorInfo:
    tensor = value.type.tensor_type
    dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    return TensorInfo(
        name=value.name,
        dtype=dtype.name,
        shape=tuple(dimension.dim_param or dimension.dim_value for dimension in tensor.shape.dim),
    )
