"""Timings of other programs as a table of its own."""

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from scripts.records.foreign import ForeignTest, ForeignTiming
from scripts.tables import Column, Entry, ResultTable, text

_NS_PER_MS = 1e6
_HEADINGS = (
    "program", "build", "device", "processor", "backends", "model", "type", ">threads", "test", ">context",
    ">repetitions", ">ms a token", ">range",
)  # fmt: skip
_NOTES = (
    "ms a token: median over repetitions in one process of the time of the whole test / its tokens; ours is the median "
    "over processes of the median step",
    "device: as the person said who imported it; its kind is not known",
)


def foreign_tables(timings: Sequence[ForeignTiming]) -> list[ResultTable]:
    """One table, not in CSV, or none where nothing was imported."""
    rows = tuple(_row(timing, test) for timing in timings for test in timing.tests)
    title = "other programs (imported, never pooled with ours)"
    table = ResultTable(title=title, kind=None, columns=tuple(map(Column, _HEADINGS)), rows=rows, notes=_NOTES)
    return [table] if rows else []


def _row(timing: ForeignTiming, test: ForeignTest) -> tuple[Entry, ...]:
    per_token = [ns / test.num_tokens / _NS_PER_MS for ns in test.sample_ns]
    cells = (
        timing.program, timing.build, timing.device or "not said", timing.cpu, test.backends,
        PurePath(test.model_file).name, test.model_type, test.num_threads, _name(test), test.context, len(per_token),
        f"{float(np.median(per_token)):.4g}", f"{min(per_token):.4g} to {max(per_token):.4g}",
    )  # fmt: skip
    return tuple(text(cell) for cell in cells)


def _name(test: ForeignTest) -> str:
    """As llama-bench names its tests: pp512 reads a prompt, tg128 generates."""
    parts = (("pp", test.prompt_tokens), ("tg", test.generated_tokens))
    return "+".join(f"{name}{tokens}" for name, tokens in parts if tokens)
