import pytest

from scripts.analysis.price.gemstones import GEMSTONES, loss_law
from scripts.analysis.price.price import Label
from tests.scripts.analysis.price.published import (
    MOBILELLM_IPHONE_13,
    NEMOTRON_FLASH_H100,
    RANKING_FLIP,
    RTX_3090_EAGER,
)


def test_mobilellm_on_an_iphone_13():
    fit = MOBILELLM_IPHONE_13.fit()
    assert 0 < fit.tau_ns.value <= 13_400
    assert fit.label is Label.BANDWIDTH_BOUND
    # all of the time of the two unshared networks given to bytes, as the source's figures imply
    for row in (MOBILELLM_IPHONE_13.rows[0], MOBILELLM_IPHONE_13.rows[2]):
        assert row.weight_bytes / row.ms_per_token * 1e3 == pytest.approx(15.9e9, abs=0.1e9)
    # with depth charged to tau the weights come a little faster
    assert fit.weight_bytes_per_s.value == pytest.approx(16.35e9, abs=0.1e9)


def test_rtx_3090_is_dispatch_bound():
    fit = RTX_3090_EAGER.fit()
    assert fit.tau_ns.value == pytest.approx(679_000, rel=0.001)
    assert fit.t0_ns.value == pytest.approx(1.72e6, rel=0.02)
    assert fit.r_squared == pytest.approx(0.996, abs=0.0005)
    assert fit.label is Label.DISPATCH_BOUND


def test_nemotron_flash_table_6():
    fit = NEMOTRON_FLASH_H100.fit()
    assert fit.tau_ns.value == pytest.approx(103_000, rel=0.005)
    assert fit.weight_bytes_per_s.value == pytest.approx(2437e9, rel=0.002)
    assert fit.r_squared == pytest.approx(0.979, abs=0.001)


def test_the_ranking_flips_between_phones():
    faster = {each.device: each.faster for each in RANKING_FLIP}
    assert faster["Galaxy S22"] == "deep"
    assert faster["iPhone 15"] == "wide"


def test_the_loss_law_fits_the_trained_shapes_and_knows_its_limits():
    law = loss_law()
    assert len(GEMSTONES) == 22
    errors = [law.loss(each.width, each.depth) - each.loss for each in GEMSTONES]
    assert max(map(abs, errors)) == pytest.approx(0.025, abs=0.0005)
    assert law.loss(768, 45) < law.loss(768, 3)
    assert not law.extrapolates(576, 30)
    assert law.extrapolates(128, 30)
