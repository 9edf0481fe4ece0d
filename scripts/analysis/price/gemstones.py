"""Loss of 22 trained shapes at equal data, and a law in depth and width fitted to it.

Source: Gemstones (McLeish et al., arXiv 2502.06857), the authors' published tables, MIT licence: FineWeb-Edu loss
after 350 billion tokens. Only the final losses are kept here.

What the law cannot know: Gemstones have a feed-forward size of 4 x width, heads of 128, untied tables of 50304 tokens
and one seed each; other proportions, vocabularies, data or lengths of training shift all losses. It ranks shapes of
one family. It predicts no loss of yours, and nothing outside 3 to 80 layers of width 256 to 3072.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import optimize

LIMITS = (
    "loss: a law fitted to 22 trained shapes (Gemstones, arXiv 2502.06857) after 350 billion tokens; it ranks "
    "depths and widths of one family and is no forecast for your data, vocabulary or recipe"
)


@dataclass(frozen=True, slots=True)
class TrainedShape:
    """Width, depth and final loss in nats."""

    width: int
    depth: int
    loss: float


GEMSTONES = tuple(
    TrainedShape(*row)
    for row in (
        (256, 23, 3.4045), (256, 27, 3.3685), (256, 71, 3.1711), (256, 80, 3.1477), (384, 13, 3.3240),
        (384, 36, 3.0872), (512, 11, 3.1980), (512, 12, 3.1845), (512, 13, 3.1607), (512, 14, 3.1479),
        (512, 16, 3.1132), (768, 3, 3.3628), (768, 45, 2.7264), (1024, 28, 2.7049), (1280, 15, 2.7381),
        (1280, 36, 2.5819), (1536, 50, 2.4786), (1792, 7, 2.7880), (1792, 18, 2.6065), (2048, 27, 2.4905),
        (2560, 8, 2.6477), (3072, 12, 2.5182),
    )
)  # fmt: skip
_NO_FLOOR = 1e-6
_LIMITS = ([0, 0, 0, 0, 0], [4, 1e4, 3, 1e3, 4])


@dataclass(frozen=True, slots=True)
class LossLaw:
    """loss = floor + a * width^-alpha + b * depth^-beta, depth and width apart as in arXiv 2511.18890.

    Attributes:
        error: largest residual over the trained shapes, 0.025 nats: closer losses are not told apart.
    """

    floor: float
    a: float
    alpha: float
    b: float
    beta: float
    error: float

    @property
    def floor_at_bound(self) -> bool:
        """Whether the floor is held at 0: the table does not tell it, and a loss that falls to 0 is no forecast."""
        return self.floor < _NO_FLOOR

    def loss(self, width: float, depth: int) -> float:
        """Predicted loss in nats."""
        return self.floor + self.a * width**-self.alpha + self.b * depth**-self.beta

    def extrapolates(self, width: float, depth: int) -> bool:
        """Whether the shape is outside the widths or depths that were trained."""
        widths, depths = [each.width for each in GEMSTONES], [each.depth for each in GEMSTONES]
        return not (min(widths) <= width <= max(widths) and min(depths) <= depth <= max(depths))


@cache
def loss_law() -> LossLaw:
    """The law, fitted to the table."""
    width, depth, loss = (np.array(column, float) for column in zip(*_rows(), strict=True))
    start = (1.8, 20.0, 0.5, 1.0, 1.0)
    found = optimize.curve_fit(_law, (width, depth), loss, p0=start, bounds=_LIMITS, maxfev=50_000)[0]
    residuals = _law((width, depth), *(float(value) for value in found)) - loss
    return LossLaw(*(float(value) for value in found), error=float(np.abs(residuals).max()))


def equal_body_width(body_parameters: int, depth: int) -> float:
    """The width at which the trained family has this body: 12 width^2 parameters a layer.

    The law knows width and depth alone. By its own width a shape that pays for width with a narrow feed-forward layer
    would come out better for nothing.
    """
    return math.sqrt(body_parameters / (12 * depth))


def _rows() -> list[tuple[int, int, float]]:
    return [(each.width, each.depth, each.loss) for each in GEMSTONES]


def _law(
    shape: tuple[np.ndarray, np.ndarray], floor: float, a: float, alpha: float, b: float, beta: float
) -> np.ndarray:
    return floor + a * shape[0] ** -alpha + b * shape[1] ** -beta
