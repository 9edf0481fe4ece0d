"""What the networks learn. All data is made here from seeds, or is the project's own text; none is downloaded."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.cost import parameter_counts
from models.errors import UserError
from models.pair import Arm, Pair
from models.shape import MlpShape, TransformerShape
from scripts.claims.training.networks import Decoder, Mlp
from scripts.claims.training.record import Task, TaskFacts, Variant

_ROOT = Path(__file__).parents[3]
_TEXT_FOLDERS, _TEXT_SUFFIXES = ("models", "export", "scripts", "docs"), (".py", ".md")
# Every eleventh file is never trained on.
_HELD_OUT_EVERY = 11
_DATA_SEED = 1234

MLP_PAIR = Pair(
    name="probe-mlp", tolerance=0.01,
    deep=MlpShape(num_layers=22, hidden_size=64, input_size=32, output_size=32),
    wide=MlpShape(num_layers=4, hidden_size=192, input_size=32, output_size=32),
)  # fmt: skip
DECODER_PAIR = Pair(
    name="probe-decoder",
    deep=TransformerShape(
        num_layers=10, hidden_size=96, num_heads=3, num_kv_heads=3, head_dim=32, ffn_size=256, vocab_size=256
    ),
    wide=TransformerShape(
        num_layers=4, hidden_size=160, num_heads=2, num_kv_heads=2, head_dim=80, ffn_size=352, vocab_size=256
    ),
)
_STACKS = (Variant.PLAIN, Variant.PLAIN_HE, Variant.RESIDUAL_NORM)
_DEEP_ONLY = (Variant.RESIDUAL,)

Network = Mlp | Decoder
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """How long trainings are.

    Attributes:
        mlp_steps: updates of an MLP.
        text_steps: updates of a decoder.
        text_rows: texts of a batch.
        text_context: bytes of a text.
        mlp_learning_rates: tried by a pilot, for each network by itself.
        text_learning_rates: the same for decoders.
    """

    mlp_steps: int
    text_steps: int
    text_rows: int
    text_context: int
    mlp_learning_rates: tuple[float, ...]
    text_learning_rates: tuple[float, ...]


FULL = Budget(
    mlp_steps=800, text_steps=150, text_rows=8, text_context=96, mlp_learning_rates=(1e-3, 4e-3),
    text_learning_rates=(1.5e-3, 4e-3),
)  # fmt: skip
QUICK = Budget(
    mlp_steps=6, text_steps=2, text_rows=2, text_context=16, mlp_learning_rates=(1e-3,), text_learning_rates=(1.5e-3,)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """A task, ready to be trained on.

    Attributes:
        variants: constructions of each arm.
        batch: draws a training batch from a generator.
        train: what the training loss is measured on.
        held_out: what the held-out loss is measured on; None where the task is to fit.
        loss: of a network on a batch; a scalar.
        build: a network from its arm, construction and seed.
    """

    facts: TaskFacts
    pair: Pair
    variants: dict[Arm, tuple[Variant, ...]]
    batch: Callable[[torch.Generator], Batch]
    train: Batch
    held_out: Batch | None
    loss: Callable[[Network, Batch], Tensor]
    build: Callable[[Arm, Variant, int], Network]


def longer(budget: Budget, factor: int) -> Budget:
    """`factor` times as many updates."""
    return replace(budget, mlp_steps=factor * budget.mlp_steps, text_steps=factor * budget.text_steps)


def problems(budget: Budget) -> list[Problem]:
    """All tasks."""
    return [_waves(budget), _random_labels(budget), _sawtooth(budget), _text(budget)]


def _waves(budget: Budget) -> Problem:
    """Each target is a sum of 4 sine waves of random direction and phase: smooth, and built neither deep nor wide."""
    generator = torch.Generator().manual_seed(_DATA_SEED)
    waves, inputs, outputs = 4, _inputs(), 32
    directions = torch.randn(waves, inputs, outputs, generator=generator) / math.sqrt(inputs)
    phases = 2 * math.pi * torch.rand(waves, 1, outputs, generator=generator)
    x = torch.randn(10_000, inputs, generator=generator)
    y = torch.sin(1.5 * torch.einsum("ni,wio->wno", x, directions) + phases).sum(0)
    return _regression(
        Task.WAVES, "32 sums of 4 random sine waves of 32 normal inputs, 8000 points to train on, 2000 held out",
        (x[:8000], y[:8000]), (x[8000:], y[8000:]), budget, (*_STACKS, *_DEEP_ONLY),
    )  # fmt: skip


def _random_labels(budget: Budget) -> Problem:
    """500 points x 32 targets of pure noise: 16,000 numbers for 87,000 parameters."""
    generator = torch.Generator().manual_seed(_DATA_SEED + 1)
    data = torch.randn(500, _inputs(), generator=generator), torch.randn(500, 32, generator=generator)
    description = "500 normal points with 32 normal targets each, independent of them"
    return _regression(Task.RANDOM_LABELS, description, data, None, budget, (Variant.PLAIN_HE, Variant.RESIDUAL_NORM))


def _sawtooth(budget: Budget) -> Problem:
    """2^3 teeth on [0, 1]; depth k composes 2^k of them with two units a layer, a shallow network needs one a kink."""
    x = torch.linspace(0, 1, 4096).unsqueeze(-1)
    teeth = 8
    y = 1 - (2 * ((teeth * x) % 1) - 1).abs()
    description = f"{teeth} triangular teeth on the unit interval, 4096 points; input and target repeated 32 times"
    data = (2 * x - 1).expand(-1, _inputs()).contiguous(), y.expand(-1, 32).contiguous()
    return _regression(Task.SAWTOOTH, description, data, None, budget, (Variant.PLAIN_HE, Variant.RESIDUAL_NORM))


def _regression(
    task: Task, description: str, train: Batch, held_out: Batch | None, budget: Budget, deep: Sequence[Variant]
) -> Problem:
    variance = float(train[1].var())

    def loss(network: Network, batch: Batch) -> Tensor:
        return functional.mse_loss(network(batch[0]), batch[1]) / variance

    def batch(generator: torch.Generator) -> Batch:
        rows = torch.randint(len(train[0]), (128,), generator=generator)
        return train[0][rows], train[1][rows]

    def build(arm: Arm, variant: Variant, seed: int) -> Network:
        torch.manual_seed(seed)
        shape = MLP_PAIR.arm(arm)
        assert isinstance(shape, MlpShape)
        return Mlp(shape, variant)

    return Problem(
        facts=_facts(task, description, "mean squared error / variance", 1.0, MLP_PAIR, budget.mlp_steps,
                     budget.mlp_learning_rates),
        pair=MLP_PAIR, batch=batch, train=train, held_out=held_out, loss=loss, build=build,
        variants={Arm.DEEP: tuple(deep), Arm.WIDE: tuple(each for each in deep if each not in _DEEP_ONLY)},
    )  # fmt: skip


def _text(budget: Budget) -> Problem:
    train, held_out = _corpus()
    generator = torch.Generator().manual_seed(_DATA_SEED + 2)
    context = budget.text_context

    def windows(text: Tensor, rows: int, source: torch.Generator) -> Batch:
        starts = torch.randint(len(text) - context - 1, (rows, 1), generator=source)
        ids = text[starts + torch.arange(context + 1)]
        return ids[:, :-1], ids[:, 1:]

    def loss(network: Network, batch: Batch) -> Tensor:
        return functional.cross_entropy(network(batch[0]).flatten(0, 1), batch[1].flatten())

    def build(arm: Arm, variant: Variant, seed: int) -> Network:
        shape = DECODER_PAIR.arm(arm)
        assert isinstance(shape, TransformerShape)
        return Decoder(shape, context, seed)

    frequencies = torch.bincount(train, minlength=256).double() / len(train)
    entropy = float(torch.special.entr(frequencies).sum())
    description = f"next byte of {len(train):,} bytes of the project's sources and documents; other files held out"
    only = (Variant.TRANSFORMER,)
    return Problem(
        facts=_facts(Task.TEXT, description, "nats per byte", entropy, DECODER_PAIR, budget.text_steps,
                     budget.text_learning_rates),
        pair=DECODER_PAIR, variants={Arm.DEEP: only, Arm.WIDE: only}, loss=loss, build=build,
        batch=lambda source: windows(train, budget.text_rows, source),
        train=windows(train, 8 * budget.text_rows, generator),
        held_out=windows(held_out, 8 * budget.text_rows, generator),
    )  # fmt: skip


def _corpus() -> tuple[Tensor, Tensor]:
    """Bytes to train on and bytes of other files, in the order of their paths."""
    paths = sorted(
        path for folder in _TEXT_FOLDERS for path in (_ROOT / folder).rglob("*") if path.suffix in _TEXT_SUFFIXES
    )
    if len(paths) < _HELD_OUT_EVERY:
        raise UserError(f"{_ROOT}: {len(paths)} files of sources and documents; run this in a clone of the repository")
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for index, path in enumerate(paths):
        parts[index % _HELD_OUT_EVERY == 0].append(path.read_bytes())
    train, held_out = (torch.frombuffer(bytearray(b"\n".join(part)), dtype=torch.uint8).long() for part in parts)
    return train, held_out


def _facts(
    task: Task, description: str, loss: str, trivial_loss: float, pair: Pair, steps: int, rates: tuple[float, ...]
) -> TaskFacts:
    return TaskFacts(
        task=task, description=description, loss=loss, trivial_loss=trivial_loss, deep=pair.deep, wide=pair.wide,
        deep_parameters=parameter_counts(pair.deep).total, wide_parameters=parameter_counts(pair.wide).total,
        steps=steps, learning_rates=rates,
    )  # fmt: skip


def _inputs() -> int:
    shape = MLP_PAIR.deep
    assert isinstance(shape, MlpShape)
    return shape.input_size
