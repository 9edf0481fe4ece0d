"""What people type, turned into shapes to export. Every refusal is one line that names the value and the choices."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from export.jobs.plan import PlannedShape, WeightOrigin
from export.manifest import CheckpointSource, RandomSource
from export.proof.quality import TOKENIZER, text_tokens
from export.quantization import Scheme
from export.targets.base import ExportSpec, TargetName, TokenIds
from export.targets.registry import get_target
from models.catalog import PAIRS, get_pair
from models.errors import UserError
from models.pair import Arm, Budget, Pair, check_pair_name, match
from models.shape import Shape, TransformerShape, describe
from models.sweep import SWEEP, SWEEP_PAIR, design, sweep_shapes

DEFAULT_PAIR = "mobilellm-125m"
DEFAULT_DEPTHS = "30,12"
Choice = TypeVar("Choice", bound=StrEnum)


def parse_choices(text: str, choices: type[Choice], what: str) -> list[Choice]:
    """`a,b` to members of an enum, in that order; `all` to every member.

    Raises:
        UserError: a name is unknown or given twice.
    """
    if text == "all":
        return list(choices)
    found: list[Choice] = []
    for name in (part.strip() for part in text.split(",")):
        if name not in set(choices):
            raise UserError(f"unknown {what} {name!r}; choose from {', '.join(choices)}, or all")
        found.append(choices(name))
    if len(set(found)) != len(found):
        raise UserError(f"{what} {text!r} names one twice")
    return found


def parse_count(text: str) -> int:
    """`125M`, `1.2B`, `350000` to a number.

    Raises:
        UserError: it is none.
    """
    factors = {"K": 10**3, "M": 10**6, "B": 10**9}
    factor = factors.get(text[-1:].upper(), 1)
    try:
        count = float(text[:-1] if factor > 1 else text) * factor
    except ValueError:
        raise UserError(f"{text!r} is not a number of parameters; write 125M, 1.2B or 350000") from None
    if not 1 <= count < 1e12:
        raise UserError(f"{text!r} is out of range; write 125M, 1.2B or 350000")
    return round(count)


def parse_depths(text: str) -> tuple[int, int]:
    """`30,12` to (30, 12).

    Raises:
        UserError: not two whole numbers, the deeper first.
    """
    parts = text.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UserError(f"--layers {text!r} must be two depths, deep first, such as 30,12")
    deep, wide = (int(part) for part in parts)
    if not deep > wide >= 1:
        raise UserError(f"--layers {text!r} must give the deeper shape first, and each at least one layer")
    return deep, wide


def plan_shapes(pair: str | None, seed: int, weights: Mapping[Arm | None, Path]) -> list[PlannedShape]:
    """What `export all` exports: a single checkpoint, or the arms of a pair.

    Raises:
        UserError: as `plan_checkpoint` and `plan_pair`.
    """
    if None in weights:
        return plan_checkpoint(pair, weights[None])
    return plan_pair(pair or DEFAULT_PAIR, seed, {arm: folder for arm, folder in weights.items() if arm is not None})


def plan_pair(name: str, seed: int, weights: Mapping[Arm, Path]) -> list[PlannedShape]:
    """The arms of a catalogued pair, or of a new one made of checkpoints.

    Raises:
        UserError: the pair is unknown and no checkpoint is given, a checkpoint is not the catalogued shape, or the two
            checkpoints are no pair.
    """
    checkpoints = {arm: from_checkpoint(name, arm, folder) for arm, folder in weights.items()}
    if name not in PAIRS:
        _check_new_pair(name, checkpoints)
        return list(checkpoints.values())
    pair = get_pair(name)
    for arm, planned in checkpoints.items():
        if planned.shape != pair.arm(arm):
            raise UserError(
                f"--weights {arm}: the checkpoint is not pair {name}'s {describe(pair.arm(arm))}: "
                f"{_difference(planned.shape, pair.arm(arm))}; give it a pair name of its own with --pair, "
                "or export it alone with --weights DIR"
            )
    return [checkpoints.get(arm) or _random_arm(name, arm, pair.arm(arm), seed) for arm in Arm]


def plan_checkpoint(name: str | None, folder: Path) -> list[PlannedShape]:
    """One checkpoint on its own, under `name` or its own name.

    Raises:
        UserError: it cannot be opened, or the name is that of a catalogued pair.
    """
    if name in PAIRS:
        raise UserError(f"--pair {name} is a pair of the catalog; a single checkpoint needs another name, or none")
    planned = from_checkpoint(name, None, folder)
    check_pair_name(planned.pair)
    return [planned]


def plan_like(weights: Mapping[Arm | None, Path], layers: str, seed: int) -> list[PlannedShape]:
    """A single checkpoint and its partner with random weights, matched in total parameters: deep, then wide.

    Args:
        weights: what `parse_weights` makes of one folder.
        layers: depth of the partner; the default of the command, two depths, asks for 12 / 30 of the checkpoint's.
        seed: of the partner's weights.

    Raises:
        UserError: the checkpoint cannot be opened, has that many layers itself, or no partner exists.
    """
    if set(weights) != {None}:
        raise UserError("--like takes one checkpoint: a folder, or owner/model of the Hugging Face hub")
    folder = weights[None]
    own = from_checkpoint(None, None, folder)
    if layers == DEFAULT_DEPTHS:
        deep, wide = parse_depths(layers)
        num_layers = max(1, round(own.shape.num_layers * wide / deep))
    elif layers.isascii() and layers.isdecimal() and int(layers) >= 1:
        num_layers = int(layers)
    else:
        raise UserError(f"--layers {layers!r} must be the partner's depth with --like, such as 12")
    if num_layers == own.shape.num_layers:
        raise UserError(f"--layers {num_layers}: the checkpoint has {num_layers} layers itself; a partner needs others")
    partner = match(own.shape, num_layers, Budget.TOTAL_PARAMETERS)
    name = f"{own.pair}-and-{num_layers}-layers"
    own_arm, other = (Arm.DEEP, Arm.WIDE) if num_layers < own.shape.num_layers else (Arm.WIDE, Arm.DEEP)
    arms = {own_arm: from_checkpoint(name, own_arm, folder), other: _random_arm(name, other, partner, seed)}
    return [arms[arm] for arm in Arm]


def _check_new_pair(name: str, checkpoints: Mapping[Arm, PlannedShape]) -> None:
    """Two checkpoints must differ in depth and agree in what they read and write, or there is nothing to compare."""
    if not checkpoints:
        raise UserError(f"unknown pair {name!r}; choose from {', '.join(PAIRS)}, or give --weights for a new one")
    check_pair_name(name)
    if set(checkpoints) == set(Arm):
        Pair(
            name=name, deep=checkpoints[Arm.DEEP].shape, wide=checkpoints[Arm.WIDE].shape, matched=False,
            note="two checkpoints as they are",
        )  # fmt: skip
        deep, wide = (shape_of(checkpoints[arm]).vocab_size for arm in Arm)
        if deep != wide:
            raise UserError(
                f"pair {name}: the vocabularies differ, {deep} and {wide} tokens; a pair needs two checkpoints with "
                "the same vocabulary, or export each alone with --weights DIR"
            )


def _difference(found: Shape, wanted: Shape) -> str:
    """The fields in which two shapes differ."""
    ours, theirs = asdict(found), asdict(wanted)
    return ", ".join(
        f"{key} {value} instead of {theirs.get(key)}" for key, value in ours.items() if value != theirs.get(key)
    )


def check_text(shapes: Sequence[PlannedShape], text: Path) -> None:
    """A text for `--text` must be readable and long enough, and there must be a tokenizer to read it with.

    Raises:
        UserError: naming what is missing.
    """
    tokenizers = [path for planned in shapes for path in planned.tokenizer_files if path.name == TOKENIZER]
    if not tokenizers:
        raise UserError(f"--text {text}: needs --weights with a {TOKENIZER}; random weights know no words")
    for path in tokenizers:
        text_tokens(path, text)


def plan_sweep(seed: int) -> list[PlannedShape]:
    """The shapes of the sweep with random weights."""
    return [_random(name, SWEEP_PAIR, None, shape, seed) for name, shape in SWEEP.items()]


def sweep_design(target: TargetName, scheme: Scheme, window: tuple[float, float]) -> str:
    """How well the sweep tells depth from bytes as `target` stores it, in one line.

    Raises:
        UserError: shapes read less or more than `window` bytes of weights per token.
    """
    storage = get_target(target).storage(ExportSpec(shape=next(iter(SWEEP.values())), scheme=scheme))
    shapes = sweep_shapes(storage, window)
    found = design(shapes, storage)
    sizes = [row.weight_bytes_read / 1e6 for row in found.rows]
    return (
        f"sweep for {target}-{scheme}: {len(shapes)} shapes reading {min(sizes):.0f} to {max(sizes):.0f} MB a token, "
        f"correlation of depth and bytes {found.correlation:+.2f}, condition number {found.condition_number:.2f}"
    )


def _random_arm(pair: str, arm: Arm, shape: Shape, seed: int) -> PlannedShape:
    return _random(_arm_name(arm, shape), pair, arm, shape, seed)


def _random(name: str, pair: str, arm: Arm | None, shape: Shape, seed: int) -> PlannedShape:
    origin, provenance = WeightOrigin(seed=seed), RandomSource(seed=seed)
    return PlannedShape(pair=pair, arm=arm, name=name, shape=shape, origin=origin, provenance=provenance)


def _arm_name(arm: Arm, shape: Shape) -> str:
    return f"{arm}-{shape.num_layers}x{shape.hidden_size}"


def shape_of(planned: PlannedShape) -> TransformerShape:
    """The shape of a checkpoint, which is always a decoder."""
    assert isinstance(planned.shape, TransformerShape)
    return planned.shape


def from_checkpoint(pair: str | None, arm: Arm | None, folder: Path) -> PlannedShape:
    """A checkpoint as a shape to export; without `pair` under its own name.

    Raises:
        UserError: it cannot be opened, holds numbers that are none, or its special tokens are outside its vocabulary.
    """
    from models.checkpoint import open_checkpoint  # needs torch, which random weights do not cost the command line

    checkpoint = open_checkpoint(folder)
    ids = checkpoint.token_ids
    for token in (*ids.eos, *([] if ids.bos is None else [ids.bos])):
        if not 0 <= token < checkpoint.shape.vocab_size:
            raise UserError(
                f"{folder}: special token {token} is outside its vocabulary of {checkpoint.shape.vocab_size}"
            )
    checkpoint.check_values()
    size = f"{checkpoint.shape.num_layers}x{checkpoint.shape.hidden_size}"
    return PlannedShape(
        pair=pair or re.sub(r"[^A-Za-z0-9._-]+", "-", checkpoint.name).strip("-."),
        arm=arm,
        name=size if arm is None else _arm_name(arm, checkpoint.shape),
        shape=checkpoint.shape,
        origin=WeightOrigin(checkpoint=folder),
        provenance=CheckpointSource(name=checkpoint.name, sha256=checkpoint.fingerprint),
        token_ids=TokenIds(bos=ids.bos, eos=ids.eos),
        tokenizer_files=checkpoint.tokenizer_files,
        trained_context=checkpoint.trained_context,
    )
