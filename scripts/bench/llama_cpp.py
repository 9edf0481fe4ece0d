"""llama.cpp as one of the runtimes, where the package llama-cpp-python is installed."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import UserError


class LlamaCppModel:
    """Implements `export.targets.base.LanguageModel` for a GGUF file."""

    def __init__(self, path: Path, max_context: int, num_threads: int) -> None:
        self._package = load_package()
        self._model = self._package.Llama(
            str(path), n_ctx=max_context, n_threads=num_threads, n_threads_batch=num_threads, verbose=False
        )

    def forward(self, tokens: np.ndarray, position: int) -> np.ndarray:
        """Run int64 [T] tokens from `position` on; entries of the cache behind it are dropped first."""
        self._model.n_tokens = position
        self._model.eval(tokens.tolist())
        logits = self._package.llama_get_logits_ith(self._model.ctx, -1)
        return np.ctypeslib.as_array(logits, shape=(self._model.n_vocab(),))


def load_package() -> Any:  # noqa: ANN401 (an optional package without types)
    """Import llama-cpp-python.

    Raises:
        UserError: it is not installed.
    """
    try:
        return importlib.import_module("llama_cpp")
    except ModuleNotFoundError as error:
        raise UserError("GGUF peers need llama-cpp-python: pip install llama-cpp-python") from error
