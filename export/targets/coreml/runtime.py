"""What the gates open: the saved package, run by the evaluator or, on macOS, by Core ML itself."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from export.targets.base import ExportSpec, check_call
from export.targets.coreml.evaluator import Evaluator
from export.targets.coreml.reader import read_package
from export.targets.coreml.sdk import load_sdk
from export.targets.coreml.storage import (
    CAUSAL_MASK,
    INPUT_IDS,
    LOGITS,
    MASKED,
    MLP_INPUT,
    MLP_OUTPUT,
    PACKAGE,
)
from models.errors import UserError

ON_MACOS = sys.platform == "darwin"


class Predictor(Protocol):
    """One model with its states."""

    def predict(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Run once on inputs by name."""
        ...


class CoreMLPredictor:
    """Core ML's own runtime (macOS 15 or later)."""

    def __init__(self, path: Path, stateful: bool) -> None:
        ct = load_sdk().ct
        self._model = ct.models.MLModel(str(path), compute_units=ct.ComputeUnit.CPU_AND_GPU)
        self._state: Any = self._model.make_state() if stateful else None

    def predict(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """See `Predictor`."""
        if self._state is None:
            return self._model.predict(dict(inputs))
        return self._model.predict(dict(inputs), state=self._state)


def open_predictor(folder: Path, stateful: bool, num_threads: int) -> Predictor:
    """Load the package in `folder`.

    Raises:
        UserError: the package is missing or damaged.
    """
    path = folder / PACKAGE
    if not path.is_dir():
        raise UserError(f"{path}: no such package")
    if ON_MACOS:
        return CoreMLPredictor(path, stateful)  # Core ML chooses its threads itself
    torch.set_num_threads(num_threads)
    return Evaluator(read_package(path))


class CoreMLLanguageModel:
    """`LanguageModel` over a decoder package: makes the causal mask, whose sizes tell the program its position."""

    def __init__(self, spec: ExportSpec, predictor: Predictor) -> None:
        self._options = spec.options
        self._predictor = predictor

    def forward(self, tokens: np.ndarray, position: int) -> np.ndarray:
        """See `LanguageModel`."""
        check_call(tokens, position, self._options)
        mask = np.triu(np.full((tokens.size, position + tokens.size), MASKED, np.float16), position + 1)
        inputs = {INPUT_IDS: tokens.astype(np.int32)[None], CAUSAL_MASK: mask[None, None]}
        return self._predictor.predict(inputs)[LOGITS].astype(np.float32).reshape(-1)


class CoreMLNetwork:
    """`Network` over an MLP package."""

    def __init__(self, dtype: str, predictor: Predictor) -> None:
        self._dtype = np.dtype(dtype)
        self._predictor = predictor

    def forward(self, x: np.ndarray) -> np.ndarray:
        """See `Network`."""
        return self._predictor.predict({MLP_INPUT: x.astype(self._dtype)})[MLP_OUTPUT].astype(np.float32)
