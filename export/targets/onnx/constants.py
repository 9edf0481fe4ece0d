"""Weights as initializers, each written once, when a node first uses it; and the products that read them."""

from dataclasses import dataclass

import numpy as np
import torch

from export.quantization import packs
from export.quantizers import quantize
from export.targets.onnx.graph import Attribute, Extent, GraphWriter
from export.targets.onnx.storage import block_size, format_of, pack
from models.storage import Storage, WeightFormat
from models.tensors import tensors
from models.weights import WeightSource

# MatMulNBits rounds its input to int8, one scale per block of 32: the level with the fast kernels.
ACCURACY_LEVEL = 4


@dataclass(frozen=True, slots=True)
class Matrix:
    """Matrices stacked along their rows in the data file; `scales` is None for float32."""

    rows: int
    columns: int
    form: WeightFormat
    values: Extent
    scales: Extent | None


class Matrices:
    """The weights of one graph. Layers that share weights, and a tied head, share bytes."""

    def __init__(self, graph: GraphWriter, weights: WeightSource, stored: Storage) -> None:
        self._graph = graph
        self._weights = weights
        self._forms = {tensor.name: format_of(stored, tensor.role) for tensor in tensors(weights.shape)}
        self._matrices: dict[tuple[str, ...], Matrix] = {}
        self._vectors: dict[tuple[str, ...], str] = {}

    def vector(self, *names: str) -> str:
        """Norm weights or biases, side by side in one initializer."""
        if names not in self._vectors:
            array = np.concatenate([self._weights.get(name) for name in names])
            self._vectors[names] = self._graph.weight(_label(names), self._graph.write(array), array.shape)
        return self._vectors[names]

    def matrix(self, *names: str) -> Matrix:
        """The bytes of the matrices `names`, stacked."""
        if names not in self._matrices:
            form = self._forms[names[0]]
            self._matrices[names] = self._integers(names, form) if form.quantized else self._floats(names, form)
        return self._matrices[names]

    def lookup(self, table: str, indices: str) -> str:
        """The rows of `table` that `indices` names."""
        matrix = self.matrix(table)
        if matrix.scales is None:
            return self._graph.node("Gather", [self.float_values((table,)), indices])
        form = matrix.form
        values = self._graph.weight(f"{table}.rows", matrix.values, (matrix.rows, matrix.columns * form.bits // 8))
        block = block_size(form, matrix.columns)
        attributes = {"bits": form.bits, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
        return self._graph.contrib("GatherBlockQuantized", [values, indices, self._scales((table,))], attributes)

    def product(self, x: str, names: tuple[str, ...], biases: tuple[str, ...]) -> str:
        """x times the matrices transposed, plus the biases; matrices of different formats one after the other."""
        split = packs(names, biases, self._forms)
        if len(split) > 1:
            parts = [self.product(x, *part) for part in split]
            return self._graph.node("Concat", parts, {"axis": -1})
        matrix = self.matrix(*names)
        if matrix.scales is not None:
            return self._quantized_product(x, names, biases)
        # FusedMatMul reads [rows, columns]: no transposition here, and the head can share the embedding's bytes.
        y = self._graph.contrib("FusedMatMul", [x, self.float_values(names)], {"transB": 1})
        return self._graph.node("Add", [y, self.vector(*biases)]) if biases else y

    def float_values(self, names: tuple[str, ...]) -> str:
        """The initializer [rows, columns] of float32 matrices."""
        matrix = self.matrix(*names)
        return self._graph.weight(_label(names), matrix.values, (matrix.rows, matrix.columns))

    def _quantized_product(self, x: str, names: tuple[str, ...], biases: tuple[str, ...]) -> str:
        matrix = self.matrix(*names)
        bits, block = matrix.form.bits, block_size(matrix.form, matrix.columns)
        dimensions = (matrix.rows, matrix.columns // block, block * bits // 8)
        values = self._graph.weight(f"{_label(names)}.blocks", matrix.values, dimensions)
        attributes: dict[str, Attribute] = {
            "K": matrix.columns, "N": matrix.rows, "bits": bits, "block_size": block, "accuracy_level": ACCURACY_LEVEL
        }  # fmt: skip
        inputs = [x, values, self._scales(names)]
        if biases:
            inputs += ["", "", self.vector(*biases)]
        return self._graph.contrib("MatMulNBits", inputs, attributes)

    def _scales(self, names: tuple[str, ...]) -> str:
        matrix = self.matrix(*names)
        assert matrix.scales is not None
        groups = matrix.form.num_scales(1, matrix.columns)
        return self._graph.weight(f"{_label(names)}.scales", matrix.scales, (matrix.rows, groups))

    def _floats(self, names: tuple[str, ...], form: WeightFormat) -> Matrix:
        first = self._weights.get(names[0])
        array = first if len(names) == 1 else np.concatenate([first, *(self._weights.get(name) for name in names[1:])])
        rows, columns = array.shape
        return Matrix(rows, columns, form, self._graph.write(array), None)

    def _integers(self, names: tuple[str, ...], form: WeightFormat) -> Matrix:
        parts = [quantize(self._weights.get(name), form, torch.float32) for name in names]
        values = np.concatenate([pack(part.values, form.bits) for part in parts])
        scales = np.concatenate([part.scales for part in parts])
        columns = parts[0].values.shape[1]
        return Matrix(len(values), columns, form, self._graph.write(values), self._graph.write(scales))


def _label(names: tuple[str, ...]) -> str:
    """A name for people: `layers.0.qkv.weight` for the three projections."""
    if len(names) == 1:
        return names[0]
    stem, _, kind = names[0].rsplit(".", 2)
    return f"{stem}.{''.join(name.rsplit('.', 2)[1] for name in names)}.{kind}"
