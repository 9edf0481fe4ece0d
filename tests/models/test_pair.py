from dataclasses import replace

import pytest

from models.audit import Reads, audit, flips
from models.catalog import get_shape
from models.errors import UserError
from models.pair import Arm, Budget, Pair, match, measure, reference_for
from models.shape import MlpShape, TransformerShape
from models.storage import Storage


@pytest.fixture
def deep() -> TransformerShape:
    shape = get_shape("mobilellm-125m")
    assert isinstance(shape, TransformerShape)
    return shape


@pytest.mark.parametrize("budget", Budget)
def test_match_holds_every_budget_with_legal_heads(deep: TransformerShape, int4: Storage, budget: Budget):
    wide = match(deep, 12, budget, int4)
    assert isinstance(wide, TransformerShape)
    assert measure(wide, budget, int4) == pytest.approx(measure(deep, budget, int4), rel=0.005)
    assert wide.num_layers == 12
    assert wide.num_heads * wide.head_dim == wide.hidden_size
    assert wide.num_heads == 3 * wide.num_kv_heads
    assert wide.ffn_size / wide.hidden_size == pytest.approx(8 / 3, rel=0.25)


def test_match_of_the_shipped_pair(deep: TransformerShape):
    wide = match(deep, 12, Budget.TOTAL_PARAMETERS)
    assert wide == replace(
        deep, num_layers=12, hidden_size=864, num_heads=9, num_kv_heads=3, head_dim=96, ffn_size=2336
    )


def test_match_prefers_the_reference_ratio_to_the_last_parameter(deep: TransformerShape):
    loose, tight = (match(deep, 12, Budget.TOTAL_PARAMETERS, tolerance=tolerance) for tolerance in (0.012, 0.005))
    assert isinstance(loose, TransformerShape)
    assert isinstance(tight, TransformerShape)
    assert loose.ffn_size * 3 == loose.hidden_size * 8
    assert tight.ffn_size * 3 != tight.hidden_size * 8


def test_match_is_what_trying_every_shape_finds(deep: TransformerShape):
    target = measure(deep, Budget.TOTAL_PARAMETERS)

    def miss(shape: TransformerShape) -> float:
        return abs(measure(shape, Budget.TOTAL_PARAMETERS) - target) / target

    fitting: list[TransformerShape] = []
    for width in range(96, 1300, 96):  # three heads to a key-value head: nothing else is legal
        dim = next(dim for dim in (64, 96, 128, 80, 112, 48, 32) if width % (3 * dim) == 0)
        heads = {"num_heads": width // dim, "num_kv_heads": width // dim // 3, "head_dim": dim}
        for ffn in range(32, 4000, 32):
            shape = replace(deep, num_layers=15, hidden_size=width, ffn_size=ffn, **heads)
            if miss(shape) <= 0.005:
                fitting.append(shape)
    found = match(deep, 15, Budget.TOTAL_PARAMETERS)
    assert found == min(fitting, key=lambda shape: abs(shape.ffn_size / shape.hidden_size - 8 / 3))
    assert found != min(fitting, key=miss)  # so the ratio, not the last parameter, decides


def test_match_of_the_same_depth_is_the_reference_itself(deep: TransformerShape):
    assert match(deep, 30, Budget.TOTAL_PARAMETERS) == deep


def test_match_keeps_what_is_not_depth_or_width(tiny: TransformerShape):
    reference = replace(tiny, num_layers=12, hidden_size=256, head_dim=64, ffn_size=704, qk_norm=True, layer_repeats=2)
    wide = match(reference, 4, Budget.BODY_PARAMETERS, tolerance=0.02)
    assert isinstance(wide, TransformerShape)
    assert (wide.qk_norm, wide.layer_repeats, wide.vocab_size, wide.rope_theta) == (True, 2, 320, 10_000.0)
    assert wide.num_heads == 2 * wide.num_kv_heads


def test_match_of_mlps():
    deep = MlpShape(num_layers=32, hidden_size=512)
    assert match(deep, 4, Budget.TOTAL_PARAMETERS) == MlpShape(num_layers=4, hidden_size=1664)


def test_no_match_names_the_nearest_miss():
    wide = MlpShape(num_layers=4, hidden_size=4096)
    with pytest.raises(
        UserError, match=r"no shape of 32 layers .* 41,956,352 .* 32 x 1152 .* has 42,209,152, 0\.60% off"
    ):
        match(wide, 32, Budget.TOTAL_PARAMETERS)


def test_no_decoder_is_small_enough(tiny: TransformerShape):
    with pytest.raises(UserError, match="no shape of 400 layers holds total-parameters"):
        match(tiny, 400, Budget.TOTAL_PARAMETERS)


def test_byte_budgets_need_a_storage(deep: TransformerShape):
    with pytest.raises(UserError, match="file-bytes counts bytes"):
        measure(deep, Budget.FILE_BYTES)


@pytest.mark.parametrize("tolerance", [0.0, -0.1, 1.0])
def test_tolerance_is_a_fraction(deep: TransformerShape, tolerance: float):
    with pytest.raises(UserError, match="must lie between 0 and 1"):
        match(deep, 12, Budget.TOTAL_PARAMETERS, tolerance=tolerance)


def test_no_layers(deep: TransformerShape):
    with pytest.raises(UserError, match="num_layers 0 must be at least 1"):
        match(deep, 0, Budget.TOTAL_PARAMETERS)


def test_reference_for_mobilellm_is_mobilellm(deep: TransformerShape):
    assert reference_for(125_000_000, 30) == deep


@pytest.mark.parametrize(("params", "layers"), [(60_000_000, 16), (350_000_000, 32), (1_000_000_000, 54)])
def test_reference_for_holds_the_parameters_in_mobilellm_style(params: int, layers: int):
    shape = reference_for(params, layers)
    assert measure(shape, Budget.TOTAL_PARAMETERS) == pytest.approx(params, rel=0.005)
    assert (shape.num_layers, shape.num_heads / shape.num_kv_heads) == (layers, 3)


def test_reference_for_too_few_parameters_names_the_nearest():
    with pytest.raises(UserError, match=r"no shape of 30 layers holds total-parameters 1,000 .*: the nearest, 30 x"):
        reference_for(1000, 30)


def test_a_pair_that_is_not_matched_cannot_claim_so(deep: TransformerShape):
    wide = get_shape("mobilellm-350m-12")
    with pytest.raises(UserError, match=r"pair x: total-parameters 124,635,456 and 345,\d{3},\d{3} differ by 63\.9\d%"):
        Pair(name="x", deep=deep, wide=wide)
    kept = Pair(name="x", deep=deep, wide=wide, matched=False, note="different sizes on purpose")
    assert kept.deviation == pytest.approx(0.64, abs=0.005)


def test_a_pair_is_held_to_its_own_tolerance(deep: TransformerShape):
    wide = get_shape("mobilellm-125m-12")
    assert Pair(name="x", deep=deep, wide=wide).deviation == pytest.approx(0.00336, abs=1e-5)
    with pytest.raises(UserError, match=r"differ by 0\.34%, more than 0\.10%"):
        Pair(name="x", deep=deep, wide=wide, tolerance=0.001)


def test_a_pair_of_byte_budget_carries_its_storage(deep: TransformerShape, int4: Storage):
    wide = match(deep, 12, Budget.WEIGHT_BYTES_READ, int4)
    assert Pair(name="x", deep=deep, wide=wide, budget=Budget.WEIGHT_BYTES_READ, storage=int4).deviation <= 0.005
    with pytest.raises(UserError, match="weight-bytes-read counts bytes"):
        Pair(name="x", deep=deep, wide=wide, budget=Budget.WEIGHT_BYTES_READ)


def test_arms_by_name(deep: TransformerShape):
    wide = get_shape("mobilellm-125m-12")
    pair = Pair(name="x", deep=deep, wide=wide)
    assert (pair.arm(Arm.DEEP), pair.arm(Arm.WIDE)) == (deep, wide)


def test_arms_that_cannot_be_compared(deep: TransformerShape):
    wide = match(deep, 12, Budget.TOTAL_PARAMETERS)
    with pytest.raises(UserError, match="runs 12 layers, not more than the wide one's 30"):
        Pair(name="x", deep=wide, wide=deep)
    with pytest.raises(UserError, match="a transformer and a mlp cannot be compared"):
        Pair(name="x", deep=deep, wide=MlpShape(num_layers=4, hidden_size=64))
    with pytest.raises(UserError, match=r"same interface, not 32000 tied tokens and 32064 tied tokens"):
        Pair(name="x", deep=deep, wide=replace(wide, vocab_size=32_064))
    with pytest.raises(UserError, match="needs a note"):
        Pair(name="x", deep=deep, wide=wide, matched=False)
    with pytest.raises(UserError, match=r"name '\.\./x' must consist of"):
        Pair(name="../x", deep=deep, wide=wide)


def test_depth_counts_the_passes_of_shared_layers(deep: TransformerShape):
    wide = replace(match(deep, 12, Budget.TOTAL_PARAMETERS), layer_repeats=3)
    with pytest.raises(UserError, match="runs 30 layers, not more than the wide one's 36"):
        Pair(name="x", deep=deep, wide=wide)


def test_audit_shows_that_the_meaning_of_equal_decides_who_reads_less(deep: TransformerShape, int4: Storage):
    rows = audit(deep, 12, int4)
    assert {(row.budget, row.tied): row.reads for row in rows} == {
        (Budget.TOTAL_PARAMETERS, True): Reads.DEEP_LESS,
        (Budget.BODY_PARAMETERS, True): Reads.DEEP_LESS,
        (Budget.WEIGHT_BYTES_READ, True): Reads.EQUAL,
        (Budget.FILE_BYTES, True): Reads.EQUAL,
        (Budget.TOTAL_PARAMETERS, False): Reads.DEEP_MORE,
        (Budget.BODY_PARAMETERS, False): Reads.DEEP_LESS,
        (Budget.WEIGHT_BYTES_READ, False): Reads.EQUAL,
        (Budget.FILE_BYTES, False): Reads.DEEP_MORE,
    }
    assert flips(rows)
    assert not flips(row for row in rows if row.budget is Budget.WEIGHT_BYTES_READ)


def test_audit_rows_hold_their_budget_and_carry_all_amounts(deep: TransformerShape, int4: Storage):
    for row in audit(deep, 12, int4):
        field = row.budget.value.replace("-", "_")
        assert getattr(row.deep, field) == pytest.approx(getattr(row.wide, field), rel=0.005)
        assert row.deep.shape == replace(deep, tie_embeddings=row.tied)
        assert row.ratio == row.deep.weight_bytes_read / row.wide.weight_bytes_read
