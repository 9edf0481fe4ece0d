"""Findings about time: latency, parallelism, matrix products, caches, hardware, the example, quantisation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from export.quantization import Scheme
from models.pair import Arm
from models.shape import MlpShape, Shape
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import MetricName
from scripts.analysis.verdict import Verdict, Word, adjust, compare
from scripts.claims.claim import Finding
from scripts.claims.seed_article.pairs import EXAMPLE
from scripts.claims.seed_article.record import SeedArticle
from scripts.claims.timings import (
    Timing,
    Work,
    all_timings,
    article_timings,
    supports_faster,
)
from scripts.records.comparable import Setup

_P50 = MetricName.DECODE_P50_MS
# Rows in one call from which arithmetic is plausibly the limit. A call of n rows computes 2 n operations with each
# weight it reads: with 32 rows 16 operations a byte in float32, 128 in int4. Processors of phones and desktops do
# 5 to 15 in the time in which a byte comes from memory (160 Gflop/s at 30 GB/s: 5).
MIN_ROWS = 32


def latency_findings(cells: Sequence[Cell], article: SeedArticle | None) -> list[Finding]:
    """Deep faster than wide, one token or row at a time. Unmatched pairs are explained by size and decide nothing."""
    return [
        _decided(each, supports_faster(each.verdict)) if each.matched else _explained_by_size(each)
        for each in all_timings(cells, article, Work.SINGLE)
    ]


def example_findings(article: SeedArticle | None) -> list[Finding]:
    """The 100 x 10k pair alone, one row at a time."""
    found = [each for each in article_timings(article, Work.SINGLE) if each.pair == EXAMPLE]
    return [_decided(each, supports_faster(each.verdict)) for each in found]


def matmul_findings(cells: Sequence[Cell], article: SeedArticle | None) -> list[Finding]:
    """Prompts and batches: deep shown not to be slower although its products are smaller."""
    found: list[Finding] = []
    for each in all_timings(cells, article, Work.MANY):
        if each.matched:
            sizes = " against ".join(_largest_product(shape) for shape in each.shapes)
            few = f" {each.rows} rows a call may still be bound by memory, so it decides nothing."
            text = f"{each.sentence} Largest product of a layer: {sizes}.{few * (each.rows < MIN_ROWS)}"
            found.append(Finding(where=each.where, text=text, supports=_not_slower(each)))
    return found


def _not_slower(timing: Timing) -> bool | None:
    """Non-inferiority: the whole interval lies below 1 + floor. A wide interval that holds 1 shows nothing."""
    if timing.rows < MIN_ROWS or not timing.verdict.decided:
        return None
    if timing.verdict.word is Word.SLOWER:
        return False
    return True if timing.verdict.high <= 1 + timing.floor else None


def cache_findings(cells: Sequence[Cell], article: SeedArticle | None) -> list[Finding]:
    """Bytes per second, one token or row at a time."""
    found: list[Finding] = []
    for each in all_timings(cells, article, Work.SINGLE):
        speed = each.throughput
        if speed is not None:
            text = (
                f"{each.where}: the deep arm moves {speed.ratio:.2f} [{speed.low:.2f}..{speed.high:.2f}] times as many "
                f"bytes per second as the wide one{'' if each.matched else ', of another total'}.{each.caveat}"
            )
            found.append(
                Finding(where=each.where, text=text, supports=supports_faster(speed) if each.matched else None)
            )
    return found


def parallelism_findings(cells: Sequence[Cell], article: SeedArticle | None) -> list[Finding]:
    """The gap with one thread against the gap with the most threads that were measured."""
    timings = [each for each in all_timings(cells, article, Work.SINGLE) if each.matched and each.threads]
    groups = _grouped(timings, lambda t: (t.pair, t.device, t.runtime, t.at, _but_threads(t)))
    found: list[Finding] = []
    for group in groups:
        one, most = min(group, key=lambda t: t.threads or 0), max(group, key=lambda t: t.threads or 0)
        if one.threads == 1 and most.threads != 1:
            found.append(_scaling(one, most))
    return found


def hardware_findings(cells: Sequence[Cell], article: SeedArticle | None) -> list[Finding]:
    """The winner on one device against the winner on another, everything else equal; and how far their gaps differ."""
    timings = [each for each in all_timings(cells, article, Work.SINGLE) if each.matched]
    found: list[Finding] = []
    for group in _grouped(timings, lambda t: (t.pair, t.runtime, t.at)):
        for a, b in combinations(group, 2):
            if a.device != b.device and (a.threads == b.threads or None in (a.threads, b.threads)):
                found += _two_devices(a, b)
    return found


def quantisation_findings(cells: Sequence[Cell]) -> list[Finding]:
    """The deep arm in each quantised scheme against itself in fp32, and what became of the gap to the wide arm."""
    floats = {_but_scheme(cell): cell for cell in cells if cell.key.setup.scheme is Scheme.FP32}
    tested = [
        _Quantised(cell, floats[_but_scheme(cell)], context)
        for cell in cells
        if cell.key.network.arm is Arm.DEEP and cell.key.setup.scheme is not Scheme.FP32 and _but_scheme(cell) in floats
        for context in cell.key.setup.protocol.contexts
    ]
    verdicts = _by_setup(tested)
    gaps = {(t.setup, t.pair, t.at): t for t in all_timings(cells, None, Work.SINGLE)}
    return [_quantised(each, verdict, gaps) for each, verdict in zip(tested, verdicts, strict=True)]


@dataclass(frozen=True, slots=True)
class _Quantised:
    """The deep arm in a quantised scheme, the same in fp32, and a context of the cache."""

    cell: Cell
    full: Cell
    at: int


def _by_setup(tested: Sequence[_Quantised]) -> list[Verdict]:
    """Corrected inside a setup, as verdicts of pairs are: more phones must not ask for more runs on each."""
    found = [compare(each.cell.values(_P50, each.at), each.full.values(_P50, each.at)) for each in tested]
    families: dict[Setup, list[int]] = {}
    for index, each in enumerate(tested):
        families.setdefault(each.cell.key.setup, []).append(index)
    for indices in families.values():
        for index, verdict in zip(indices, adjust([found[i] for i in indices]), strict=True):
            found[index] = verdict
    return found


def _quantised(each: _Quantised, verdict: Verdict, gaps: Mapping[tuple[Setup | None, str, str], Timing]) -> Finding:
    setup, pair = each.cell.key.setup, each.cell.key.network.pair
    before, after = (gaps.get((cell.key.setup, pair, f"context {each.at}")) for cell in (each.full, each.cell))
    gap = f"; deep / wide goes from {_interval(before)} to {_interval(after)}" if before and after else ""
    where = f"{pair} on {setup.label}, context {each.at}"
    text = (
        f"{where}: the deep arm takes {verdict.ratio:.2f} [{verdict.low:.2f}..{verdict.high:.2f}] of the time that it "
        f"takes in fp32{gap}."
    )
    return Finding(where=where, text=text, supports=supports_faster(verdict))


def _decided(timing: Timing, supports: bool | None) -> Finding:
    return Finding(where=timing.where, text=timing.sentence, supports=supports)


def _explained_by_size(timing: Timing) -> Finding:
    """An unmatched pair: how much of the difference its sizes explain, and what remains."""
    speed = timing.throughput
    rest = "" if speed is None else _rest(timing.verdict.ratio, speed.ratio)
    return Finding(where=timing.where, text=f"{timing.sentence} The arms hold different totals.{rest}", supports=None)


def _rest(time_ratio: float, speed_ratio: float) -> str:
    """With W bytes and time t: t_deep / t_wide = (W_deep / W_wide) / (speed_deep / speed_wide)."""
    return (
        f" Bytes alone predict a deep / wide ratio of {time_ratio * speed_ratio:.2f}; the rest, a factor of "
        f"{1 / speed_ratio:.2f}, is bytes per second."
    )


def _scaling(one: Timing, most: Timing) -> Finding:
    gained = [one.deep_ms / most.deep_ms, one.wide_ms / most.wide_ms]
    text = (
        f"{most.where}: from 1 thread to {most.threads} the deep arm becomes {gained[0]:.2f} times as fast, the wide "
        f"one {gained[1]:.2f}; deep / wide goes from {_interval(one)} to {_interval(most)}.{most.caveat}"
    )
    undecided = not (one.verdict.decided and most.verdict.decided)
    # A gap that narrows only because threads slow the wide arm down is no parallelism of the deep one.
    narrows = most.verdict.high < one.verdict.low and gained[0] > 1
    return Finding(where=most.where, text=text, supports=None if undecided else narrows)


def _two_devices(a: Timing, b: Timing) -> list[Finding]:
    """Whether the winner changes, which decides; and whether the size of the gap does, which is another question."""
    where = f"{a.pair}, {a.runtime}, {a.at}: {a.device} and {b.device}"
    both = f"deep / wide {_interval(a)} and {_interval(b)}"
    named = [each.verdict.names_winner for each in (a, b)]
    opposite = a.verdict.word is not b.verdict.word
    words = ("opposite winners" if opposite else f"the deep arm is {a.verdict.word} on both") if all(named) else (
        "no winner on at least one of them, so it decides nothing")  # fmt: skip
    found = [
        Finding(where=where, text=f"{where}: {both}: {words}.{a.caveat}", supports=opposite if all(named) else None)
    ]
    ratios = [each.verdict.ratio for each in (a, b)]
    apart = a.verdict.high < b.verdict.low or b.verdict.high < a.verdict.low
    if a.verdict.decided and b.verdict.decided and apart and max(ratios) >= (1 + a.floor) * min(ratios):
        text = f"{where}: how much slower differs, {both}, intervals apart; it says nothing about which is faster."
        found.append(Finding(where=where, text=f"{text}{a.caveat}", supports=None))
    return found


def _interval(timing: Timing) -> str:
    return f"{timing.verdict.ratio:.2f} [{timing.verdict.low:.2f}..{timing.verdict.high:.2f}]"


def _grouped(timings: Sequence[Timing], key: Callable[[Timing], tuple[object, ...]]) -> list[list[Timing]]:
    groups: dict[tuple[object, ...], list[Timing]] = {}
    for timing in timings:
        groups.setdefault(key(timing), []).append(timing)
    return list(groups.values())


def _but_threads(timing: Timing) -> Setup | None:
    """The conditions with one number of threads for all, in any campaign; the article's file has none."""
    setup = timing.setup
    return setup and replace(setup.conditions, protocol=replace(setup.protocol, num_threads=1))


def _but_scheme(cell: Cell) -> tuple[object, ...]:
    """What an fp32 cell and its quantised twin share; their artifacts differ, so their content does too."""
    setup, network = cell.key.setup, cell.key.network
    return replace(setup, scheme=Scheme.FP32), network.pair, network.arm


def _largest_product(shape: Shape) -> str:
    if isinstance(shape, MlpShape):
        rows, columns = max(((o, i) for i, o in shape.layer_sizes), key=lambda size: size[0] * size[1])
        return f"{rows} x {columns}"
    return f"{shape.ffn_size} x {shape.hidden_size}"
