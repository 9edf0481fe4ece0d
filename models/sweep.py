"""Shapes for measuring the price of a layer.

A token's time is modelled as t0 + L * tau + W / B_w + KV / B_kv: depth, weight bytes, cache bytes. Times of shapes
tell the terms apart only if the three do not rise and fall together, as they do across models of a family. The shapes
below were chosen (among legal heads of 64, ffn close to 8/3 of the width, 32000 tied tokens) so that all three are
nearly uncorrelated. The arms of the shipped pairs are not among them: predicting those is the test of the fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from models.cost import kv_bytes_per_position, weight_bytes_read
from models.errors import UserError
from models.shape import TransformerShape
from models.storage import Storage

# Bytes of int4 weights. A last-level cache (32 MiB on many desktops, less on phones) that holds much of a shape makes
# it faster than the model can say; beyond the upper end a sweep takes too long to write.
WINDOW = (40e6, 160e6)
VOCAB_SIZE = 32_000

_REGRESSORS = ("depth", "weight bytes", "KV bytes")

# Layers, width, query heads, key-value heads, ffn.
_ROWS = (
    (6, 1280, 20, 20, 3424),
    (8, 1280, 20, 20, 3424),
    (10, 704, 11, 11, 1888),
    (12, 640, 10, 10, 1696),
    (16, 576, 9, 3, 1536),
    (20, 512, 8, 4, 1376),
    (24, 512, 8, 8, 1376),
    (32, 448, 7, 1, 1184),
    (40, 384, 6, 6, 1024),
    (48, 576, 9, 1, 1536),
)

SWEEP_PAIR = "sweep"  # what their manifests have in place of a pair
SWEEP: Mapping[str, TransformerShape] = MappingProxyType({
    f"{layers}x{width}": TransformerShape(
        num_layers=layers, hidden_size=width, num_heads=heads, num_kv_heads=kv_heads, head_dim=64, ffn_size=ffn,
        vocab_size=VOCAB_SIZE,
    )
    for layers, width, heads, kv_heads, ffn in _ROWS
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRow:
    """One shape and the regressors of the model."""

    name: str
    shape: TransformerShape
    num_passes: int
    weight_bytes_read: int
    kv_bytes_per_position: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepDesign:
    """How well a set of shapes tells the terms of the model apart.

    Attributes:
        correlation: Pearson's r of depth and weight bytes; near 0 is good.
        condition_number: of the design matrix [1, L, W, KV] with columns in standard units; 1 is ideal, and the
            error of a coefficient grows with it.
    """

    correlation: float
    condition_number: float
    rows: tuple[SweepRow, ...]


def sweep_shapes(storage: Storage, window: tuple[float, float] = WINDOW) -> Mapping[str, TransformerShape]:
    """The shipped set by name (`48x576`: 48 layers of width 576).

    Args:
        storage: how the target stores the weights.
        window: least and most weight bytes read per token; the least should be twice the last-level cache.

    Raises:
        UserError: shapes lie outside the window; the message names them.
    """
    low, high = window
    sizes = {name: weight_bytes_read(shape, storage) for name, shape in SWEEP.items()}
    outside = [f"{name} ({size / 1e6:.1f})" for name, size in sizes.items() if not low <= size <= high]
    if outside:
        raise UserError(
            f"sweep: weights read per token must lie between {low / 1e6:g} and {high / 1e6:g} MB, clear of the caches; "
            f"outside: {', '.join(outside)}"
        )
    return SWEEP


def design(shapes: Mapping[str, TransformerShape], storage: Storage) -> SweepDesign:
    """The regressors of `shapes` and how well they are told apart.

    Raises:
        UserError: fewer shapes than terms, or a regressor that never changes.
    """
    if len(shapes) < 4:
        raise UserError(f"sweep: {len(shapes)} shapes cannot identify the 4 terms of the model; give more")
    rows = tuple(
        SweepRow(
            name=name,
            shape=shape,
            num_passes=shape.num_passes,
            weight_bytes_read=weight_bytes_read(shape, storage),
            kv_bytes_per_position=kv_bytes_per_position(shape, storage),
        )
        for name, shape in shapes.items()
    )
    columns = np.array([(row.num_passes, row.weight_bytes_read, row.kv_bytes_per_position) for row in rows], float)
    spread = columns.std(axis=0)
    constant = [name for name, width in zip(_REGRESSORS, spread, strict=True) if width == 0]
    if constant:
        raise UserError(f"sweep: {' and '.join(constant)} must vary between shapes, else no time can be given to it")
    standard = np.column_stack([np.ones(len(rows)), (columns - columns.mean(axis=0)) / spread])
    correlation = float(np.corrcoef(columns[:, 0], columns[:, 1])[0, 1])
    return SweepDesign(correlation=correlation, condition_number=float(np.linalg.cond(standard)), rows=rows)
