"""Pairs: a deep and a wide shape that hold a budget, and the search for the partner of a given depth."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from models.cost import parameter_counts, stored_bytes, weight_bytes_read
from models.errors import UserError
from models.shape import BLOCK, MlpShape, Shape, TransformerShape, describe
from models.storage import Storage

TOLERANCE = 0.005
# Kernels are tuned for heads of 64; after it the sizes that attention kernels support most widely.
HEAD_DIMS = (64, 96, 128, 80, 112, 48, 32)
# How far the feed-forward ratio may move to hold a budget. Further away the partner differs in more than its depth.
RATIO_RANGE = 0.25

_MOBILELLM_STYLE = TransformerShape(
    num_layers=30, hidden_size=576, num_heads=9, num_kv_heads=3, head_dim=64, ffn_size=1536, vocab_size=32_000
)


class Budget(StrEnum):
    """What two shapes of a pair have in common."""

    TOTAL_PARAMETERS = "total-parameters"  # what model cards quote
    BODY_PARAMETERS = "body-parameters"  # without the vocabulary tables
    WEIGHT_BYTES_READ = "weight-bytes-read"  # what a decoded token reads
    FILE_BYTES = "file-bytes"  # all stored weights, without the graph around them


class Arm(StrEnum):
    """The role of a shape in a pair."""

    DEEP = "deep"
    WIDE = "wide"


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A deep and a wide shape, compared because they hold `budget` within `tolerance`.

    Attributes:
        name: also the name of the folder its artifacts lie in.
        matched: False for a pair that is kept although it holds no budget; `note` then says why.
        storage: how weights are stored; needed only where the budget is one of bytes.

    Raises:
        UserError: the arms cannot be compared, or they claim to be matched and are not.
    """

    name: str
    deep: Shape
    wide: Shape
    budget: Budget = Budget.TOTAL_PARAMETERS
    tolerance: float = TOLERANCE
    matched: bool = True
    note: str = ""
    storage: Storage | None = None

    def __post_init__(self) -> None:
        check_pair_name(self.name)
        _check_tolerance(self.tolerance)
        if self.deep.family != self.wide.family:
            raise UserError(f"pair {self.name}: a {self.deep.family} and a {self.wide.family} cannot be compared")
        if _depth(self.deep) <= _depth(self.wide):
            raise UserError(
                f"pair {self.name}: the deep arm runs {_depth(self.deep)} layers, not more than the wide one's "
                f"{_depth(self.wide)}"
            )
        if self.matched:
            self._check_match()
        elif not self.note:
            raise UserError(f"pair {self.name}: an unmatched pair needs a note that says why it is kept")

    def arm(self, arm: Arm) -> Shape:
        """The shape in that role."""
        return self.deep if arm is Arm.DEEP else self.wide

    @property
    def deviation(self) -> float:
        """Relative difference of the two arms in the budget, in units of the larger one."""
        return _deviation(*(measure(shape, self.budget, self.storage) for shape in (self.deep, self.wide)))

    def _check_match(self) -> None:
        deep, wide = _interface(self.deep), _interface(self.wide)
        if deep != wide:
            raise UserError(f"pair {self.name}: matched arms need the same interface, not {deep} and {wide}")
        if self.deviation > self.tolerance:
            amounts = (f"{measure(shape, self.budget, self.storage):,}" for shape in (self.deep, self.wide))
            raise UserError(
                f"pair {self.name}: {self.budget} {' and '.join(amounts)} differ by {self.deviation:.2%}, "
                f"more than {self.tolerance:.2%}"
            )


def check_pair_name(name: str) -> None:
    """Refuse what cannot be a folder's name on every system.

    Raises:
        UserError: naming the rule.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UserError(f"pair: name {name!r} must consist of letters, digits, '.', '_' and '-'")


def measure(shape: Shape, budget: Budget, storage: Storage | None = None) -> int:
    """How much of `budget` the shape uses: parameters or bytes.

    Raises:
        UserError: the budget is one of bytes and no storage says how many bytes a weight has.
    """
    match budget:
        case Budget.TOTAL_PARAMETERS:
            return parameter_counts(shape).total
        case Budget.BODY_PARAMETERS:
            return parameter_counts(shape).body
        case Budget.WEIGHT_BYTES_READ:
            return weight_bytes_read(shape, _required(storage, budget))
        case Budget.FILE_BYTES:
            return stored_bytes(shape, _required(storage, budget)).total


def match(
    reference: Shape, num_layers: int, budget: Budget, storage: Storage | None = None, tolerance: float = TOLERANCE
) -> Shape:
    """The shape of `num_layers` layers that uses as much of `budget` as `reference` does.

    Widths are multiples of 32. A decoder keeps the reference's ratio of query to key-value heads, has heads that fill
    the width exactly (of 64 if they can, else of the next of `HEAD_DIMS`), and may move its feed-forward size in
    multiples of 32; of all shapes within the tolerance the one whose ffn / width ratio is closest to the reference's
    wins. Everything else is the reference's.

    Raises:
        UserError: no such shape exists; the message names the nearest miss.
    """
    target = measure(reference, budget, storage)
    return _search(reference, num_layers, _Goal(budget, target, storage, tolerance))


def reference_for(params: int, num_layers: int, tolerance: float = TOLERANCE) -> TransformerShape:
    """A decoder of `num_layers` layers and `params` parameters in all, in MobileLLM's proportions (arXiv 2402.14905).

    Three query heads share a key-value head, ffn / width is close to 8/3, the vocabulary has 32000 tied entries.

    Raises:
        UserError: no such shape exists; the message names the nearest miss.
    """
    goal = _Goal(Budget.TOTAL_PARAMETERS, params, None, tolerance)
    shape = _search(_MOBILELLM_STYLE, num_layers, goal)
    assert isinstance(shape, TransformerShape)
    return shape


@dataclass(frozen=True, slots=True)
class _Goal:
    budget: Budget
    target: int
    storage: Storage | None
    tolerance: float

    def __post_init__(self) -> None:
        _check_tolerance(self.tolerance)

    def measure(self, shape: Shape) -> int:
        return measure(shape, self.budget, self.storage)

    def deviation(self, shape: Shape) -> float:
        return _deviation(self.measure(shape), self.target)


def _search(template: Shape, num_layers: int, goal: _Goal) -> Shape:
    """The candidate within tolerance that resembles `template` most; between equals, the one closest to the target."""
    candidates = [(goal.deviation(shape), shape) for shape in _candidates(template, num_layers, goal)]
    fitting = [(deviation, shape) for deviation, shape in candidates if deviation <= goal.tolerance]
    if fitting:
        return min(fitting, key=lambda pair: (_distortion(template, pair[1]), pair[0]))[1]
    deviation, nearest = min(candidates, key=lambda pair: pair[0])
    raise UserError(
        f"no shape of {num_layers} layers holds {goal.budget} {goal.target:,} within {goal.tolerance:.2%}: "
        f"the nearest, {describe(nearest)}, has {goal.measure(nearest):,}, {deviation:.2%} off"
    )


def _candidates(template: Shape, num_layers: int, goal: _Goal) -> Iterator[Shape]:
    """For each legal width the shape closest to the goal, up to and including the first that is too large."""
    width = 0
    while True:
        width += BLOCK
        if isinstance(template, MlpShape):
            shape = replace(template, num_layers=num_layers, hidden_size=width)
        else:
            shape = _at_width(template, num_layers, width, goal)
        if shape is not None:
            yield shape
            if goal.measure(shape) > goal.target * (1 + goal.tolerance):
                return


def _at_width(template: TransformerShape, num_layers: int, width: int, goal: _Goal) -> TransformerShape | None:
    """The decoder of that width whose ffn fits the goal and moves least; None where no heads fill the width."""
    heads_per_kv = template.num_heads // template.num_kv_heads
    dims = [dim for dim in HEAD_DIMS if width % (dim * heads_per_kv) == 0 and width // heads_per_kv % BLOCK == 0]
    if not dims:
        return None
    heads = width // dims[0]
    ideal = template.ffn_size / template.hidden_size * width
    low, high = math.ceil(ideal * (1 - RATIO_RANGE) / BLOCK), math.floor(ideal * (1 + RATIO_RANGE) / BLOCK)
    start = max(1, round(ideal / BLOCK))
    shape = replace(
        template, num_layers=num_layers, hidden_size=width, num_heads=heads, num_kv_heads=heads // heads_per_kv,
        head_dim=dims[0], ffn_size=start * BLOCK,
    )  # fmt: skip
    # Every budget is linear in the feed-forward size.
    amount = goal.measure(shape)
    per_step = goal.measure(replace(shape, ffn_size=(start + 1) * BLOCK)) - amount
    steps, slack = (goal.target - amount) / per_step, goal.tolerance * goal.target / per_step
    first, last = math.ceil(steps - slack), math.floor(steps + slack)
    step = min(max(0, first), last) if first <= last else round(steps)
    return replace(shape, ffn_size=BLOCK * max(1, low, min(start + step, high)))


def _distortion(template: Shape, shape: Shape) -> float:
    """How far the shape's ffn / width ratio is from the template's."""
    if isinstance(template, MlpShape) or isinstance(shape, MlpShape):
        return 0.0
    ratio = (shape.ffn_size / shape.hidden_size) / (template.ffn_size / template.hidden_size)
    return abs(ratio - 1)


def _check_tolerance(tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise UserError(f"tolerance {tolerance} must lie between 0 and 1")


def _deviation(one: int, other: int) -> float:
    return abs(one - other) / max(one, other)


def _depth(shape: Shape) -> int:
    return shape.num_layers if isinstance(shape, MlpShape) else shape.num_passes


def _interface(shape: Shape) -> str:
    """What a pair's arms must share besides the budget, so that only depth and width tell them apart."""
    if isinstance(shape, MlpShape):
        return f"{shape.input_size} -> {shape.output_size}"
    return f"{shape.vocab_size} {'tied' if shape.tie_embeddings else 'untied'} tokens"


def _required(storage: Storage | None, budget: Budget) -> Storage:
    if storage is None:
        raise UserError(f"budget {budget} counts bytes: say how weights are stored, or choose a budget of parameters")
    return storage
