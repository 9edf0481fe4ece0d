"""A `.pte` read back: the program, its delegate graphs and the bytes they refer to. Weights stay in the mapped file."""

import json
import re
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from executorch.backends.xnnpack.serialization.xnnpack_graph_serialize import XNNHeader
from executorch.exir import schema
from executorch.exir._serialize._flatbuffer import _run_flatc  # pyright: ignore[reportPrivateUsage]
from executorch.exir._serialize._flatbuffer_program import (
    _flatbuffer_to_program,  # pyright: ignore[reportPrivateUsage]
)

from export.quantized import QuantizedTensor
from export.targets.base import StoredTensor
from export.targets.executorch.constants import unpack_scales, unpack_values
from export.targets.executorch.header import Header, read_header
from export.targets.executorch.schema_pin import executorch_root
from models.errors import UserError

XNNPACK_SCHEMA = "backends/xnnpack/serialization/schema.fbs"
# What the parsers of damaged bytes raise.
_PARSE_ERRORS = (ValueError, LookupError, TypeError, struct.error, subprocess.CalledProcessError)
_BITS = {"xnn_datatype_fp32": 32, "xnn_datatype_qcint8": 8, "xnn_datatype_qbint4": 4}


@dataclass(frozen=True, slots=True)
class StoredMatrix:
    """A constant of a delegate, still in the file. Vectors have one row.

    Attributes:
        dims: dimensions.
        bits: 32, 8 or 4.
        values: uint8 bytes.
        scales: uint8 bytes; None for float32.
    """

    dims: tuple[int, ...]
    bits: int
    values: np.ndarray
    scales: np.ndarray | None = None

    def load(self, first: int, last: int) -> StoredTensor:
        """Rows first..last along the first axis."""
        whole = self.dims[0]
        values = _rows(self.values, whole, first, last)
        if self.scales is None:
            return values.view(np.float32).reshape(last - first, *self.dims[1:])
        scales = unpack_scales(_rows(self.scales, whole, first, last), self.bits, last - first)
        return QuantizedTensor(unpack_values(values, self.bits, last - first), scales, self.bits)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator of a delegate graph.

    Attributes:
        kind: XNNPACK's name without its prefix.
        inputs: numbers of the values that it reads.
        output: number of the value that it computes.
        constants: those of its inputs that are stored.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    constants: tuple[StoredMatrix, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A delegate graph.

    Attributes:
        nodes: operators in their order.
        arguments: position of an outside value among a call's arguments, by its number.
    """

    nodes: list[Node]
    arguments: dict[int, int]

    def readers(self, node: Node) -> set[str]:
        """Kinds of the operators that read what `node` computes."""
        return {other.kind for other in self.nodes if node.output in other.inputs}


@dataclass
class PteFile:
    """An opened file.

    Attributes:
        plan: the method `forward`.
        graphs: one per delegate.

    Raises:
        UserError: the file is missing or damaged.
    """

    path: Path
    plan: schema.ExecutionPlan = field(init=False)
    graphs: list[Graph] = field(init=False)

    def __post_init__(self) -> None:
        header = read_header(self.path)
        self._data = np.memmap(self.path, np.uint8, mode="r")
        self._base = header.segment_base_offset
        try:
            self._parse(header)
        except _PARSE_ERRORS as error:
            raise UserError(f"{self.path}: not a whole ExecuTorch program ({error}); write it again") from error

    def _parse(self, header: Header) -> None:
        self._program = _flatbuffer_to_program(self._data[: header.program_size].tobytes())
        self._named = {entry.key: entry.segment_index for entry in self._program.named_data or []}
        (self.plan,) = (plan for plan in self._program.execution_plan if plan.name == "forward")
        payloads = [self._segment(delegate.processed.index).tobytes() for delegate in self.plan.delegates]
        self.graphs = [Graph(self._nodes(graph), _arguments(graph)) for graph in _graphs(payloads)]

    def calls(self) -> list[schema.KernelCall | schema.DelegateCall]:
        """All calls of `forward` in the order of the program, those of both sides of a branch included."""
        arguments = (instruction.instr_args for instruction in self.plan.chains[0].instructions)
        return [call for call in arguments if isinstance(call, schema.KernelCall | schema.DelegateCall)]

    def operator(self, call: schema.KernelCall) -> str:
        """Full name of the operator that `call` runs, such as `llama::update_cache.out`."""
        operator = self.plan.operators[call.op_index]
        return f"{operator.name}.{operator.overload}" if operator.overload else operator.name

    def tensor(self, value: int) -> schema.Tensor:
        """Description of a tensor of the program."""
        tensor = self.plan.values[value].val
        if not isinstance(tensor, schema.Tensor):
            raise UserError(f"{self.path}: value {value} is used as a tensor and is none; write the artifact again")
        return tensor

    def is_constant(self, value: int) -> bool:
        """Whether a value of the program is a tensor that is stored in the file."""
        found = self.plan.values[value].val
        return isinstance(found, schema.Tensor) and found.data_buffer_idx > 0

    def constant(self, value: int) -> np.ndarray:
        """A constant tensor of the program, in its dimensions."""
        tensor = self.tensor(value)
        dtype = np.dtype(np.int8 if tensor.scalar_type.name == "CHAR" else np.float32)
        segment = self._segment(self._program.constant_segment.segment_index)
        start = self._program.constant_segment.offsets[tensor.data_buffer_idx]
        num_bytes = int(np.prod(tensor.sizes)) * dtype.itemsize
        return segment[start : start + num_bytes].view(dtype).reshape(tensor.sizes)

    def _segment(self, index: int) -> np.ndarray:
        segment = self._program.segments[index]
        start = self._base + segment.offset
        return self._data[start : start + segment.size]

    def _nodes(self, graph: dict[str, Any]) -> list[Node]:
        blobs = [self._blob(entry) for entry in graph["constant_data"]]
        constants = [_constant(value["xvalue_union"], blobs) for value in graph["xvalues"]]
        nodes: list[Node] = []
        for node in graph["xnodes"]:
            fields: dict[str, Any] = node["xnode_union"]
            names = [name for name in fields if name.endswith("_id") and name != "output_id"]
            inputs = tuple(fields[name] for name in names if fields[name] < len(constants))  # larger: not used
            found = (constants[number] for number in inputs)
            kind = str(node["xnode_union_type"]).removeprefix("XNN")
            stored = tuple(constant for constant in found if constant is not None)
            nodes.append(Node(kind, inputs, fields["output_id"], stored))
        return nodes

    def _blob(self, entry: dict[str, Any]) -> np.ndarray:
        if not entry["named_key"]:
            return np.empty(0, np.uint8)
        return self._segment(self._named[entry["named_key"]])


def _arguments(graph: dict[str, Any]) -> dict[int, int]:
    tensors = [value["xvalue_union"].get("tensor_value", value["xvalue_union"]) for value in graph["xvalues"]]
    return {tensor["id_out"]: tensor["external_id"] for tensor in tensors if tensor["external_id"] < len(tensors)}


def _constant(value: dict[str, Any], blobs: Sequence[np.ndarray]) -> StoredMatrix | None:
    tensor = value.get("tensor_value", value)
    if tensor["constant_buffer_idx"] == 0:
        return None
    params = value.get("quant_params", {})
    scales = blobs[params["scale_buffer_idx"]] if "scale_buffer_idx" in params else None
    values = blobs[tensor["constant_buffer_idx"]]
    return StoredMatrix(tuple(tensor["dims"]), _BITS[tensor["datatype"]], values, scales)


def _graphs(payloads: Sequence[bytes]) -> list[dict[str, Any]]:
    """Delegate payloads as the JSON that `flatc` prints. They are small: their constants lie elsewhere."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        files: list[Path] = []
        for number, payload in enumerate(payloads):
            header = XNNHeader.from_bytes(payload[: XNNHeader.EXPECTED_LENGTH])
            files.append(folder / f"{number}.bin")
            files[-1].write_bytes(payload[header.flatbuffer_offset :][: header.flatbuffer_size])
        options = ["--json", "--defaults-json", "--strict-json", "-o", scratch]
        _run_flatc([*options, str(executorch_root() / XNNPACK_SCHEMA), "--", *map(str, files)])
        # flatc prints the limits of a ReLU as `inf`, which JSON spells `Infinity`.
        texts = (re.sub(rb"(:\s*-?)inf\b", rb"\1Infinity", file.with_suffix(".json").read_bytes()) for file in files)
        return [json.loads(text) for text in texts]


def _rows(data: np.ndarray, whole: int, first: int, last: int) -> np.ndarray:
    """The bytes of rows first..last of a matrix of `whole` rows."""
    return np.ascontiguousarray(data.reshape(whole, -1)[first:last]).reshape(-1)
