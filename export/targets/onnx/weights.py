"""An artifact's weights read back from disk, named by where the graph uses them.

The reader is one more builder: it takes the walk that the writer took, and at each step follows the file's nodes from
the value it stands at. Labels of initializers and nodes are never looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from export.targets.base import StoredTensor
from export.targets.onnx.reader import ModelFile, Node, Place
from export.targets.onnx.storage import CACHE_PARTS, past_name
from models.decoder import walk_decoder
from models.errors import UserError
from models.mlp import walk_mlp
from models.rope import ROPE_COS, ROPE_SIN
from models.shape import MlpShape, Shape
from models.tensors import tensors

_PRODUCTS = ("MatMulNBits", "FusedMatMul", "Gemm")


@dataclass(frozen=True, slots=True)
class _Rows:
    place: Place
    first: int
    count: int


def read_tensors(shape: Shape, file: ModelFile) -> Iterator[tuple[str, StoredTensor]]:
    """Walk the graph, then read one tensor at a time.

    Raises:
        UserError: the graph is not the one that the shape describes.
    """
    if isinstance(shape, MlpShape):
        reader = _MlpReader(shape, file)
        walk_mlp(shape, reader)
    else:
        reader = _DecoderReader(shape, file)
        walk_decoder(shape, reader)
    for name, rows in reader.found.items():
        yield name, file.read(rows.place, rows.first, rows.count)


class _Reader:
    """What both walks share: products, and the places found so far."""

    def __init__(self, shape: Shape, file: ModelFile) -> None:
        self.file = file
        self._specs = {tensor.name: tensor for tensor in tensors(shape)}
        self.found: dict[str, _Rows] = {}

    def linear(self, x: str, weights: tuple[str, ...], biases: tuple[str, ...]) -> str:
        products = self.file.consumers(x, *_PRODUCTS)
        if len(products) > 1:
            return self._side_by_side(products, weights, biases)
        node = self.file.only_consumer(x, *_PRODUCTS)
        self.record(weights, self.matrix(node))
        if not biases:
            return node.outputs[0]
        bias_node = node if node.operator != "FusedMatMul" else self.file.only_consumer(node.outputs[0], "Add")
        self.record(biases, self.file.floats(bias_node.inputs[-1]))
        return bias_node.outputs[0]

    def _side_by_side(self, products: list[Node], weights: tuple[str, ...], biases: tuple[str, ...]) -> str:
        """Matrices of different formats: products whose results a Concat joins, in the order of its inputs."""
        joined = self.file.only_consumer(products[0].outputs[0], "Concat")
        by_output = {node.outputs[0]: node for node in products}
        self.expect(set(joined.inputs) == by_output.keys(), f"{joined.outputs[0]} does not join the products before it")
        left = list(weights)
        for node in (by_output[name] for name in joined.inputs):
            place, names, rows = self.matrix(node), list[str](), 0
            while left and rows < place.rows:
                names.append(left.pop(0))
                rows += self._specs[names[-1]].rows
            self.record(tuple(names), place)
            if biases:
                self.record(tuple(biases[weights.index(name)] for name in names), self.file.floats(node.inputs[-1]))
        self.expect(not left, f"{' + '.join(left)} is not multiplied")
        return joined.outputs[0]

    def matrix(self, node: Node) -> Place:
        if node.operator != "MatMulNBits":
            return self.file.floats(node.inputs[1])
        bits, columns = int(node.attributes["bits"]), int(node.attributes["K"])
        return self.file.integers(node.inputs[1], node.inputs[2], bits, columns)

    def record(self, names: tuple[str, ...], place: Place) -> None:
        first = 0
        for name in names:
            rows, columns = self._specs[name].rows, self._specs[name].columns or 1
            self.expect(columns == place.columns, f"{name} has {place.columns} columns, not {columns}")
            self.keep(name, _Rows(place, first, rows))
            first += rows
        self.expect(first == place.rows, f"{' + '.join(names)} has {place.rows} rows, not {first}")

    def keep(self, name: str, rows: _Rows) -> None:
        # Shared layers, a tied head and the rotary tables come here again: they must read the very same bytes.
        self.expect(self.found.setdefault(name, rows) == rows, f"{name} is stored more than once")

    def expect(self, condition: bool, problem: str) -> None:
        if not condition:
            raise UserError(f"{self.file.path}: {problem}")


class _DecoderReader(_Reader):
    """Follows a decoder; implements `models.decoder.DecoderBuilder`."""

    def embed(self, table: str) -> str:
        node = self.file.only_consumer("input_ids", "Gather", "GatherBlockQuantized")
        if node.operator == "Gather":
            place = self.file.floats(node.inputs[0])
        else:
            bits = int(node.attributes["bits"])
            columns = self.file.columns(node.inputs[0], bits)
            place = self.file.integers(node.inputs[0], node.inputs[2], bits, columns)
        self.record((table,), place)
        return node.outputs[0]

    def norm(self, x: str, weight: str) -> str:
        node = self.file.only_consumer(x, "SimplifiedLayerNormalization")
        self.record((weight,), self.file.floats(node.inputs[1]))
        return node.outputs[0]

    def add_norm(self, x: str, update: str, weight: str) -> tuple[str, str]:
        node = self.file.only_consumer(update, "SkipSimplifiedLayerNormalization")
        self.expect(x in node.inputs[:2], f"the norm after {update} does not add {x}")
        self.record((weight,), self.file.floats(node.inputs[2]))
        return node.outputs[3], node.outputs[0]

    def attention(self, qkv: str, cache: int, q_norm: str | None, k_norm: str | None) -> str:
        queries = qkv
        if q_norm is not None and k_norm is not None:
            split = self.file.only_consumer(qkv, "Split")
            queries, keys = self._head_norm(split.outputs[0], q_norm), self._head_norm(split.outputs[1], k_norm)
            inputs = (queries, keys, split.outputs[2])
        else:
            inputs = (qkv, "", "")
        node = self.file.only_consumer(queries, "GroupQueryAttention")
        inputs += tuple(past_name(cache, part) for part in CACHE_PARTS)
        self.expect(node.inputs[:5] == inputs, f"the attention after {qkv} does not read cache {cache} as it should")
        for name, table in zip((ROPE_COS, ROPE_SIN), node.inputs[7:9], strict=True):
            place = self.file.floats(table)
            self.keep(name, _Rows(place, 0, place.rows))
        return node.outputs[0]

    def swiglu(self, x: str, gate: str, up: str) -> str:
        nodes = self.file.consumers(x, *_PRODUCTS)
        gates = [node for node in nodes if self.file.consumers(node.outputs[0], "QuickGelu")]
        ups = [node for node in nodes if node not in gates]
        self.expect(len(gates) == 1 and len(ups) == 1, f"{x} does not feed one gate and one up projection")
        self.record((gate,), self.matrix(gates[0]))
        self.record((up,), self.matrix(ups[0]))
        return self.file.only_consumer(ups[0].outputs[0], "Mul").outputs[0]

    def last_token(self, x: str) -> str:
        return self.file.only_consumer(x, "Gather").outputs[0]

    def finish(self, logits: str) -> None:
        self.expect(logits == self.file.outputs[-1].name, f"{logits} is not the graph's output")

    def _head_norm(self, x: str, weight: str) -> str:
        normed = self.norm(self.file.only_consumer(x, "Reshape").outputs[0], weight)
        return self.file.only_consumer(normed, "Reshape").outputs[0]


class _MlpReader(_Reader):
    """Follows a ReLU network; implements `models.mlp.MlpBuilder`."""

    def input(self) -> str:
        return self.file.inputs[0].name

    def relu(self, x: str) -> str:
        return self.file.only_consumer(x, "Relu").outputs[0]

    def finish(self, output: str) -> None:
        self.expect(output == self.file.outputs[-1].name, f"{output} is not the graph's output")
