"""Artifacts executed by ExecuTorch's own Python runtime.

`llama::custom_sdpa` also uses OpenMP, which takes its number of threads from OMP_NUM_THREADS when the process starts;
set it to 1 before timing anything.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
import torch  # before the binding, which needs its libraries

# The binding itself: its Python face, portable_lib, imports the whole exporter, three seconds in every run.
from executorch.extension.pybindings import _C  # pyright: ignore[reportPrivateUsage]

from export.targets.base import ExportOptions, check_call
from export.targets.executorch.header import read_header
from export.targets.executorch.schema_pin import executorch_root


class Module(Protocol):
    """What the runtime's binding offers and is used here."""

    def forward(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        """Run the method `forward`."""
        ...


def load(path: Path, num_threads: int) -> Module:
    """Load a program. The thread pool belongs to the process: the last call decides for all programs.

    Raises:
        UserError: the file is missing or damaged.
    """
    _load_operators(executorch_root())
    _C._unsafe_reset_threadpool(num_threads)  # pyright: ignore[reportPrivateUsage]
    read_header(path)
    return _C._load_for_executorch(str(path))  # pyright: ignore[reportPrivateUsage]


class ExecuTorchLanguageModel:
    """Implements `export.targets.base.LanguageModel`."""

    def __init__(self, module: Module, options: ExportOptions) -> None:
        self._module = module
        self._options = options

    def forward(self, tokens: np.ndarray, position: int) -> np.ndarray:
        # The kernels do not look: no tokens would end the process, a negative position overwrite the cache.
        check_call(tokens, position, self._options)
        inputs = [torch.from_numpy(np.ascontiguousarray(tokens))[None], torch.tensor([position])]
        return self._module.forward(inputs)[0][0].numpy()


class ExecuTorchNetwork:
    """Implements `export.targets.base.Network`."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def forward(self, x: np.ndarray) -> np.ndarray:
        return self._module.forward([torch.from_numpy(np.ascontiguousarray(x))])[0].numpy()


def _load_operators(root: Path) -> None:
    """Register the `llama::` and `quantized_decomposed::` kernels; importing their packages would load much more."""
    for folder, library in (("extension/llm/custom_ops", "custom_ops"), ("kernels/quantized", "quantized_ops")):
        for path in (root / folder).glob(f"lib{library}_aot_lib.*"):
            torch.ops.load_library(str(path))
