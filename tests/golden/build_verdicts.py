"""The golden verdicts, which Python, Kotlin and Swift must reach: runs in, word and numbers out.

`python -m tests.golden.build_verdicts` writes `verdicts.json`. docs/method.md, "The rule of a verdict", is the
specification. Numbers agree to 1e-9 relative or absolute; null is a number that there is none of.
"""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.analysis.metrics import METRICS, Metric, MetricName
from scripts.analysis.ranks import Method
from scripts.analysis.verdict import Analysis, Verdict, adjust, compare

FILE = Path(__file__).parent / "verdicts.json"
TIME = METRICS[MetricName.DECODE_P50_MS]
SPEED = METRICS[MetricName.DECODE_TOKENS_PER_S]
LOAD = METRICS[MetricName.LOAD_MS]
MEMORY = METRICS[MetricName.HIGH_WATER_BYTES]
RATIO = METRICS[MetricName.MBU]


@dataclass(frozen=True, slots=True)
class Runs:
    """A comparison: the value of each run, in order."""

    a: Sequence[float]
    b: Sequence[float]
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Family:
    """Comparisons that Holm corrects together."""

    name: str
    comparisons: Sequence[Runs]
    metric: Metric = TIME


class Draw:
    """Made-up runs; Python's own generator gives the same everywhere."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def runs(self, count: int, level: float = 10.0, noise: float = 0.03, slow: Sequence[int] = ()) -> list[float]:
        """Lognormal around `level`; those at `slow` take 2.1 times as long."""
        values = [level * math.exp(self._random.gauss(0, noise)) for _ in range(count)]
        return [_rounded(value * (2.1 if index in slow else 1)) for index, value in enumerate(values)]

    def drift(self, count: int, ratio: float, noise: float = 0.01) -> Runs:
        """Neighbours that share a slow walk."""
        trend, a, b = 0.0, [], []
        for _ in range(count):
            trend += self._random.gauss(0.01, 0.05)
            a.append(_rounded(10 * ratio * math.exp(trend + self._random.gauss(0, noise))))
            b.append(_rounded(10 * math.exp(trend + self._random.gauss(0, noise))))
        return Runs(a, b, paired=True)


def families() -> list[Family]:
    """Every case."""
    return [*_small(), *_ties(), *_drifting(), *_two_modes(), *_floors(), *_holm(), *_others(), *_large()]


def _small() -> list[Family]:
    d = Draw(8)
    return [
        Family("no runs of a", [Runs([], [1.0, 1.1, 1.2, 1.3, 1.4])]),
        Family("no runs at all", [Runs([], [])]),
        Family("one run a side has no interval", [Runs([10.0], [12.0])]),
        Family("three runs a side have no interval", [Runs(d.runs(3, 12), d.runs(3))]),
        Family("four clear runs a side are not enough", [Runs(d.runs(4, 20), d.runs(4))]),
        Family("four and twenty are not enough", [Runs(d.runs(4, 20), d.runs(20))]),
        Family("four pairs are not enough", [Runs(d.runs(4, 20), d.runs(4), paired=True)]),
        Family("five a side, apart: slower", [Runs(d.runs(5, 12), d.runs(5))]),
        Family("five a side, apart: faster", [Runs(d.runs(5, 8), d.runs(5))]),
        Family("five a side, alike", [Runs(d.runs(5), d.runs(5))]),
        Family("five pairs are tested unpaired", [Runs(d.runs(5, 11), d.runs(5), paired=True)]),
        Family("seven pairs are tested unpaired", [Runs(d.runs(7, 10.3), d.runs(7), paired=True)]),
        Family("eight pairs are paired", [Runs(d.runs(8, 10.6), d.runs(8), paired=True)]),
        Family("five and nine", [Runs(d.runs(5, 10.7), d.runs(9))]),
    ]


def _ties() -> list[Family]:
    return [
        Family("all runs equal", [Runs([5.0] * 6, [5.0] * 6)]),
        Family("all pairs equal", [Runs([5.0] * 9, [5.0] * 9, paired=True)]),
        Family("constant sides, apart", [Runs([6.0] * 5, [5.0] * 5)]),
        Family("constant pairs, apart", [Runs([6.0] * 8, [5.0] * 8, paired=True)]),
        Family("ties across the sides", [Runs([10, 11, 11, 12, 13, 13], [9, 10, 10, 11, 11, 12])]),
        Family("ties that touch at the edge", [Runs([10, 10, 11, 12, 13], [8, 9, 9, 10, 10])]),
        Family("pairs with zeros and equal sizes", [
            Runs([10, 12, 10, 12, 11, 10, 12, 10, 12], [10, 10, 10, 10, 11, 12, 10, 10, 10], paired=True)
        ]),
        Family("opposite pairs cancel", [
            Runs([1.1, 1.0, 1.2, 1.0, 1.3, 1.0, 1.4, 1.0], [1.0, 1.1, 1.0, 1.2, 1.0, 1.3, 1.0, 1.4], paired=True)
        ]),
    ]  # fmt: skip


def _drifting() -> list[Family]:
    d = Draw(2)
    unpaired = d.drift(10, 1.05)
    return [
        Family("drift, 8 pairs, 5 %", [d.drift(8, 1.05)]),
        Family("drift, 10 pairs, 5 %", [d.drift(10, 1.05)]),
        Family("drift, 20 pairs, 4 % faster", [d.drift(20, 0.96)]),
        Family("drift, 10 pairs, alike", [d.drift(10, 1.0)]),
        Family("drift, 10 runs without their pairs, 5 %", [Runs(unpaired.a, unpaired.b)]),
        Family("drift through a gap of two modes' size in pairs", [d.drift(12, 1.5)]),
    ]


def _two_modes() -> list[Family]:
    d = Draw(3)
    return [
        Family("two modes, 10 and 10, 10 %", [Runs(d.runs(10, 11, slow=(2, 7)), d.runs(10, slow=(4,)))]),
        Family("two modes, 10 pairs, 10 %: not paired", [
            Runs(d.runs(10, 11, slow=(2, 7)), d.runs(10, slow=(4,)), paired=True)
        ]),
        Family("two modes, 10 and 10, alike", [Runs(d.runs(10, slow=(1,)), d.runs(10, slow=(4, 8)))]),
        Family("two modes, too few left in the fast one", [Runs(d.runs(6, 11, slow=(2, 3)), d.runs(6, slow=(4,)))]),
        Family("two modes, one side slow more often", [Runs(d.runs(10, slow=(0, 1, 2, 3, 4)), d.runs(10))]),
        Family("two modes and twice the level: sides are lined up", [Runs(d.runs(10, 20, slow=(5,)), d.runs(10))]),
        Family("twice the level is no second mode", [Runs(d.runs(10, 20), d.runs(10))]),
        Family("a gap below 1.3 is no second mode", [
            Runs([10, 10.1, 10.2, 10.3, 12.9, 13.0], [10.05, 10.15, 10.25, 10.35, 12.95, 13.05])
        ]),
        Family("wide noise is no second mode", [Runs(d.runs(10, noise=0.2), d.runs(10, noise=0.2))]),
        Family("a single fast run is no mode", [Runs([4.0, *d.runs(7)], d.runs(8))]),
        Family("two modes in tokens a second", [Runs(
            [_rounded(1000 / ms) for ms in d.runs(10, 11, slow=(2, 7))],
            [_rounded(1000 / ms) for ms in d.runs(10, slow=(4,))],
        )], SPEED),
        Family("two levels of memory are no modes", [
            Runs([1e8, 1e8, 1e8, 3e8, 3e8, 1e8], [1e8, 1e8, 1e8, 1e8, 3e8, 1e8])
        ], MEMORY),
    ]  # fmt: skip


def _floors() -> list[Family]:
    d = Draw(4)
    return [
        Family("1 % is real and below the floor", [Runs(d.runs(8, 10.1, 0.0005), d.runs(8, noise=0.0005))]),
        Family("1 % faster is below the floor too", [
            Runs(d.runs(8, 9.9, 0.0005), d.runs(8, noise=0.0005), paired=True)
        ]),
        Family("3 % is above the floor", [Runs(d.runs(8, 10.3, 0.0005), d.runs(8, noise=0.0005))]),
        Family("8 % of a load is below its floor", [Runs(d.runs(8, 10.8, 0.005), d.runs(8, noise=0.005))], LOAD),
    ]  # fmt: skip


def _holm() -> list[Family]:
    d = Draw(5)
    clear = Runs(d.runs(5, 20), d.runs(5))
    return [
        Family("two contexts, one close", [Runs(d.runs(8, 11), d.runs(8)), Runs(d.runs(8, 10.35), d.runs(8))]),
        Family("a step down", [
            Runs(d.runs(6, 11), d.runs(6)), Runs(d.runs(6, 10.5), d.runs(6)), Runs(d.runs(6), d.runs(6))
        ]),
        Family("six of five runs are decided", [clear] * 6),
        Family("seven of five runs are not", [clear] * 7),
        Family("rows without enough runs are no tests", [clear, Runs(d.runs(3), d.runs(3)), clear]),
        Family("a value of 0 is undecided and no test", [clear, Runs([0, 1.1, 1.2, 1.3, 1.4], d.runs(5, 1.2))]),
        Family("pairs and unpaired rows in a family", [d.drift(9, 1.04), Runs(d.runs(6, 10.8), d.runs(6))]),
        Family("two modes in a row of a family", [
            Runs(d.runs(10, 11, slow=(3,)), d.runs(10, slow=(1, 2))), Runs(d.runs(10, 10.4), d.runs(10))
        ]),
    ]  # fmt: skip


def _others() -> list[Family]:
    d = Draw(6)
    return [
        Family("more tokens a second is faster", [Runs(d.runs(6, 120), d.runs(6, 100))], SPEED),
        Family("fewer tokens a second is slower", [Runs(d.runs(9, 90), d.runs(9, 100), paired=True)], SPEED),
        Family("more memory is larger", [Runs(d.runs(6, 2e8), d.runs(6, 1e8))], MEMORY),
        Family("less memory is smaller", [Runs(d.runs(6, 1e8), d.runs(6, 2e8))], MEMORY),
        Family("a negative value is undecided", [Runs([-1, 1.1, 1.2, 1.3, 1.4], d.runs(5, 1.2))]),
        Family("a ratio has no modes", [Runs(d.runs(8, 0.5, slow=(2,)), d.runs(8, 0.5))], RATIO),
    ]


def _large() -> list[Family]:
    d = Draw(7)
    return [
        Family("40 a side", [Runs(d.runs(40, 10.2), d.runs(40))]),
        Family("60 pairs", [d.drift(60, 1.01)]),
        Family("101 and 90 use the normal approximation", [Runs(d.runs(101, 10.2), d.runs(90))]),
        Family("101 pairs use the normal approximation", [d.drift(101, 1.005)]),
    ]


def expected(verdict: Verdict) -> dict[str, object]:
    """What every language must find."""
    modes, other = verdict.modes, verdict.other
    return {
        "word": verdict.word, "ratio": _number(verdict.ratio), "low": _number(verdict.low),
        "high": _number(verdict.high), "p": verdict.p, "p_adjusted": verdict.p_adjusted, "tests": verdict.tests,
        "paired": verdict.method is Method.PAIRED, "judged": verdict.judged, "n_a": verdict.n_a, "n_b": verdict.n_b,
        "minimum_effect": _number(verdict.minimum_effect),
        "modes": None if modes is None else {
            "slow_a": list(modes.slow_a), "slow_b": list(modes.slow_b), "factor": modes.factor, "p": modes.p
        },
        "other": None if other is None else _other(other),
    }  # fmt: skip


def verdicts_of(family: Family) -> list[Verdict]:
    """The family's verdicts, corrected."""
    return adjust(
        [compare(each.a, each.b, family.metric, paired=each.paired) for each in family.comparisons], family.metric
    )


def as_json(family: Family) -> dict[str, object]:
    """The family with what is expected of it."""
    metric = family.metric
    rows = [
        {"a": list(each.a), "b": list(each.b), "paired": each.paired, "expected": expected(verdict)}
        for each, verdict in zip(family.comparisons, verdicts_of(family), strict=True)
    ]
    head = {"name": metric.name, "unit": metric.unit, "better": metric.better, "floor": metric.floor}
    return {"name": family.name, "metric": head, "comparisons": rows}


def _other(other: Analysis) -> dict[str, object]:
    return {
        "word": other.word, "ratio": _number(other.ratio), "low": _number(other.low), "high": _number(other.high),
        "p": other.p, "n_a": other.n_a, "n_b": other.n_b,
    }  # fmt: skip


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def main() -> None:
    """Write the golden file."""
    lines = ",\n".join(json.dumps(as_json(family)) for family in families())
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
