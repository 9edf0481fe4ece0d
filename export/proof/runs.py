"""An artifact at work: texts prefilled in chunks and stepped, and greedy continuations."""

from dataclasses import dataclass

import numpy as np

from export.proof.reference import Case
from export.targets.base import LanguageModel


@dataclass(frozen=True, slots=True)
class Run:
    """What an artifact answered: logits of each case; greedy texts, ids chosen along them, the first text's logits."""

    logits: list[np.ndarray]
    texts: list[Case]
    chosen: list[np.ndarray]
    first_rows: np.ndarray


def run_case(model: LanguageModel, case: Case, chunk: int) -> np.ndarray:
    """float32 [rows, V]: the artifact's logits after the prompt, prefilled in chunks, and after each single step."""
    rows = [np.zeros(0, np.float32)]
    for start in range(0, case.prompt_length, chunk):
        rows[0] = model.forward(case.tokens[start : min(start + chunk, case.prompt_length)], start)
    rows[0] = rows[0].copy()
    for position in range(case.prompt_length, len(case.tokens)):
        rows.append(model.forward(case.tokens[position : position + 1], position).copy())
    return np.stack(rows)


def generate(model: LanguageModel, prompt: np.ndarray, steps: int, chunk: int) -> np.ndarray:
    """int64 [steps]: the artifact's greedy continuation of `prompt`."""
    ids = [int(run_case(model, Case(prompt, len(prompt)), chunk)[0].argmax())]
    for position in range(len(prompt), len(prompt) + steps - 1):
        ids.append(int(model.forward(np.asarray(ids[-1:], np.int64), position).argmax()))
    return np.asarray(ids, np.int64)
