"""What the decoder's and the MLP's builder share: a program cut into delegate segments.

Operators go into the current segment. A kernel of the portable runtime ends it; values that are needed on the other
side become outputs of the one delegate and inputs of the other.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from export.quantization import Scheme, packs
from export.targets.executorch.constants import ConstantStore, Filter
from export.targets.executorch.program import Metadata, ProgramBuilder
from export.targets.executorch.storage import storage, stored
from export.targets.executorch.xnnpack_graph import NO_VALUE, REST, XnnGraph
from models.shape import TransformerShape
from models.tensors import EMBEDDING, Role, tensors
from models.weights import WeightSource


@dataclass(eq=False)
class Segment:
    """A delegate in the making, with the tensors of the program that are bound to its inputs and outputs."""

    graph: XnnGraph
    inputs: dict[int, int] = field(default_factory=dict[int, int])  # tensor of the program -> value of the graph
    outputs: list[int] = field(default_factory=list[int])
    arguments: list[int] = field(default_factory=list[int])


@dataclass(eq=False)
class Value:
    """A float32 tensor: a value of the segment that computes it and, once another needs it, a tensor of the program.

    Attributes:
        dims: dimensions, the token axis at its upper bound.
        segment: the segment that computes it; None if a kernel does.
        id: its number in that segment's graph.
        tensor: its number in the program.
        fixed: its dimensions never shrink.
    """

    dims: tuple[int, ...]
    segment: Segment | None = None
    id: int = -1
    tensor: int | None = None
    fixed: bool = False


class SegmentedBuilder:
    """Records segments, the calls between them, and the weights they use."""

    def __init__(self, weights: WeightSource, scheme: Scheme) -> None:
        self._weights = weights
        formats = storage(scheme).formats
        self._forms = {tensor.name: formats[tensor.role] for tensor in tensors(weights.shape)}
        if isinstance(weights.shape, TransformerShape) and weights.shape.tie_embeddings:
            self._forms[EMBEDDING] = formats[Role.HEAD]
        self._program = ProgramBuilder()
        self._constants = ConstantStore()
        self._filters: dict[tuple[str, ...], Filter] = {}
        self._delegates: list[XnnGraph] = []
        self._segments: list[Segment] = []
        self._segment = Segment(XnnGraph(self._constants))

    def linear(self, x: Value, weights: tuple[str, ...], biases: tuple[str, ...]) -> Value:
        """x @ weight.T + bias for each weight, side by side."""
        graph = self._segment.graph
        rows = self._read(x)
        if len(x.dims) > 3:  # heads side by side
            rows = graph.reshape(rows, (x.dims[0], x.dims[1] if x.fixed else REST, x.dims[2] * x.dims[3]))
        if self._forms[weights[0]].quantized:
            rows = graph.quantize_rows(rows)
        results = [self._product(rows, *pack) for pack in packs(weights, biases, self._forms)]
        joined = results[0]
        for result in results[1:]:
            joined = graph.concatenate(joined, result, -1)
        return self._computed(joined, x.fixed)

    def save(self, path: Path, inputs: list[int], outputs: list[Value], metadata: Metadata) -> None:
        """Write the program, after the walk has ended."""
        results = [self._materialize(output) for output in outputs]
        self._close_segment()
        for segment in self._segments:
            segment.arguments += [*segment.inputs, *segment.outputs]
        payloads = [graph.serialize() for graph in self._delegates]
        self._program.write(path, inputs, results, payloads, self._constants, metadata)

    def _product(self, rows: int, weights: tuple[str, ...], biases: tuple[str, ...]) -> int:
        """rows @ weight.T + bias, for weights of one format below each other."""
        graph = self._segment.graph
        bias = NO_VALUE
        if biases:
            bias = graph.constant(np.concatenate([self._weights.get(name) for name in biases]))
        return graph.fully_connected(rows, graph.filter(self._filter(weights)), bias)

    def _computed(self, value: int, fixed: bool = False) -> Value:
        return Value(self._segment.graph.dims(value), self._segment, value, fixed=fixed)

    def _read(self, value: Value) -> int:
        """The id of `value` in the current segment's graph."""
        if value.segment is self._segment:
            return value.id
        tensor = self._materialize(value)
        if tensor not in self._segment.inputs:
            self._segment.inputs[tensor] = self._segment.graph.input(value.dims)
        return self._segment.inputs[tensor]

    def _materialize(self, value: Value) -> int:
        """The tensor of the program that holds `value` after its segment has run."""
        if value.tensor is None:
            assert value.segment is not None
            value.tensor = self._program.tensor(value.dims, dynamic=not value.fixed)
            value.segment.graph.mark_output(value.id)
            value.segment.outputs.append(value.tensor)
        return value.tensor

    def _close_segment(self) -> None:
        """Call the current segment here and start the next one."""
        self._call(self._segment.graph, self._segment.arguments)
        self._segments.append(self._segment)
        self._segment = Segment(XnnGraph(self._constants))

    def _call(self, graph: XnnGraph, arguments: list[int]) -> None:
        if graph not in self._delegates:
            self._delegates.append(graph)
        self._program.call_delegate(self._delegates.index(graph), arguments)

    def _kernel(self, name: str, overload: str, *arguments: int) -> None:
        """Call a portable kernel before whatever the current segment will do."""
        assert self._segment.graph.empty
        self._program.kernel(name, overload, *arguments)

    def _filter(self, names: tuple[str, ...]) -> Filter:
        """Layers that share weights share the stored matrix."""
        if names not in self._filters:
            parts = [stored(self._weights.get(name), self._forms[name]) for name in names]
            self._filters[names] = self._constants.add_filter(parts)
        return self._filters[names]
