import pytest

from models.catalog import PAIRS, SHAPES, get_pair, get_shape
from models.cost import parameter_counts
from models.errors import UserError
from models.pair import Budget, match


def test_shipped_pairs():
    assert list(PAIRS) == ["tiny", "mobilellm-125m", "mobilellm-350m", "seed-mlp", "seed-mlp-matched"]
    assert [name for name, pair in PAIRS.items() if not pair.matched] == ["seed-mlp"]


@pytest.mark.parametrize("name", [name for name, pair in PAIRS.items() if pair.matched])
def test_matched_pairs_are_what_match_finds(name: str):
    pair = get_pair(name)
    assert pair.deviation <= 0.005
    assert match(pair.deep, pair.wide.num_layers, Budget.TOTAL_PARAMETERS) == pair.wide


def test_the_seed_pair_says_how_far_its_arms_are_apart():
    pair = get_pair("seed-mlp")
    deep, wide = (parameter_counts(shape).total for shape in (pair.deep, pair.wide))
    assert f"{deep:,} against {wide:,} parameters" in pair.note
    assert f"{wide / deep:.1f} times" in pair.note


def test_the_tiny_pair_is_tiny():
    assert parameter_counts(get_pair("tiny").deep).total < 1_000_000


def test_every_shape_says_where_it_comes_from_and_has_a_name_of_its_own():
    assert all(named.source for named in SHAPES.values())
    assert len({named.shape for named in SHAPES.values()}) == len(SHAPES)


def test_smollm2_parameters():
    assert parameter_counts(get_shape("smollm2-135m")).total == 134_515_008


def test_unknown_names_list_the_choices():
    with pytest.raises(UserError, match=r"unknown pair 'huge'; choose from tiny, mobilellm-125m, .*seed-mlp-matched"):
        get_pair("huge")
    with pytest.raises(UserError, match="unknown shape 'huge'; choose from tiny-8, "):
        get_shape("huge")
