"""The ReLU network as an ExecuTorch program: one XNNPACK delegate."""

from pathlib import Path

from export.targets.base import ExportSpec
from export.targets.executorch.segments import SegmentedBuilder, Value
from models.shape import MlpShape
from models.weights import WeightSource


class MlpWriter(SegmentedBuilder):
    """Implements `models.mlp.MlpBuilder`."""

    def __init__(self, spec: ExportSpec, weights: WeightSource) -> None:
        assert isinstance(spec.shape, MlpShape)
        super().__init__(weights, spec.scheme)
        dims = (1, spec.shape.input_size)
        self._input = Value(dims, tensor=self._program.tensor(dims), fixed=True)
        self._outputs: list[Value] = []

    def write(self, path: Path) -> None:
        """Write the `.pte` after the walk."""
        self.save(path, [self._materialize(self._input)], self._outputs, {})

    def input(self) -> Value:
        return self._input

    def relu(self, x: Value) -> Value:
        return self._computed(self._segment.graph.relu(self._read(x)), x.fixed)

    def finish(self, output: Value) -> None:
        self._outputs = [output]
