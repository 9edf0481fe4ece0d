"""The verdicts of a seed-article file, made in one place so that every reader of the file says the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.pair import Arm
from scripts.analysis.metrics import METRICS, Metric, MetricName
from scripts.analysis.verdict import Verdict, adjust, compare
from scripts.claims.seed_article.record import Comparison, SeedArticle

TIME = METRICS[MetricName.DECODE_P50_MS]
THROUGHPUT = METRICS[MetricName.ACHIEVED_GB_PER_S]


@dataclass(frozen=True, slots=True)
class ArticleVerdict:
    """The deep arm against the wide one in one setting.

    Attributes:
        time: its ratio is deep time / wide time.
        throughput: of weight bytes per second.
    """

    comparison: Comparison
    time: Verdict
    throughput: Verdict


def article_verdicts(article: SeedArticle) -> list[ArticleVerdict]:
    """A verdict for each comparison, in order; all comparisons on one device are one family for Holm's correction."""
    times = _adjusted(article, [(each.deep_ns, each.wide_ns) for each in article.comparisons], TIME)
    speeds = _adjusted(article, [_speeds(article, each) for each in article.comparisons], THROUGHPUT)
    return [ArticleVerdict(*row) for row in zip(article.comparisons, times, speeds, strict=True)]


def _adjusted(
    article: SeedArticle, sides: Sequence[tuple[Sequence[float], Sequence[float]]], metric: Metric
) -> list[Verdict]:
    found = [compare(deep, wide, metric, paired=True) for deep, wide in sides]
    families: dict[str, list[int]] = {}
    for index, each in enumerate(article.comparisons):
        families.setdefault(each.device, []).append(index)
    for indices in families.values():
        for index, verdict in zip(indices, adjust([found[i] for i in indices], metric), strict=True):
            found[index] = verdict
    return found


def _speeds(article: SeedArticle, each: Comparison) -> tuple[list[float], list[float]]:
    """Bytes per nanosecond of each run, deep and wide."""
    pair = article.pair(each.pair)
    deep, wide = ([pair.arm(arm).weight_bytes / ns for ns in each.runs(arm)] for arm in (Arm.DEEP, Arm.WIDE))
    return deep, wide
