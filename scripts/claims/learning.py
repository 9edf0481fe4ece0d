"""Findings about learning, from the small trainings of `scripts.claims.training.probe`."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from models.pair import Arm
from models.shape import describe
from scripts.claims.claim import Finding
from scripts.claims.training.record import Task, Training, TrainingRun, Variant

# All seeds of one side above all of the other: by chance 1 in 10 with 3 seeds a side, 1 in 35 with 4.
MIN_SEEDS = 3
# Median losses closer than this are of no use to anybody, however well the seeds separate.
FLOOR = 0.02

_FITS = (Task.RANDOM_LABELS, Task.SAWTOOTH)


@dataclass(frozen=True, slots=True)
class _Side:
    """The seeds of one arm in one construction; a seed that diverged has an infinite loss, worse than any other."""

    variant: Variant
    runs: tuple[TrainingRun, ...]
    losses: tuple[float, ...]
    diverged: int

    @property
    def median(self) -> float:
        return statistics.median(self.losses) if self.losses else math.inf

    def __str__(self) -> str:
        lost = f", {self.diverged} of {len(self.runs)} diverged" if self.diverged else ""
        if self.diverged == len(self.runs):
            return f"all {len(self.runs)} seeds diverged"
        median, low, high = map(_shown, (self.median, min(self.losses), max(self.losses)))
        return f"{median} [{low}..{high}] ({len(self.runs)} seeds{lost})"


def training_findings(training: Training | None) -> list[Finding]:
    """Training loss of deep against wide, construction by construction, and the gradients of the deep one."""
    if training is None:
        return []
    found: list[Finding] = []
    for task in (Task.WAVES, Task.TEXT):
        for variant in Variant:
            # The wide network has so few layers that it is never built with residuals alone.
            partner = Variant.PLAIN_HE if variant is Variant.RESIDUAL else variant
            deep, wide = _side(training, task, Arm.DEEP, variant), _side(training, task, Arm.WIDE, partner)
            if deep and wide:
                found.append(_compared(training, task, "training loss", deep, wide))
    return found


def expressiveness_findings(training: Training | None) -> list[Finding]:
    """The best fit of each arm on data without noise, and held-out text."""
    if training is None:
        return []
    found: list[Finding] = []
    for task in _FITS:
        deep, wide = (_best(training, task, arm) for arm in (Arm.DEEP, Arm.WIDE))
        if deep and wide:
            found.append(_compared(training, task, "training loss of the best construction", deep, wide))
    deep, wide = (_side(training, Task.TEXT, arm, Variant.TRANSFORMER, held_out=True) for arm in (Arm.DEEP, Arm.WIDE))
    if deep and wide:
        found.append(_compared(training, Task.TEXT, "held-out loss", deep, wide))
    return found


def higher(deep: Sequence[float], wide: Sequence[float]) -> bool | None:
    """Whether the deep losses lie above the wide ones: every seed above every seed, medians 2 % apart.

    A diverged seed counts as an infinite loss. None with fewer than 3 seeds on a side.
    """
    if min(len(deep), len(wide)) < MIN_SEEDS:
        return None
    return min(deep) > max(wide) and statistics.median(deep) >= (1 + FLOOR) * statistics.median(wide)


def _compared(training: Training, task: Task, what: str, deep: _Side, wide: _Side) -> Finding:
    facts = training.facts(task)
    assert facts is not None
    where = f"{task}, {deep.variant}"
    text = (
        f"{where}: {what} ({facts.loss}) of {describe(facts.deep)} {deep}, of {describe(facts.wide)}, {wide.variant}, "
        f"{wide}, {facts.steps} updates{_gradients(deep)}."
    )
    if training.quick:
        return Finding(where=where, text=f"{text} Made with --quick, so it decides nothing.", supports=None)
    return Finding(where=where, text=text, supports=higher(deep.losses, wide.losses), factor=where)


def _shown(loss: float) -> str:
    return "diverged" if math.isinf(loss) else f"{loss:.4g}"


def _gradients(deep: _Side) -> str:
    ratios = [ratio for run in deep.runs if run.gradients and (ratio := run.gradients[0].first_to_last) is not None]
    return f"; gradient of its first layer / last at the start {statistics.median(ratios):.2g}" if ratios else ""


def _side(training: Training, task: Task, arm: Arm, variant: Variant, held_out: bool = False) -> _Side | None:
    runs = training.select(task, arm, variant)
    if not runs:
        return None
    losses = [math.inf if run.diverged else run.held_out_loss if held_out else run.train_loss for run in runs]
    return _Side(
        variant, tuple(runs), tuple(loss for loss in losses if loss is not None), sum(r.diverged for r in runs)
    )


def _best(training: Training, task: Task, arm: Arm) -> _Side | None:
    sides = [side for variant in Variant if (side := _side(training, task, arm, variant))]
    return min(sides, key=lambda side: side.median) if sides else None
