"""One training, and the plan of all of them."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from models.pair import Arm
from scripts.claims.training.record import LayerGradients, Point, TrainingRun, Variant
from scripts.claims.training.tasks import Batch, Network, Problem

# Means of the training loss that a curve consists of.
_CURVE_POINTS = 20
_WARM_UP_SHARE = 0.1
_CLIP = 1.0
# A training that learns nothing ends where it began, give or take noise; that is not divergence.
_DIVERGED_ABOVE = 1.1
# Apart from every compared seed.
PILOT_SEED = 1_000_003


@dataclass(frozen=True, slots=True)
class Contender:
    """One arm in one construction on one task: trained once for each rate, then once for each seed at the best."""

    problem: Problem
    arm: Arm
    variant: Variant


def contenders(problems: Sequence[Problem]) -> list[Contender]:
    """Everything that is trained; the arms of a task follow each other."""
    return [
        Contender(problem, arm, variant)
        for problem in problems
        for arm in Arm
        for variant in problem.variants[arm]
    ]  # fmt: skip


def num_trainings(contender: Contender, seeds: Sequence[int]) -> int:
    """Pilots included; with a single rate there is nothing to choose."""
    rates = len(contender.problem.facts.learning_rates)
    return len(seeds) + (rates if rates > 1 else 0)


def train_contender(contender: Contender, seeds: Sequence[int], on_run: Callable[[TrainingRun], None]) -> None:
    """Pilots, then one training per seed; each is handed over as soon as it ends."""
    rates = contender.problem.facts.learning_rates
    rate = rates[0]
    if len(rates) > 1:
        pilots = [train(contender, PILOT_SEED, each, pilot=True) for each in rates]
        for pilot in pilots:
            on_run(pilot)
        rate = min(pilots, key=_final_loss).learning_rate
    for seed in seeds:
        on_run(train(contender, seed, rate, pilot=False))


def train(contender: Contender, seed: int, rate: float, pilot: bool) -> TrainingRun:
    """Adam, linear warm-up over a tenth of the steps, then a cosine to a tenth of the rate; gradients clipped at 1."""
    start = time.perf_counter()
    problem, steps = contender.problem, contender.problem.facts.steps
    network = problem.build(contender.arm, contender.variant, seed)
    # The same seed draws the same batches for every contender.
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate_at(step, steps))
    gradients = [measure_gradients(problem, network, 0)]
    losses: list[float] = []
    for _ in range(steps):
        loss = problem.loss(network, problem.batch(generator))
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            break
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
    gradients.append(measure_gradients(problem, network, len(losses)))
    train_loss, held_out_loss = (
        _evaluate(problem, network, problem.train),
        _evaluate(problem, network, problem.held_out),
    )
    return TrainingRun(
        task=problem.facts.task, arm=contender.arm, variant=contender.variant, seed=seed, learning_rate=rate,
        pilot=pilot, curve=_curve(losses), train_loss=train_loss, held_out_loss=held_out_loss,
        gradients=tuple(gradients), diverged=train_loss is None or train_loss > _DIVERGED_ABOVE * losses[0],
        wall_s=time.perf_counter() - start,
    )  # fmt: skip


def measure_gradients(problem: Problem, network: Network, step: int) -> LayerGradients:
    """Root mean square of each layer's gradient on the task's own training points."""
    network.zero_grad()
    rows = 128
    problem.loss(network, (problem.train[0][:rows], problem.train[1][:rows])).backward()
    rms: list[float | None] = []
    for parameters in network.parameters_by_layer():
        flat = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
        value = float(flat.square().mean().sqrt())
        rms.append(value if math.isfinite(value) else None)
    return LayerGradients(step=step, rms=tuple(rms))


def _rate_at(step: int, steps: int) -> float:
    warm_up = max(1, round(_WARM_UP_SHARE * steps))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.1 + 0.45 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@torch.no_grad()
def _evaluate(problem: Problem, network: Network, batch: Batch | None) -> float | None:
    if batch is None:
        return None
    value = float(problem.loss(network, batch))
    return value if math.isfinite(value) else None


def _curve(losses: Sequence[float]) -> tuple[Point, ...]:
    size = math.ceil(len(losses) / _CURVE_POINTS)
    points: list[Point] = []
    for first in range(0, len(losses), size):
        part = losses[first : first + size]
        mean = sum(part) / len(part)
        points.append(Point(step=first + len(part), loss=mean if math.isfinite(mean) else None))
    return tuple(points)


def _final_loss(run: TrainingRun) -> float:
    return math.inf if run.train_loss is None else run.train_loss
