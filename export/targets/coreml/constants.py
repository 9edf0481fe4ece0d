"""Weights as MIL constants: quantised up front, each stored once however often the graph reads it."""

from typing import Any

import numpy as np
import torch

from export.quantization import Scheme, packs
from export.quantizers import quantize
from export.targets.base import ExportSpec
from export.targets.coreml.sdk import Var, load_sdk
from export.targets.coreml.storage import tensor_formats
from models.weights import WeightSource


class WeightConstants:
    """Makes a MIL constant of each weight, or pack of weights, at its first use."""

    def __init__(self, spec: ExportSpec, weights: WeightSource) -> None:
        self.dtype = np.dtype(np.float32 if spec.scheme is Scheme.FP32 else np.float16)
        self._mb = load_sdk().mb
        self._source = weights
        self._formats = tensor_formats(spec)
        self._made: dict[tuple[str, ...], Var] = {}
        self._zeros: dict[int, Var] = {}

    def packs(self, weights: tuple[str, ...], biases: tuple[str, ...]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Neighbours of equal format with their biases."""
        return packs(weights, biases, {name: self._formats[name][1] for name in weights})

    def matrix(self, names: tuple[str, ...]) -> Var:
        """[rows of all, columns]: the matrices below each other."""
        if names not in self._made:
            self._made[names] = self._pack(names)
        return self._made[names]

    def vector(self, names: tuple[str, ...], dtype: np.dtype[Any]) -> Var:
        """The vectors one after the other."""
        if names not in self._made:
            joined = np.concatenate([self._source.get(name) for name in names])
            self._made[names] = self._mb.const(val=joined.astype(dtype))
        return self._made[names]

    def zeros(self, size: int) -> Var:
        """The bias of linears without one: MIL would store a vector of zeros for each of them."""
        if size not in self._zeros:
            self._zeros[size] = self._mb.const(val=np.zeros(size, self.dtype))
        return self._zeros[size]

    def _pack(self, names: tuple[str, ...]) -> Var:
        form = self._formats[names[0]][1]
        if not form.quantized:
            return self._mb.const(val=np.concatenate([self._source.get(name) for name in names]))
        parts = [quantize(self._source.get(name), form, torch.float16) for name in names]
        values = np.concatenate([part.values for part in parts])
        scales = np.concatenate([part.scales for part in parts]).astype(np.float16)
        data = self._mb.const(val=_as_int4(values) if form.bits == 4 else values)
        return self._mb.constexpr_blockwise_shift_scale(data=data, scale=scales)


def _as_int4(values: np.ndarray) -> np.ndarray:
    """coremltools recognises 4-bit integers by metadata that it attaches to numpy's int8."""
    from coremltools.converters.mil.mil.types.type_mapping import string_to_nptype

    return values.astype(string_to_nptype("int4"))
