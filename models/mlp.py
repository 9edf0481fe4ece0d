"""The seed article's ReLU network, walked once in the same way as the decoder."""

from typing import Protocol, TypeVar

from models.shape import MlpShape
from models.tensors import layer_name

Value = TypeVar("Value")


class MlpBuilder(Protocol[Value]):
    """What a target implements for the MLP family. One call computes one row: [1, input_size] -> [1, output_size]."""

    def input(self) -> Value:
        """The network's input, [1, input_size]."""
        ...

    def linear(self, x: Value, weights: tuple[str, ...], biases: tuple[str, ...]) -> Value:
        """x @ weight.T + bias; the same method as a decoder's, with one weight."""
        ...

    def relu(self, x: Value) -> Value:
        """max(x, 0)."""
        ...

    def finish(self, output: Value) -> None:
        """Declare the output."""
        ...


def walk_mlp(shape: MlpShape, b: MlpBuilder[Value]) -> None:
    """Build the network `shape` describes: no activation after the last layer."""
    x = b.input()
    for index in range(shape.num_layers):
        x = b.linear(x, (layer_name(index, "weight"),), (layer_name(index, "bias"),))
        if index < shape.num_layers - 1:
            x = b.relu(x)
    b.finish(x)
