"""The stages in which the model is called. Arrays are allocated before, times are raw nanoseconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from export.proof.reference import TextReference
from export.targets.base import LanguageModel
from scripts.host.environment import environment
from scripts.records import (
    DecodeSamples,
    Mismatch,
    PrefillSamples,
    Protocol,
    SelfCheck,
    SustainedSamples,
    synthetic_token,
)

THERMAL_PERIOD_NS = 10_000_000_000
# Steps of the sustained phase there is room for, as a multiple of what the fastest decode steps would fill.
SUSTAINED_ROOM = 1.5
ShowSteps = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Decoder:
    """An opened model and its synthetic text.

    Attributes:
        tokens: int64 [positions]; token i stands at position i of every prompt.
        chunk: most tokens of one call.
    """

    model: LanguageModel
    tokens: np.ndarray
    chunk: int

    def prefill(self, length: int) -> int:
        """Fill positions 0 to `length` - 1 and return the argmax of the last token's logits; 0 for no tokens."""
        return _prefill(self.model, self.tokens[:length], self.chunk)


def make_decoder(model: LanguageModel, protocol: Protocol, vocab_size: int, chunk: int) -> Decoder:
    """Synthetic tokens for all positions the protocol needs."""
    ids = [synthetic_token(protocol.token_seed, index, vocab_size) for index in range(protocol.positions)]
    return Decoder(model, np.array(ids, np.int64), chunk)


def self_check(model: LanguageModel, reference: TextReference, chunk: int) -> SelfCheck:
    """Run every reference text, forced along its greedy ids, until the first decisive mismatch."""
    counts = {True: [0, 0], False: [0, 0]}  # decisive -> [steps, matches]
    first_mismatch = None
    for number, text in enumerate(reference.texts):
        position = len(text.prompt)
        chosen = _prefill(model, np.array(text.prompt, np.int64), chunk)
        for step, (expected, decisive) in enumerate(zip(text.greedy, text.decisive, strict=True)):
            if step:
                chosen = int(np.argmax(model.forward(np.array([text.greedy[step - 1]], np.int64), position)))
                position += 1
            counts[decisive][0] += 1
            counts[decisive][1] += chosen == expected
            if decisive and chosen != expected:
                first_mismatch = Mismatch(text=number, step=step, expected=expected, actual=chosen)
                break
        if first_mismatch:
            break
    return SelfCheck(
        steps=counts[True][0] + counts[False][0], decisive_steps=counts[True][0], decisive_matches=counts[True][1],
        ambiguous_steps=counts[False][0], ambiguous_matches=counts[False][1], first_mismatch=first_mismatch,
    )  # fmt: skip


def sample_error(model: LanguageModel, reference: TextReference, chunk: int) -> float | None:
    """RMS difference of the sampled logits over their tolerance: above 1 the model is wrong; None without a sample."""
    sample = reference.logit_sample
    if sample is None:
        return None
    text = reference.texts[0]
    logits = _prompt_logits(model, np.array(text.prompt, np.int64), chunk)
    squares = 0.0
    for step, wanted in enumerate(sample.rows):
        if step:
            position = len(text.prompt) + step - 1
            logits = model.forward(np.array([text.greedy[step - 1]], np.int64), position)
        squares += float(np.square(logits[sample.token_ids] - np.asarray(wanted), dtype=np.float64).sum())
    return (squares / (len(sample.rows) * len(sample.token_ids))) ** 0.5 / sample.tolerance


def warm_up(decoder: Decoder, protocol: Protocol) -> None:
    """Each prompt length once, untimed."""
    for length in protocol.prompt_lengths:
        decoder.prefill(length)


def measure_prefill(decoder: Decoder, length: int, repetitions: int) -> PrefillSamples:
    """Time prompts of one length."""
    prefill_ns = np.zeros(repetitions, np.int64)
    for repetition in range(repetitions):
        start = time.perf_counter_ns()
        decoder.prefill(length)
        prefill_ns[repetition] = time.perf_counter_ns() - start
    return PrefillSamples(prompt_length=length, prefill_ns=tuple(prefill_ns.tolist()))


def measure_decode(decoder: Decoder, context: int, protocol: Protocol) -> DecodeSamples:
    """Time greedy single-token steps from `context` on; the cache holds the synthetic text before it."""
    forward, clock, argmax = decoder.model.forward, time.perf_counter_ns, np.argmax
    forward_ns, step_ns = np.zeros((2, protocol.decode_steps), np.int64)
    token = np.zeros(1, np.int64)
    decoder.prefill(context)
    token[0] = decoder.tokens[context]
    for _ in range(protocol.warm_up_steps):
        forward(token, context)
    for step in range(protocol.decode_steps):
        position = context + step
        before = clock()
        logits = forward(token, position)
        after = clock()
        token[0] = argmax(logits)
        end = clock()
        forward_ns[step] = after - before
        step_ns[step] = end - before
    return DecodeSamples(context=context, forward_ns=tuple(forward_ns.tolist()), step_ns=tuple(step_ns.tolist()))


def measure_sustained(decoder: Decoder, decoded: DecodeSamples, seconds: int, show: ShowSteps) -> SustainedSamples:
    """Steps at one context for `seconds`, or until the arrays are full; sensors are read between steps."""
    forward, clock, argmax = decoder.model.forward, time.perf_counter_ns, np.argmax
    context, limit_ns = decoded.context, seconds * 1_000_000_000
    room = int(limit_ns / max(1, min(decoded.forward_ns)) * SUSTAINED_ROOM) + 1000
    start_ns, forward_ns = np.zeros((2, room), np.int64)
    thermal: list[tuple[int, int | None, float | None]] = []
    token = decoder.tokens[context : context + 1].copy()
    began, steps = clock(), 0
    while steps < room and (start := clock() - began) < limit_ns:
        if start >= len(thermal) * THERMAL_PERIOD_NS:
            now = environment()
            thermal.append((start, now.thermal_status, now.battery_celsius))
            show(start // 1_000_000_000, seconds)
            start = clock() - began
        logits = forward(token, context)
        forward_ns[steps] = clock() - began - start
        start_ns[steps] = start
        token[0] = argmax(logits)
        steps += 1
    return SustainedSamples(
        context=context, start_ns=tuple(start_ns[:steps].tolist()), forward_ns=tuple(forward_ns[:steps].tolist()),
        thermal=tuple(thermal),
    )  # fmt: skip


def _prefill(model: LanguageModel, tokens: np.ndarray, chunk: int) -> int:
    return int(np.argmax(_prompt_logits(model, tokens, chunk))) if tokens.size else 0


def _prompt_logits(model: LanguageModel, tokens: np.ndarray, chunk: int) -> np.ndarray:
    """Logits of the last of `tokens`, from the start of a text."""
    logits = np.zeros(0, np.float32)
    for position in range(0, tokens.size, chunk):
        logits = model.forward(tokens[position : position + chunk], position)
    return logits
