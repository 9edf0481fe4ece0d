"""How often the statistics are right, by simulation with their own functions: the figures of docs/method.md.

    python -m scripts.bench.statistics [--repetitions 200]

Every share comes with its Monte Carlo error, the standard error of a binomial share.
"""

import math
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import typer

from export.console import run_app
from export.quantization import Scheme
from export.targets.base import TargetName
from models.sweep import SWEEP
from scripts.analysis.history import find_steps
from scripts.analysis.price.fit import PriceFit
from scripts.analysis.price.model import workload
from scripts.analysis.price.price import Observation, fit_price
from scripts.analysis.price.sweep import storage_for
from scripts.analysis.sessions import Limits, Outcome, Pair, changes, rests
from scripts.analysis.verdict import Verdict, compare

Random = np.random.Generator
Sides = tuple[np.ndarray, np.ndarray]
app = typer.Typer(add_completion=False)
_RUN_NOISE = 0.03
_FAMILY = 2


def independent(random: Random, count: int) -> Sides:
    """3 % noise."""
    return _noise(random, count), _noise(random, count)


def drifting(random: Random, count: int) -> Sides:
    """Neighbours share a walk of 3 % a pair."""
    trend = np.exp(np.cumsum(random.normal(0, 0.03, count)))
    return _noise(random, count) * trend, _noise(random, count) * trend


def two_modes(random: Random, count: int) -> Sides:
    """One run in five takes twice as long."""
    a, b = (_noise(random, count) * np.where(random.random(count) < 0.2, 2.0, 1.0) for _ in range(2))
    return a, b


def _noise(random: Random, count: int) -> np.ndarray:
    return np.exp(random.normal(0, _RUN_NOISE, count))


def verdicts(
    random: Random, draw: Callable[[Random, int], Sides], count: int, effect: float, repetitions: int
) -> list[Verdict]:
    """Side a takes `effect` more time than side b, in a family of two."""
    found: list[Verdict] = []
    for _ in range(repetitions):
        a, b = draw(random, count)
        found.append(compare((a * (1 + effect)).tolist(), b.tolist(), tests=_FAMILY, paired=True))
    return found


def sessions(
    random: Random, networks: int, runs: int, session_sd: float, effect: float = 0.0, own_sd: float = 0.0
) -> list[Outcome]:
    """Outcomes of two sessions; the first network of the candidate takes `effect` more time.

    Args:
        random: source of the noise.
        networks: in each session.
        runs: of each network in each session, with 3 % noise.
        session_sd: of what all networks of a session share.
        effect: relative.
        own_sd: of what one network has in one session.
    """
    factors, pairs = random.normal(0, session_sd, 2), list[Pair]()
    for network in range(networks):
        sides = [_noise(random, runs) * math.exp(factor + random.normal(0, own_sd)) for factor in factors]
        pairs.append(Pair(sides[0], sides[1] * (1 + effect * (network == 0))))
    limits = Limits()
    return [each.outcome for each in changes(rests(pairs, limits)[1], limits)]


def nights(random: Random, kind: str, count: int) -> np.ndarray:
    """Medians of five runs a night: independent, with nights of 3 % that correlate to 0.6, or in two modes."""
    runs = np.exp(random.normal(0, _RUN_NOISE, (count, 5)))
    if kind == "slow runs":
        runs *= np.where(random.random((count, 5)) < 0.2, 2.0, 1.0)
    values = np.median(runs, axis=1)
    if kind == "slow nights":
        return values * np.where(random.random(count) < 0.1, 2.0, 1.0)
    return values * _correlated(random, count) if kind == "correlated" else values


def _correlated(random: Random, count: int) -> np.ndarray:
    logs = np.empty(count)
    logs[0] = random.normal(0, 0.03)
    steps = random.normal(0, 0.03 * math.sqrt(1 - 0.6**2), count)
    for night in range(1, count):
        logs[night] = 0.6 * logs[night - 1] + steps[night]
    return np.exp(logs)


def sweep_fit(random: Random, misfit: float, tau_ns: float = 30e3) -> PriceFit:
    """Ten shapes, ten runs of 3 %, each shape off the model by `misfit` in all of its runs."""
    storage, observations = storage_for(TargetName.EXECUTORCH, Scheme.INT4), list[Observation]()
    for name, shape in SWEEP.items():
        off, runs = math.exp(random.normal(0, misfit)), _noise(random, 10)
        for context in (8, 520):
            load = workload(name, shape, storage, context)
            ns = 100e3 + load.num_passes * tau_ns + load.weight_bytes / 30 + load.kv_bytes / 10
            observations.append(Observation(load, tuple(ns * off * runs)))
    fit = fit_price(observations)
    assert isinstance(fit, PriceFit)
    return fit


def share(hits: Sequence[bool]) -> str:
    """`2.0 % +- 0.9`: a share with its Monte Carlo error, never taken as below that of one hit more."""
    count = len(hits)
    value = sum(hits) / count
    doubtful = (sum(hits) + 1) / (count + 2)
    return f"{value:6.1%} +- {math.sqrt(doubtful * (1 - doubtful) / count):.1%}"


def _say(line: str) -> None:
    typer.echo(line)


def _verdict_lines(random: Random, repetitions: int) -> None:
    _say(
        "verdict, family of 2: winner named at +0 % (target 5 % a family) / +5 % / +10 %; winner with 1 in its interval"
    )
    for draw in (independent, drifting, two_modes):
        for count in (5, 8, 10, 20):
            found = [verdicts(random, draw, count, effect, repetitions) for effect in (0.0, 0.05, 0.10)]
            named = " / ".join(share([each.names_winner for each in some]) for some in found)
            holds = sum(each.names_winner and each.low <= 1 <= each.high for some in found for each in some)
            effect = float(np.median([each.minimum_effect for each in found[0]]))
            _say(f"  {draw.__name__:12} {count:2} runs: {named}; {holds}; minimum effect {effect:.1%}")


def _session_lines(random: Random, repetitions: int) -> None:
    _say("compare, 3 % noise: A/A alarm (target 2 %) by session sd; all networks held at 5 %")
    for networks, runs in ((12, 10), (12, 20), (12, 5), (4, 10), (2, 10)):
        for sd in (0.0, 0.03, 0.05):
            found = [sessions(random, networks, runs, sd) for _ in range(repetitions)]
            alarms = [Outcome.WORSE in each for each in found]
            held = [set(each) == {Outcome.HELD} for each in found]
            _say(f"  {networks:2} networks, {runs}+{runs} runs, sd {sd:.0%}: {share(alarms)}; {share(held)}")
    own = [Outcome.WORSE in sessions(random, 12, 10, 0.03, own_sd=0.01) for _ in range(repetitions)]
    _say(f"  12 networks, 10+10 runs, each network 1 % off by itself in a session: {share(own)} (no target)")
    _say("compare: +6 % in one network found (target 80 %)")
    for networks in (12, 6, 4):
        hits = [sessions(random, networks, 10, 0.03, 0.06)[0] is Outcome.WORSE for _ in range(repetitions)]
        _say(f"  {networks:2} networks, 10+10 runs, sd 3%: {share(hits)}")


def _history_lines(random: Random, repetitions: int) -> None:
    _say("history: false step in 100 nights (target 5 %); +10 % found within 5 nights (target 80 %), within 10")
    for kind in ("independent", "correlated", "slow runs", "slow nights"):
        false = [bool(find_steps(nights(random, kind, 100).tolist())) for _ in range(repetitions)]
        found = [_found(random, kind, after, repetitions) for after in (5, 10)]
        _say(f"  {kind:12}: {share(false)}; {share(found[0])}; {share(found[1])}")


def _found(random: Random, kind: str, after: int, repetitions: int) -> list[bool]:
    hits: list[bool] = []
    for _ in range(repetitions):
        values = nights(random, kind, 40 + after)
        values[40:] *= 1.10
        hits.append(any(abs(step.index - 40) <= 5 for step in find_steps(values.tolist())))
    return hits


def _price_lines(random: Random, repetitions: int) -> None:
    _say("price: 95 % interval of tau holds the truth; its median width")
    for misfit in (0.0, 0.03, 0.06):
        taus = [sweep_fit(random, misfit).tau_ns for _ in range(repetitions)]
        covered = [each.low <= 30e3 <= each.high for each in taus]
        width = float(np.median([(each.high - each.low) / 30e3 for each in taus]))
        _say(f"  shapes off by {misfit:.0%}: {share(covered)}; {width:.0%} of tau")


@app.command()
def main(
    repetitions: Annotated[int, typer.Option("--repetitions", min=20, help="Of each share but those of tau.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Of all noise.")] = 1,
) -> None:
    """Simulate and print every rate that docs/method.md states."""
    random = np.random.default_rng(seed)
    _verdict_lines(random, repetitions)
    _session_lines(random, repetitions)
    _history_lines(random, repetitions)
    _price_lines(random, max(20, repetitions // 4))


if __name__ == "__main__":
    sys.exit(run_app(app, "python -m scripts.bench.statistics"))
