"""The pairs of the seed article: its two listings, the deep one beside a wide one of its size, and its example."""

from models.catalog import get_pair
from models.cost import FP32_BYTES, activation_bytes, parameter_counts
from models.pair import Pair
from models.shape import MlpShape, Shape
from scripts.claims.seed_article.record import ArmFacts, PairFacts

AS_WRITTEN, MATCHED, EXAMPLE = "seed-mlp", "seed-mlp-matched", "example-100x10k"

# 10 layers of 100k parameters against 100 layers of 10k. As widths the numbers make no sense: one layer of 100k by 100k
# would hold 40 GB. 320^2 + 320 = 102,720 and 96^2 + 96 = 9,312 are the nearest that multiples of 32 allow, and with 192
# inputs and outputs the totals, 945,152 and 949,728, differ by 0.48 %.
_EXAMPLE = Pair(
    name=EXAMPLE,
    deep=MlpShape(num_layers=100, hidden_size=96, input_size=192, output_size=192),
    wide=MlpShape(num_layers=10, hidden_size=320, input_size=192, output_size=192),
)

SEED_PAIRS = (get_pair(AS_WRITTEN), get_pair(MATCHED), _EXAMPLE)


def pair_facts(pair: Pair) -> PairFacts:
    """Counts of both arms."""
    return PairFacts(name=pair.name, deep=_arm_facts(pair.deep), wide=_arm_facts(pair.wide))


def _arm_facts(shape: Shape) -> ArmFacts:
    assert isinstance(shape, MlpShape)
    parameters, activations = parameter_counts(shape).total, activation_bytes(shape)
    return ArmFacts(
        shape=shape, parameters=parameters, weight_bytes=FP32_BYTES * parameters,
        activation_bytes_per_row=activations.sum, peak_live_bytes_per_row=activations.peak_live,
    )  # fmt: skip
