import pytest

from scripts.analysis.price.gemstones import GEMSTONES, loss_law
from scripts.analysis.price.price import Label
from tests.scripts.analysis.price.published import (
    GALAXY_S22,
    MOBILELLM_IPHONE_13,
    NEMOTRON_FLASH_H100,
    ORION_O6,
    PI_5,
    QWEN3_POCO,
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


def test_the_model_holds_within_a_family_and_not_across_on_a_galaxy_s22():
    fit = GALAXY_S22.fit()
    errors = {each.workload.name: each.error for each in fit.residuals}
    assert fit.tau_ns.value == pytest.approx(86_000, rel=0.02)
    assert fit.weight_bytes_per_s.value == pytest.approx(35e9, rel=0.02)
    assert "t0" in fit.at_bound
    assert max(abs(errors[name]) for name in ("SmolLM2-135M", "Llama-3.2-1B", "OLMo-1B")) < 0.06
    # other architectures: normalised queries, a table of 262144 entries
    assert errors["Qwen3-0.6B"] < -0.2
    assert errors["Gemma-3-1B"] < -0.4
    assert "do not rely on this fit" in fit.warning


def test_three_llamas_on_boards_tell_bytes_and_no_price_of_a_layer():
    fits = [each.fit() for each in PI_5]
    assert all(8e9 < fit.weight_bytes_per_s.value < 13e9 for fit in fits)
    # one board, three states of its firmware: the price of a layer is anything
    taus = sorted(fit.tau_ns.value for fit in fits)
    assert taus[0] == 0
    assert taus[-1] > 1e6
    assert 30e9 < ORION_O6.fit().weight_bytes_per_s.value < 45e9


def test_formats_of_weights_follow_no_line_in_bytes():
    ms = dict(QWEN3_POCO.ms_by_format)
    # fewer bytes and slower, or half the bytes and hardly faster: terms do not carry over kernels
    assert ms["q2_k"] > ms["q4_0"] > 0.8 * ms["q8_0"]
    assert ms["q6_k"] > ms["q8_0"]


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
