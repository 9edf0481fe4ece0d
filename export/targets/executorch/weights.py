"""Weights of a `.pte` under the names of the places where its graph uses them.

The architecture is walked again, this time against the file: each step of the walk takes the next operator with weights
from the delegates, in the order in which the program calls them.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

from executorch.exir import schema

from export.quantized import QuantizedTensor
from export.targets.base import StoredTensor
from export.targets.executorch.reader import Graph, Node, PteFile, StoredMatrix
from export.targets.executorch.stored_rope import stored_rope
from models.decoder import walk_decoder
from models.errors import UserError
from models.mlp import walk_mlp
from models.shape import Shape, TransformerShape
from models.tensors import tensors

FILTER, SCALE, SIGMOID = "FullyConnected", "Multiply", "Sigmoid"


class Load(Protocol):
    """Reads one tensor from the file."""

    def __call__(self) -> StoredTensor:
        """The tensor."""
        ...


def stored_weights(file: PteFile, shape: Shape) -> Iterator[tuple[str, StoredTensor]]:
    """Name and content of every stored weight, then of the rotary tables; one tensor is in memory at a time.

    Raises:
        UserError: the graph is not that of `shape`.
    """
    if isinstance(shape, TransformerShape):
        walk = _DecoderWalk(file, shape)
        walk_decoder(shape, walk)
    else:
        walk = _MlpWalk(file, shape)
        walk_mlp(shape, walk)
    walk.end()
    for name, load in walk.entries:
        yield name, load()
    if isinstance(shape, TransformerShape):
        yield from stored_rope(file)


class _WeightWalk:
    """A builder that computes nothing and collects where each weight lies."""

    def __init__(self, file: PteFile, shape: Shape) -> None:
        self.entries: list[tuple[str, Load]] = []
        self.file = file
        self._specs = {spec.name: spec for spec in tensors(shape)}
        self._nodes = _nodes_with_weights(file)
        self._seen: set[tuple[str, int, int]] = set()

    def linear(self, x: None, weights: tuple[str, ...], biases: tuple[str, ...]) -> None:
        # Matrices of different formats are products of their own, side by side.
        first = 0
        while first < len(weights):
            node, _ = self.next_node(weights[first])
            rows, last = node.constants[0].dims[0] if node.constants else 0, first
            while last < len(weights) and rows > 0:
                rows -= self._specs[weights[last]].rows
                last += 1
            last = max(last, first + 1)
            self.record(node, FILTER, weights[first:last], biases[first:last])
            first = last

    def end(self) -> None:
        """Check that the walk used every weight of the graph."""
        left = next(self._nodes, None)
        if left is not None:
            raise UserError(f"{self.file.path.name}: a {left[0].kind} follows where the graph should end")

    def take(self, kind: str, *packs: Sequence[str]) -> None:
        """The next operator: its constants are `packs`, each a list of tensors one below the other."""
        self.record(self.next_node(packs[0][0])[0], kind, *packs)

    def next_node(self, name: str) -> tuple[Node, Graph]:
        """The next operator with weights, which should have `name`, and the graph it stands in."""
        found = next(self._nodes, None)
        if found is None:
            raise UserError(f"{self.file.path.name}: nothing where {name} belongs")
        return found

    def record(self, node: Node, kind: str, *packs: Sequence[str]) -> None:
        """Note that the constants of `node` are `packs`."""
        packs = tuple(pack for pack in packs if pack)
        if node.kind != kind or len(node.constants) != len(packs):
            found = f"a {node.kind} with {len(node.constants)} constants"
            raise UserError(f"{self.file.path.name}: {found} where {packs[0][0]} belongs")
        for constant, pack in zip(node.constants, packs, strict=True):
            self._split(constant, pack)

    def _split(self, constant: StoredMatrix, names: Sequence[str]) -> None:
        specs = [self._specs[name] for name in names]
        expected = (sum(spec.rows for spec in specs), *specs[0].shape[1:])
        if constant.dims != expected:
            raise UserError(f"{self.file.path.name}: {names[0]} is stored as {constant.dims}, not {expected}")
        first = 0
        for spec in specs:
            # Layers that share weights refer to the same bytes; only the first use is listed.
            scales = 0 if constant.scales is None else constant.scales.ctypes.data
            place = (spec.name, constant.values.ctypes.data, scales)
            if place not in self._seen:
                self._seen.add(place)
                self.entries.append((spec.name, partial(constant.load, first, first + spec.rows)))
            first += spec.rows


class _DecoderWalk(_WeightWalk):
    """Implements `models.decoder.DecoderBuilder`."""

    def embed(self, table: str) -> None:
        for call in self.file.calls():
            if isinstance(call, schema.KernelCall) and "::embedding" in self.file.operator(call):
                self.entries.append((table, partial(self._embedding, call)))
                constants = [self.file.constant(value) for value in call.args[:2] if self.file.is_constant(value)]
                # A head that is stored in the same bytes is the same table.
                places = [constant.ctypes.data for constant in constants]
                self._seen.add((table, places[0], places[1] if len(places) > 1 else 0))
                return
        raise UserError(f"{self.file.path.name}: no embedding where {table} belongs")

    def norm(self, x: None, weight: str) -> None:
        self.take(SCALE, (weight,))

    def add_norm(self, x: None, update: None, weight: str) -> tuple[None, None]:
        self.norm(x, weight)
        return None, None

    def attention(self, qkv: None, cache: int, q_norm: str | None, k_norm: str | None) -> None:
        for name in (q_norm, k_norm):
            if name is not None:
                self.norm(qkv, name)

    def swiglu(self, x: None, gate: str, up: str) -> None:
        pair = [self.next_node(name) for name in (gate, up)]
        gates = [node for node, graph in pair if SIGMOID in graph.readers(node)]
        ups = [node for node, _ in pair if node not in gates]
        if len(gates) != 1:
            raise UserError(f"{self.file.path.name}: {len(gates)} matrices feed a sigmoid where {gate} belongs, not 1")
        self.record(gates[0], FILTER, (gate,))
        self.record(ups[0], FILTER, (up,))

    def last_token(self, x: None) -> None:
        """No weights."""

    def finish(self, logits: None) -> None:
        """No weights."""

    def _embedding(self, call: schema.KernelCall) -> StoredTensor:
        table = self.file.constant(call.args[0])
        if table.dtype.itemsize == 4:
            return table
        return QuantizedTensor(table, self.file.constant(call.args[1]), bits=8)


class _MlpWalk(_WeightWalk):
    """Implements `models.mlp.MlpBuilder`."""

    def input(self) -> None:
        """No weights."""

    def relu(self, x: None) -> None:
        """No weights."""

    def finish(self, output: None) -> None:
        """No weights."""


def _nodes_with_weights(file: PteFile) -> Iterator[tuple[Node, Graph]]:
    """Matrices and norm weights in the order of the calls. A delegate without a matrix (attention) has no weights."""
    for call in file.calls():
        if isinstance(call, schema.DelegateCall):
            graph = file.graphs[call.delegate_index]
            if any(node.kind == FILTER for node in graph.nodes):
                yield from ((node, graph) for node in graph.nodes if node.kind in (FILTER, SCALE) and node.constants)
