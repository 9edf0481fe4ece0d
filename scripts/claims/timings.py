"""Times of pairs, from run records and from the seed article's file, in one form."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from models.cost import parameter_counts
from models.pair import TOLERANCE
from models.shape import Shape, describe
from scripts.analysis.cells import Cell
from scripts.analysis.metrics import METRICS, MetricName
from scripts.analysis.pairs import PairVerdict, pair_verdicts
from scripts.analysis.verdict import Verdict, Word
from scripts.claims.seed_article.record import Engine, SeedArticle
from scripts.claims.seed_article.verdicts import TIME, ArticleVerdict, article_verdicts
from scripts.records import DeviceKind
from scripts.records.comparable import Setup

_MS_PER_NS = 1e-6


class Work(StrEnum):
    """What limits a call."""

    SINGLE = "single"  # one token, or one row: memory
    MANY = "many"  # a prompt, or a batch of rows: arithmetic


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """The deep arm against the wide one in one setting.

    Attributes:
        matched: equal total parameters within 0.5 %.
        device: name of the machine, of the GPU where one computes; its kind with it unless it is a phone.
        runtime: engine and scheme, without threads.
        threads: None where the engine has no such setting.
        at: `context 512`, `prompt 64`, `batch 1`.
        deep_ms: median of the run medians.
        verdict: of the deep arm; its ratio is deep time / wide time.
        throughput: the same for bytes per second; None for many tokens or rows.
        setup: of run records; None for the seed article's file.
        rows: tokens or rows that one call of the runtime computes together.
        floor: smallest relative difference of the times that a verdict may name.
    """

    pair: str
    matched: bool
    work: Work
    device: str
    runtime: str
    threads: int | None
    at: str
    shapes: tuple[Shape, Shape]
    deep_ms: float
    wide_ms: float
    verdict: Verdict
    throughput: Verdict | None
    setup: Setup | None
    rows: int
    floor: float

    @property
    def caveat(self) -> str:
        """What every finding about it must tell: a record is a fresh process, a repeat in the article's file is not."""
        return "" if self.setup else " Its repeats are inside one process."

    @property
    def where(self) -> str:
        """Pair and conditions."""
        threads = "" if self.threads is None else f", {self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.pair} on {self.device}, {self.runtime}{threads}, {self.at}"

    @property
    def sentence(self) -> str:
        """Times, ratio with its interval, and the verdict with its reason."""
        v, (deep, wide) = self.verdict, self.shapes
        word = f"deep is {v.word}" if v.names_winner else v.word
        return (
            f"{self.where}: {describe(deep)} takes {self.deep_ms:.3g} ms, {describe(wide)} {self.wide_ms:.3g} ms, "
            f"deep / wide {v.ratio:.2f} [{v.low:.2f}..{v.high:.2f}], {v.n_a} and {v.n_b} runs: {word}.{self.caveat}"
        )


def supports_faster(verdict: Verdict) -> bool | None:
    """Whether a verdict shows the deep arm ahead; None where there were not enough runs to say."""
    return None if not verdict.decided else verdict.word is Word.FASTER


def record_timings(cells: Sequence[Cell], work: Work) -> list[Timing]:
    """Of all pairs in the records, at every context (`SINGLE`) or prompt length (`MANY`)."""
    metric = MetricName.DECODE_P50_MS if work is Work.SINGLE else MetricName.TTFT_MS
    moved: dict[tuple[object, ...], Verdict] = {}
    if work is Work.SINGLE:
        moved = {_place(each): each.verdict for each in pair_verdicts(cells, MetricName.ACHIEVED_GB_PER_S)}
    found = (_from_records(each, work, metric, moved.get(_place(each))) for each in pair_verdicts(cells, metric))
    return [timing for timing in found if timing is not None]


def article_timings(article: SeedArticle | None, work: Work) -> list[Timing]:
    """Of the seed article's pairs, with the verdicts that its own command prints."""
    if article is None:
        return []
    return [
        _from_article(article, each, work)
        for each in article_verdicts(article)
        if (each.comparison.batch == 1) == (work is Work.SINGLE)
    ]


def all_timings(cells: Sequence[Cell], article: SeedArticle | None, work: Work) -> list[Timing]:
    """Both."""
    return [*record_timings(cells, work), *article_timings(article, work)]


def _from_article(article: SeedArticle, found: ArticleVerdict, work: Work) -> Timing:
    each, pair = found.comparison, article.pair(found.comparison.pair)
    return Timing(
        pair=each.pair, matched=pair.matched, work=work, device=_named(each.device, DeviceKind.HOST),
        runtime=_engine(each.engine), threads=each.threads, at=f"batch {each.batch}",
        shapes=(pair.deep.shape, pair.wide.shape),
        deep_ms=statistics.median(each.deep_ns) * _MS_PER_NS, wide_ms=statistics.median(each.wide_ns) * _MS_PER_NS,
        verdict=found.time, throughput=found.throughput if work is Work.SINGLE else None, setup=None,
        rows=each.batch, floor=TIME.floor,
    )  # fmt: skip


def _engine(engine: Engine) -> str:
    return "eager PyTorch fp32" if engine is Engine.EAGER else f"{engine} fp32"


def _from_records(row: PairVerdict, work: Work, metric: MetricName, throughput: Verdict | None) -> Timing | None:
    deep, wide = row.deep.median(metric, row.at), row.wide.median(metric, row.at)
    if deep is None or wide is None:
        return None
    setup = row.setup
    return Timing(
        pair=row.pair, matched=_matched(row.deep.shape, row.wide.shape), work=work,
        device=_named(setup.device.id, setup.device.kind),
        runtime=f"{setup.target} {setup.scheme}", threads=setup.protocol.num_threads,
        at=f"{'context' if work is Work.SINGLE else 'prompt'} {row.at}", shapes=(row.deep.shape, row.wide.shape),
        deep_ms=deep, wide_ms=wide, verdict=row.verdict, throughput=throughput, setup=setup,
        rows=1 if work is Work.SINGLE else min(row.at or 1, setup.protocol.prefill_chunk), floor=METRICS[metric].floor,
    )  # fmt: skip


def _named(device: str, kind: DeviceKind) -> str:
    return device if kind is DeviceKind.PHONE else f"{device} ({kind})"


def _matched(deep: Shape, wide: Shape) -> bool:
    one, other = parameter_counts(deep).total, parameter_counts(wide).total
    return abs(one - other) <= TOLERANCE * max(one, other)


def _place(row: PairVerdict) -> tuple[object, ...]:
    return row.setup, row.pair, row.at
