from dataclasses import replace

import numpy as np
import pytest

from models.catalog import PAIRS
from models.cost import kv_bytes_per_position, weight_bytes_read
from models.errors import UserError
from models.shape import TransformerShape
from models.storage import Storage
from models.sweep import SWEEP, design, sweep_shapes


def test_the_set_covers_depth_and_width():
    depths = [shape.num_layers for shape in SWEEP.values()]
    widths = [shape.hidden_size for shape in SWEEP.values()]
    assert 8 <= len(SWEEP) <= 12
    assert (min(depths), max(depths), min(widths), max(widths)) == (6, 48, 384, 1280)
    assert len(set(depths)) == len(depths)


def test_names_say_depth_and_width():
    assert {name: (shape.num_layers, shape.hidden_size) for name, shape in SWEEP.items()} == {
        name: tuple(int(part) for part in name.split("x")) for name in SWEEP
    }


def test_shapes_are_legal_and_in_one_style():
    for shape in SWEEP.values():
        assert (shape.vocab_size, shape.tie_embeddings, shape.head_dim) == (32_000, True, 64)
        assert shape.num_heads * shape.head_dim == shape.hidden_size
        assert shape.ffn_size / shape.hidden_size == pytest.approx(8 / 3, rel=0.02)


@pytest.mark.parametrize("scale_bits", [16, 32])
def test_int4_bytes_lie_in_the_window_and_are_modest(storage_of, scale_bits: int):
    storage = storage_of(scale_bits=scale_bits)
    sizes = [weight_bytes_read(shape, storage) for shape in sweep_shapes(storage).values()]
    assert min(sizes) >= 40e6
    assert max(sizes) <= 160e6
    assert sum(sizes) / len(sizes) <= 85e6


@pytest.mark.parametrize("scale_bits", [16, 32])
def test_regressors_are_decorrelated(storage_of, scale_bits: int):
    measured = design(SWEEP, storage_of(scale_bits=scale_bits))
    assert abs(measured.correlation) < 0.3
    assert measured.condition_number < 1.5
    columns = [[row.num_passes, row.weight_bytes_read, row.kv_bytes_per_position] for row in measured.rows]
    pairwise = np.corrcoef(np.array(columns, float), rowvar=False)
    assert np.abs(pairwise - np.eye(3)).max() < 0.3


def test_the_design_identifies_the_terms_it_was_made_for(int4: Storage):
    rows = design(SWEEP, int4).rows
    true = np.array([0.2e-3, 40e-6, 1 / 30e9, 1 / 15e9])
    terms = np.array([(1, r.num_passes, r.weight_bytes_read, 100 * r.kv_bytes_per_position) for r in rows], float)
    noise = 1 + 0.02 * np.random.default_rng(0).standard_normal(len(rows))
    fitted = np.linalg.lstsq(terms, terms @ true * noise, rcond=None)[0]
    assert fitted[1] == pytest.approx(true[1], rel=0.1)
    assert fitted[2] == pytest.approx(true[2], rel=0.1)


def test_rows_carry_the_regressors(int4: Storage):
    for row in design(SWEEP, int4).rows:
        assert SWEEP[row.name] == row.shape
        assert row.weight_bytes_read == weight_bytes_read(row.shape, int4)
        assert row.kv_bytes_per_position == kv_bytes_per_position(row.shape, int4)


def test_shipped_pairs_are_left_out_for_testing_predictions():
    arms = {shape for pair in PAIRS.values() for shape in (pair.deep, pair.wide)}
    assert arms.isdisjoint(SWEEP.values())


def test_a_window_that_some_shapes_miss_names_them(int4: Storage):
    with pytest.raises(UserError, match=r"between 110 and 130 MB.* 8x1280 \(141\.4\), 10x704 \(60\.7\)") as caught:
        sweep_shapes(int4, window=(110e6, 130e6))
    assert "48x576" not in str(caught.value)


def test_a_set_of_proportional_shapes_is_told_apart_badly(int4: Storage, tiny: TransformerShape):
    family = {str(layers): replace(tiny, num_layers=layers) for layers in (4, 8, 16)}
    family["16b"] = replace(tiny, num_layers=16, num_kv_heads=4)
    measured = design(family, int4)
    assert measured.correlation > 0.95
    assert measured.condition_number > 10


def test_sets_that_cannot_identify_the_model(int4: Storage, tiny: TransformerShape):
    with pytest.raises(UserError, match="1 shapes cannot identify the 4 terms"):
        design({"a": tiny}, int4)
    same_depth = {str(ffn): replace(tiny, ffn_size=ffn) for ffn in (64, 96, 128, 160)}
    with pytest.raises(UserError, match="depth and KV bytes must vary"):
        design(same_depth, int4)
