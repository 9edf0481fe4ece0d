"""One XNNPACK delegate graph, built operator by operator with ExecuTorch's own schema classes.

Values are ids. The graph knows their dimensions, with the token axis at its upper bound, and infers those of results.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from executorch.backends.xnnpack.serialization import xnnpack_graph_schema as xnn
from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import serialize_xnnpack_binary

from export.targets.executorch.constants import Blob, ConstantStore, Filter

NO_VALUE = 2**32 - 1  # XNN_INVALID_VALUE_ID
IN_NAMED_DATA = 2**64 - 1  # an offset that sends the reader to `named_key`
EXTERNAL_INPUT, EXTERNAL_OUTPUT = 1, 2  # XNN_VALUE_FLAG_*
TRANSPOSE_B = 1  # XNN_FLAG_TRANSPOSE_B of a batch matrix multiply
REST = 0  # as a dimension of a reshape or a size of a slice: whatever is left

_FP32 = xnn.XNNDatatype.xnn_datatype_fp32


class XnnGraph:
    """Records values and nodes; `serialize` gives the delegate's payload."""

    def __init__(self, constants: ConstantStore) -> None:
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self._constants = constants
        self._values: list[xnn.XValue] = []
        self._tensors: list[xnn.XNNTensorValue] = []
        self._nodes: list[xnn.XNode] = []
        self._data = [xnn.ConstantDataOffset(0, 0)]  # index 0 means "not a constant"
        self._quantized: dict[int, int] = {}

    @property
    def empty(self) -> bool:
        """Whether no operator was recorded yet."""
        return not self._nodes

    def dims(self, value: int) -> tuple[int, ...]:
        """Dimensions of `value`."""
        return tuple(self._tensors[value].dims)

    def input(self, dims: Sequence[int]) -> int:
        """A tensor that the caller passes in."""
        value = self._value(dims)
        self._tensors[value].flags = EXTERNAL_INPUT
        self.inputs.append(value)
        return value

    def mark_output(self, value: int) -> None:
        """Hand `value` to the caller as well."""
        self._tensors[value].flags = EXTERNAL_OUTPUT
        self.outputs.append(value)

    def constant(self, array: np.ndarray) -> int:
        """A float32 constant."""
        return self._value(array.shape, data=self._refer(self._constants.add(array.astype(np.float32).tobytes())))

    def filter(self, matrix: Filter) -> int:
        """A stored matrix as the weight of a fully connected layer."""
        dims, data = (matrix.rows, matrix.columns), self._refer(matrix.values)
        if matrix.scales is None:
            return self._value(dims, data=data)
        scales, count = self._refer(matrix.scales), matrix.num_scales
        if matrix.bits == 8:
            params = xnn.PerChannelQuant([], 0, scale_buffer_idx=scales, num_scales=count)
            return self._value(dims, xnn.XNNDatatype.xnn_datatype_qcint8, data, params)
        group = matrix.rows * matrix.columns // count
        params = xnn.PerChannelGroupQuant([], 0, group, scale_buffer_idx=scales, num_scales=count)
        return self._value(dims, xnn.XNNDatatype.xnn_datatype_qbint4, data, params)

    def quantize_rows(self, x: int) -> int:
        """`x` as int8 with a scale and a zero point per row, computed at run time; once per value."""
        if x not in self._quantized:
            params = xnn.PerTokenDynamicQuant(num_nonbatch_dims=1)
            out = self._value(self.dims(x), xnn.XNNDatatype.xnn_datatype_qdint8, params=params)
            self._node(xnn.XNNConvert(input_id=x, output_id=out, flags=0))
            self._quantized[x] = out
        return self._quantized[x]

    def fully_connected(self, x: int, weight: int, bias: int = NO_VALUE) -> int:
        """x @ weight.T + bias."""
        out = self._value((*self.dims(x)[:-1], self.dims(weight)[0]))
        self._node(xnn.XNNFullyConnected(input1_id=x, filter_id=weight, bias_id=bias, output_id=out, flags=0))
        return out

    def unary(self, kind: type[xnn.XNNNode1x1], x: int) -> int:
        """An elementwise operator, or softmax over the last axis."""
        out = self._value(self.dims(x))
        self._node(kind(input_id=x, output_id=out, flags=0))
        return out

    def binary(self, kind: type[xnn.XNNNode2x1], a: int, b: int) -> int:
        """An elementwise operator with numpy's broadcasting."""
        out = self._value(np.broadcast_shapes(self.dims(a), self.dims(b)))
        self._node(kind(input1_id=a, input2_id=b, output_id=out, flags=0))
        return out

    def relu(self, x: int) -> int:
        """max(x, 0)."""
        out = self._value(self.dims(x))
        limits = xnn.OutputMinMax(output_min=0, output_max="+inf")
        self._node(xnn.XNNClamp(input_id=x, output_id=out, flags=0), limits)
        return out

    def batch_matmul(self, a: int, b: int, transpose_b: bool) -> int:
        """a @ b, or a @ b.T, over leading batch axes."""
        columns = self.dims(b)[-2 if transpose_b else -1]
        out = self._value((*self.dims(a)[:-1], columns))
        flags = TRANSPOSE_B if transpose_b else 0
        self._node(xnn.XNNBatchMatrixMultiply(input1_id=a, input2_id=b, output_id=out, flags=flags))
        return out

    def reshape(self, x: int, dims: Sequence[int]) -> int:
        """At most one of `dims` is REST: the one that follows the token axis at run time."""
        known = int(np.prod([dim for dim in dims if dim != REST]))
        size = int(np.prod(self.dims(x)))
        out = self._value([dim if dim != REST else size // known for dim in dims])
        shape = list(dims)
        self._node(xnn.XNNStaticReshape(num_dims=len(shape), new_shape=shape, input_id=x, output_id=out, flags=0))
        return out

    def slice(self, x: int, axis: int, start: int, size: int) -> int:
        """Elements start..start + size of one axis."""
        dims = list(self.dims(x))
        offsets, sizes = [0] * len(dims), [REST] * len(dims)
        axis %= len(dims)
        dims[axis] = sizes[axis] = size
        offsets[axis] = start
        out = self._value(dims)
        self._node(
            xnn.XNNStaticSlice(
                num_dims=len(dims), offsets=offsets, sizes=sizes, input_id=x, output_id=out, flags=0
            )
        )  # fmt: skip
        return out

    def concatenate(self, a: int, b: int, axis: int) -> int:
        """Two values side by side."""
        dims = list(self.dims(a))
        axis %= len(dims)
        dims[axis] += self.dims(b)[axis]
        out = self._value(dims)
        unused = dict.fromkeys(("input3_id", "input4_id", "input5_id"), NO_VALUE)
        self._node(xnn.XNNConcatenate2(axis=axis, input1_id=a, input2_id=b, output_id=out, flags=0, **unused))
        return out

    def transpose(self, x: int, perm: Sequence[int]) -> int:
        """Reordered axes."""
        dims = self.dims(x)
        out = self._value([dims[axis] for axis in perm])
        self._node(
            xnn.XNNStaticTranspose(num_dims=len(dims), perm=list(perm), input_id=x, output_id=out, flags=0)
        )  # fmt: skip
        return out

    def rms_norm(self, x: int, weight: int, eps: float) -> int:
        """x / sqrt(mean(x^2) + eps) * weight over the last axis; axis 1 of `x` may be the token axis."""
        dims = self.dims(x)
        square = self.unary(xnn.XNNSquare, x)
        # A global average pool over [rows, 1, width, 1 channel] is XNNPACK's mean over the last axis.
        image = self.reshape(square, [REST, 1, dims[-1], 1])
        mean = self._value((self.dims(image)[0], 1, 1, 1))
        self._node(xnn.XNNGlobalAvgPooling2d(input_id=image, output_id=mean, flags=0))
        mean = self.reshape(mean, [*dims[:1], REST, *dims[2:-1], 1] if len(dims) > 2 else [REST, 1])
        mean = self.binary(xnn.XNNAdd, mean, self.constant(np.array([eps])))
        scaled = self.binary(xnn.XNNMultiply, x, self.unary(xnn.XNNReciprocalSquareRoot, mean))
        return self.binary(xnn.XNNMultiply, scaled, weight)

    def serialize(self) -> bytes:
        """The payload of a `BackendDelegate`: inputs first, then outputs, in the order in which they were declared."""
        externals = [*self.inputs, *self.outputs]
        for number, value in enumerate(externals):
            self._tensors[value].external_id = number
        graph = xnn.XNNGraph(
            version="0", xnodes=self._nodes, xvalues=self._values, num_externs=len(externals),
            input_ids=self.inputs, output_ids=self.outputs, constant_data=self._data,
        )  # fmt: skip
        return serialize_xnnpack_binary(graph, bytearray())

    def _refer(self, blob: Blob) -> int:
        self._data.append(xnn.ConstantDataOffset(IN_NAMED_DATA, blob.size, blob.key))
        return len(self._data) - 1

    def _value(
        self,
        dims: Sequence[int],
        datatype: xnn.XNNDatatype = _FP32,
        data: int = 0,
        params: xnn.XNNQuantParams | None = None,
    ) -> int:
        number = len(self._values)
        tensor = xnn.XNNTensorValue(
            datatype=datatype, num_dims=len(dims), dims=list(dims), constant_buffer_idx=data,
            external_id=NO_VALUE, flags=0, id_out=number,
        )  # fmt: skip
        self._tensors.append(tensor)
        self._values.append(xnn.XValue(tensor if params is None else xnn.XNNQuantizedTensorValue(tensor, params)))
        return number

    def _node(self, node: object, limits: xnn.OutputMinMax | None = None) -> None:
        self._nodes.append(xnn.XNode(cast(xnn.XNodeUnion, node), debug_handle=len(self._nodes), output_min_max=limits))
