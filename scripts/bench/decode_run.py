"""One run of one contender, in a process of its own.

`python -m scripts.bench.decode_run SUBJECT_JSON NUM_THREADS PROTOCOL_JSON` prints one line of JSON.

Every contender gets the same calls: prompts in chunks of at most 128 tokens, then single tokens. Token ids are random
and forced, so that no contender depends on what it predicts.
"""

import os
import sys
import time
from dataclasses import dataclass

import numpy as np
from pydantic import TypeAdapter

from export.targets.base import LanguageModel
from export.targets.registry import get_target
from scripts.bench.contenders import Contender
from scripts.bench.processes import peak_rss_bytes, rss_bytes


@dataclass(frozen=True, slots=True)
class Window:
    """`steps` single-token steps, the first at position `start`, after a prompt of `start` tokens."""

    start: int
    steps: int

    @property
    def context(self) -> int:
        """Positions that the middle step attends."""
        return self.start + self.steps // 2


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a run does. The defaults need 948 positions.

    Attributes:
        chunk: most tokens of a prompt in one call.
        prompt: tokens of the timed prompt.
        windows: where single tokens are timed.
        warm_up: single steps before each window, not timed.
    """

    chunk: int = 128
    prompt: int = 512
    windows: tuple[Window, ...] = (Window(64, 128), Window(900, 48))
    warm_up: int = 8

    @property
    def positions(self) -> int:
        """Positions a cache must hold."""
        return max(self.prompt, *(window.start + window.steps for window in self.windows))


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodeRun:
    """Raw figures of one run.

    Attributes:
        load_s: from opening the files to the logits of a first token; imports of the runtime come before.
        prefill_s: the timed prompt, after an untimed chunk.
        step_ns: each step of each window.
        import_rss_bytes: resident memory once the runtime's packages were imported, before the files were opened.
        peak_rss_bytes: the most there ever was.
        load_average: runnable processes over the last minute, at the end.
    """

    load_s: float
    prefill_s: float
    step_ns: tuple[tuple[int, ...], ...]
    import_rss_bytes: int
    peak_rss_bytes: int
    load_average: float


def run(contender: Contender, num_threads: int, protocol: Protocol) -> DecodeRun:
    """Load and measure `contender` in this process."""
    # It opens peers too: their files have the same inputs and outputs as ours.
    runtime = get_target(contender.runtime)
    runtime.load_runtime()
    tokens = np.random.default_rng(0).integers(0, contender.shape.vocab_size, protocol.positions, dtype=np.int64)
    import_rss_bytes = rss_bytes()
    start = time.perf_counter()
    model = runtime.open_language_model(contender.spec, contender.path, num_threads)
    model.forward(tokens[:1], 0)
    load_s = time.perf_counter() - start
    _prefill(model, tokens[: protocol.chunk], protocol.chunk)
    prefill_s = _prefill(model, tokens[: protocol.prompt], protocol.chunk)
    step_ns = tuple(_steps(model, tokens, window, protocol) for window in protocol.windows)
    return DecodeRun(
        load_s=load_s, prefill_s=prefill_s, step_ns=step_ns, import_rss_bytes=import_rss_bytes,
        peak_rss_bytes=peak_rss_bytes(), load_average=os.getloadavg()[0],
    )  # fmt: skip


def _prefill(model: LanguageModel, tokens: np.ndarray, chunk: int) -> float:
    """Seconds that a prompt from position 0 took."""
    start = time.perf_counter()
    for position in range(0, tokens.size, chunk):
        model.forward(tokens[position : position + chunk], position)
    return time.perf_counter() - start


def _steps(model: LanguageModel, tokens: np.ndarray, window: Window, protocol: Protocol) -> tuple[int, ...]:
    """Nanoseconds of each step; the last positions of the prompt are computed again as the warm-up."""
    _prefill(model, tokens[: window.start], protocol.chunk)
    times: list[int] = []
    for position in range(window.start - protocol.warm_up, window.start + window.steps):
        start = time.perf_counter_ns()
        model.forward(tokens[position : position + 1], position)
        times.append(time.perf_counter_ns() - start)
    return tuple(times[protocol.warm_up :])


def main() -> None:
    """Run what the arguments say and print a `DecodeRun` as one line of JSON."""
    contender, protocol = Contender.model_validate_json(sys.argv[1]), TypeAdapter(Protocol).validate_json(sys.argv[3])
    print(TypeAdapter(DecodeRun).dump_json(run(contender, int(sys.argv[2]), protocol)).decode())


if __name__ == "__main__":
    main()
