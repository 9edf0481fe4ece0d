"""What people type, turned into shapes to export. Every refusal is one line that names the value and the choices."""

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from export.jobs.plan import PlannedShape, WeightOrigin
from export.manifest import CheckpointSource, RandomSource
from export.quantization import Scheme
from export.targets.base import ExportSpec, TargetName, TokenIds
from export.targets.registry import get_target
from models.catalog import PAIRS, get_pair
from models.errors import UserError
from models.pair import Arm
from models.shape import Shape, describe
from models.sweep import SWEEP, SWEEP_PAIR, design, sweep_shapes

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


def parse_weights(texts: Iterable[str]) -> dict[Arm, Path]:
    """`deep=DIR` and `wide=DIR` to folders.

    Raises:
        UserError: not of that form, an unknown arm, one given twice, or no such folder.
    """
    folders: dict[Arm, Path] = {}
    for text in texts:
        arm, separator, folder = text.partition("=")
        if not (separator and folder) or arm not in set(Arm):
            raise UserError(f"--weights {text!r} is not of the form ARM=DIR; ARM is one of {', '.join(Arm)}")
        if Arm(arm) in folders:
            raise UserError(f"--weights gives {arm} twice")
        if not Path(folder).is_dir():
            raise UserError(f"--weights {arm}: {folder} is not a folder")
        folders[Arm(arm)] = Path(folder)
    return folders


def plan_pair(name: str, seed: int, weights: dict[Arm, Path]) -> list[PlannedShape]:
    """The arms of a catalogued pair, or of a new one made of checkpoints.

    Raises:
        UserError: the pair is unknown and no checkpoint is given, or a checkpoint is not the catalogued shape.
    """
    checkpoints = {arm: _from_checkpoint(name, arm, folder) for arm, folder in weights.items()}
    if name not in PAIRS and checkpoints:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise UserError(f"pair name {name!r} must consist of letters, digits, '.', '_' and '-'")
        return list(checkpoints.values())
    pair = get_pair(name)
    for arm, planned in checkpoints.items():
        if planned.shape != pair.arm(arm):
            raise UserError(
                f"--weights {arm}: the checkpoint is {describe(planned.shape)}, pair {name} wants "
                f"{describe(pair.arm(arm))}; give it a pair name of its own with --pair"
            )
    return [checkpoints.get(arm) or _random_arm(name, arm, pair.arm(arm), seed) for arm in Arm]


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


def _from_checkpoint(pair: str, arm: Arm, folder: Path) -> PlannedShape:
    from models.checkpoint import open_checkpoint  # needs torch, which random weights do not cost the command line

    checkpoint = open_checkpoint(folder)
    ids = checkpoint.token_ids
    for token in (*ids.eos, *([] if ids.bos is None else [ids.bos])):
        if not 0 <= token < checkpoint.shape.vocab_size:
            raise UserError(
                f"{folder}: special token {token} is outside its vocabulary of {checkpoint.shape.vocab_size}"
            )
    return PlannedShape(
        pair=pair,
        arm=arm,
        name=_arm_name(arm, checkpoint.shape),
        shape=checkpoint.shape,
        origin=WeightOrigin(checkpoint=folder),
        provenance=CheckpointSource(name=folder.resolve().name, sha256=checkpoint.fingerprint),
        token_ids=TokenIds(bos=ids.bos, eos=ids.eos),
        tokenizer_files=checkpoint.tokenizer_files,
    )
