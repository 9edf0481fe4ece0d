"""The article's four kinds of numbers as two tables: counts, then times with how much of them size explains."""

from rich.console import Console
from rich.table import Table

from models.pair import Arm
from models.shape import describe
from scripts.analysis.spread import spread
from scripts.analysis.verdict import Verdict
from scripts.claims.seed_article.record import Comparison, PairFacts, SeedArticle
from scripts.claims.seed_article.verdicts import article_verdicts

_WIDTH = 160
_MB = 1e6


def print_article(article: SeedArticle) -> None:
    """Print both tables on standard output."""
    console = Console()
    console = console if console.is_terminal else Console(width=_WIDTH)
    m = article.measurement
    console.print(f"{m.date}, {m.processor}, {m.cores} cores, {m.system}, load average {m.load_average:.2f}\n")
    console.print(_counts(article), highlight=False)
    console.print()
    console.print(_times(article), highlight=False)
    console.print(
        "\nms: median [least..most] of the runs' medians. deep/wide: ratio of times with its 95 % interval.\n"
        "bytes: the ratio that weight bytes alone predict. rest: time ratio / bytes ratio, what size leaves\n"
        "unexplained; 1 means that size explains it all. Batch 1 is what a phone computes for a token, 128 a chunk of "
        "a prompt. All runs are inside one process: they do not show what a fresh one would differ by.",
        markup=False, highlight=False,
    )  # fmt: skip


def _counts(article: SeedArticle) -> Table:
    batches = sorted({each.batch for each in article.comparisons})
    table = _table(
        "pair", "arm", "network", ">parameters", ">weights MB",
        *(f">activations MB, batch {batch}" for batch in batches), ">peak of them MB, batch 1",
    )  # fmt: skip
    for pair in article.pairs:
        for arm in Arm:
            facts = pair.arm(arm)
            sums = (f"{batch * facts.activation_bytes_per_row / _MB:.3f}" for batch in batches)
            table.add_row(
                f"{pair.name}{'' if pair.matched else ' (not matched)'}", arm, describe(facts.shape),
                f"{facts.parameters:,}", f"{facts.weight_bytes / _MB:.1f}", *sums,
                f"{facts.peak_live_bytes_per_row / _MB:.4f}",
            )  # fmt: skip
    return table


def _times(article: SeedArticle) -> Table:
    table = _table(
        "pair", "engine", ">threads", ">batch", ">deep ms", ">wide ms", ">deep/wide", ">bytes", ">rest", "deep is"
    )
    for each in article_verdicts(article):
        table.add_row(*_row(article.pair(each.comparison.pair), each.comparison, each.time))
    return table


def _row(pair: PairFacts, each: Comparison, verdict: Verdict) -> list[str]:
    by_bytes = pair.deep.weight_bytes / pair.wide.weight_bytes
    return [
        each.pair,
        f"{each.engine} {each.compute}",
        "-" if each.threads is None else str(each.threads),
        str(each.batch),
        *(f"{spread(ns / 1e6 for ns in each.runs(arm)):.2f}" for arm in Arm),
        f"{verdict.ratio:.2f} [{verdict.low:.2f}..{verdict.high:.2f}]",
        f"{by_bytes:.2f}",
        f"{verdict.ratio / by_bytes:.2f}",
        str(verdict.word),
    ]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return table
