"""Artifacts opened by ONNX Runtime itself, with every buffer bound once."""

from pathlib import Path

import numpy as np
import onnxruntime as ort

from export.targets.base import ExportSpec, check_call
from export.targets.onnx.storage import CACHE_PARTS, MODEL_FILE, past_name, present_name
from models.errors import UserError
from models.shape import TransformerShape

PROVIDER = "CPUExecutionProvider"


class OnnxLanguageModel:
    """A decoder whose caches are bound as past and present at once, so that GroupQueryAttention writes in place."""

    def __init__(self, spec: ExportSpec, folder: Path, num_threads: int) -> None:
        assert isinstance(spec.shape, TransformerShape)
        shape = spec.shape
        self._options = spec.options
        self._session = _open(folder, num_threads)
        self._binding = self._session.io_binding()
        # These arrays are the runtime's own memory: ONNX Runtime binds CPU arrays without copying them.
        self._logits = np.zeros((1, 1, shape.vocab_size), np.float32)
        self._mask = np.ones((1, self._options.max_context), np.int64)
        self._tokens = np.zeros((1, 0), np.int64)
        self._caches: list[ort.OrtValue] = []
        self._binding.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(self._logits))
        for cache in range(shape.num_passes):
            for part in CACHE_PARTS:
                self._bind_cache(past_name(cache, part), present_name(cache, part), shape)

    def forward(self, tokens: np.ndarray, position: int) -> np.ndarray:
        """Run int64 [T] tokens from `position` on; see `export.targets.base.LanguageModel`.

        Raises:
            UserError: the tokens do not fit into one call or into the cache.
        """
        check_call(tokens, position, self._options)
        if tokens.size != self._tokens.size:
            self._tokens = np.empty((1, tokens.size), np.int64)
            self._bind_input("input_ids", self._tokens)
        self._tokens[0] = tokens
        self._bind_input("attention_mask", self._mask[:, : position + tokens.size])
        self._session.run_with_iobinding(self._binding)
        return self._logits[0, 0]

    def _bind_cache(self, past: str, present: str, shape: TransformerShape) -> None:
        size = (1, shape.num_kv_heads, self._options.max_context, shape.head_dim)
        buffer = ort.OrtValue.ortvalue_from_numpy(np.zeros(size, np.float32))
        self._caches.append(buffer)
        self._binding.bind_ortvalue_input(past, buffer)
        self._binding.bind_ortvalue_output(present, buffer)

    def _bind_input(self, name: str, array: np.ndarray) -> None:
        self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))


class OnnxNetwork:
    """An MLP."""

    def __init__(self, folder: Path, num_threads: int) -> None:
        self._session = _open(folder, num_threads)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """float32 [1, input_size] -> float32 [1, output_size]."""
        (output,) = self._session.run(["output"], {"input": x})
        assert isinstance(output, np.ndarray)
        return output


def _open(folder: Path, num_threads: int) -> ort.InferenceSession:
    path = folder / MODEL_FILE
    if not path.is_file():
        raise UserError(f"{folder}: no {MODEL_FILE}; write the artifact again")
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=[PROVIDER])
