"""What `python -m scripts.claims.training.probe` leaves: schema `deepnarrow/training/1`. Imports no torch."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from models.pair import Arm
from models.shape import MlpShape, TransformerShape
from scripts.records.request import WireModel

SCHEMA = "deepnarrow/training/1"


class Task(StrEnum):
    """What is learnt."""

    WAVES = "waves"  # regression on sums of random sine waves, scored on held-out points
    RANDOM_LABELS = "random-labels"  # targets without any pattern: what can be memorised
    SAWTOOTH = "sawtooth"  # the function of the depth separation theorem (Telgarsky, arXiv 1602.04485)
    TEXT = "text"  # next byte of the project's own sources and documents, scored on held-out files


class Variant(StrEnum):
    """How a network is built and initialised."""

    PLAIN = "plain"  # the article's: linear, ReLU, linear; PyTorch's default initialisation
    PLAIN_HE = "plain-he"  # the same with He initialisation (arXiv 1502.01852), which keeps the signal's variance
    RESIDUAL = "residual"  # each hidden layer adds to its input
    RESIDUAL_NORM = "residual-norm"  # and normalises it first, as transformers do
    TRANSFORMER = "transformer"  # Llama-style: residual and RMSNorm throughout


Loss = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Point(WireModel):
    """The training loss after `step` updates, the mean since the last point; None once it is not finite."""

    step: int
    loss: Loss | None


class LayerGradients(WireModel):
    """Norms of the loss's gradient by layer, first to last, each divided by the root of its number of parameters.

    None where a gradient is not finite.
    """

    step: int
    rms: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, ...]

    @property
    def first_to_last(self) -> float | None:
        """The first layer's over the last one's; far from 1 means that they learn at different speeds."""
        first, last = self.rms[0], self.rms[-1]
        return None if first is None or not last else first / last


class TrainingRun(WireModel):
    """One training.

    Attributes:
        pilot: made to choose the learning rate; never compared.
        train_loss: on the training set at the end, without noise; None where the training diverged.
        held_out_loss: at the end, on data it never saw; None where it diverged or the task has none.
        gradients: before the first update and after the last.
        diverged: a loss that is not finite, or ends 10 % above where it began.
        wall_s: seconds; describes the machine, compares nothing.
    """

    task: Task
    arm: Arm
    variant: Variant
    seed: int
    learning_rate: float
    pilot: bool
    curve: tuple[Point, ...]
    train_loss: Loss | None
    held_out_loss: Loss | None
    gradients: tuple[LayerGradients, ...]
    diverged: bool
    wall_s: float


class TaskFacts(WireModel):
    """A task and the pair that is trained on it.

    Attributes:
        loss: what the losses are, such as `mean squared error / variance of the targets`.
        trivial_loss: of the best constant guess.
        steps: updates of each training.
        learning_rates: the grid a pilot of one seed chooses from, for every arm and variant by itself.
    """

    task: Task
    description: str
    loss: str
    trivial_loss: float
    deep: Annotated[MlpShape | TransformerShape, Field(discriminator="family")]
    wide: Annotated[MlpShape | TransformerShape, Field(discriminator="family")]
    deep_parameters: int
    wide_parameters: int
    steps: int
    learning_rates: tuple[float, ...]


class Training(WireModel):
    """Schema `deepnarrow/training/1`.

    Attributes:
        quick: made with `--quick`: a test of the code, whose numbers no verdict may rest on.
        complete: False where it was interrupted; the runs that ended are all there.
        threads: of torch.
    """

    schema_: Literal["deepnarrow/training/1"] = Field(SCHEMA, alias="schema")
    date: str
    system: str
    processor: str
    packages: dict[str, str]
    threads: int
    quick: bool
    complete: bool
    seeds: tuple[int, ...]
    tasks: tuple[TaskFacts, ...]
    runs: tuple[TrainingRun, ...]

    def facts(self, task: Task) -> TaskFacts | None:
        """The task's description, or None where it was not run."""
        return next((each for each in self.tasks if each.task is task), None)

    def select(self, task: Task, arm: Arm, variant: Variant) -> list[TrainingRun]:
        """The compared runs, one for each seed."""
        return [
            run for run in self.runs
            if (run.task, run.arm, run.variant) == (task, arm, variant) and not run.pilot
        ]  # fmt: skip
