"""One ONNX file in the making: nodes in memory, every weight's bytes straight to the data file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.targets.onnx.storage import ALIGNMENT, DATA_FILE, MODEL_FILE

CONTRIB = "com.microsoft"
# The newest pair that ONNX Runtime 1.29, the build for the JVM and Android, loads without a warning.
IR_VERSION = 10
OPSET = 21
INT32 = TensorProto.INT32

Attribute = int | float | str
Dimensions = Sequence[int | str]


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of one array in the data file."""

    offset: int
    length: int
    dtype: np.dtype


class GraphWriter:
    """Collects a graph and streams its weights. Values are names; a use of `data` ends with `save`."""

    def __init__(self, folder: Path, data: BinaryIO) -> None:
        self._folder = folder
        self._data = data
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def node(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Attribute] | None = None,
        more_outputs: Sequence[str] = (),
    ) -> str:
        """Append a standard operator; outputs after the first are named by the caller.

        Returns:
            The name of the first output.
        """
        return self._append(operator, inputs, attributes or {}, more_outputs, "")

    def contrib(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Attribute],
        more_outputs: Sequence[str] = (),
    ) -> str:
        """Append an operator of ONNX Runtime's own domain; the same otherwise."""
        return self._append(operator, inputs, attributes, more_outputs, CONTRIB)

    def input(self, name: str, dtype: type[np.generic], dimensions: Dimensions) -> str:
        """Declare an input of the graph."""
        self._inputs.append(_value_info(name, dtype, dimensions))
        return name

    def output(self, name: str, dtype: type[np.generic], dimensions: Dimensions) -> str:
        """Declare an output of the graph."""
        self._outputs.append(_value_info(name, dtype, dimensions))
        return name

    def rename_last(self, value: str, name: str) -> None:
        """Give the newest node's output `value` the name of a graph output, which saves an Identity node."""
        assert self._nodes[-1].output[0] == value
        self._nodes[-1].output[0] = name

    def write(self, array: np.ndarray) -> Extent:
        """Append an array to the data file."""
        self._data.write(bytes(-self._data.tell() % ALIGNMENT))
        extent = Extent(self._data.tell(), array.nbytes, array.dtype)
        self._data.write(np.ascontiguousarray(array).data)
        return extent

    def weight(self, name: str, extent: Extent, dimensions: Sequence[int]) -> str:
        """Declare an initializer over written bytes. Several may look at the same ones with other dimensions."""
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(extent.dtype), dims=dimensions)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", DATA_FILE), ("offset", extent.offset), ("length", extent.length)):
            tensor.external_data.add(key=key, value=str(value))
        self._initializers[name] = tensor
        return name

    def constant(self, name: str, array: np.ndarray) -> str:
        """A small initializer inside the model file."""
        self._initializers[name] = numpy_helper.from_array(array, name)
        return name

    def save(self, name: str) -> None:
        """Write the model file."""
        initializers = list(self._initializers.values())
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="deepnarrow")
        (self._folder / MODEL_FILE).write_bytes(model.SerializeToString(deterministic=True))

    def _append(
        self,
        operator: str,
        inputs: Sequence[str],
        attributes: Mapping[str, Attribute],
        more_outputs: Sequence[str],
        domain: str,
    ) -> str:
        first = f"{operator}_{len(self._nodes)}"
        node = helper.make_node(operator, inputs, [first, *more_outputs], name=f"node_{first}", domain=domain)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self._nodes.append(node)
        return first


def _value_info(name: str, dtype: type[np.generic], dimensions: Dimensions) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), dimensions)
