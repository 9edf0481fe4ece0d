"""Small trainings: networks, gradients, and the command end to end."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from models.cost import parameter_counts
from models.eager import EagerDecoder
from models.pair import Arm
from models.shape import MlpShape
from models.weights import LoadedWeights
from scripts.claims.inputs import read_training
from scripts.claims.training.networks import Decoder, Mlp
from scripts.claims.training.record import Task, Variant
from scripts.claims.training.tasks import DECODER_PAIR, MLP_PAIR, QUICK, problems
from scripts.claims.training.train import contenders, measure_gradients, train

STACKS = (Variant.PLAIN, Variant.PLAIN_HE, Variant.RESIDUAL, Variant.RESIDUAL_NORM)


@pytest.fixture(scope="module")
def quick_problems():
    torch.set_num_threads(1)
    return {problem.facts.task: problem for problem in problems(QUICK)}


@pytest.mark.parametrize("variant", STACKS)
@pytest.mark.parametrize("arm", Arm)
def test_every_construction_has_the_parameters_that_the_pair_was_matched_by(arm, variant):
    shape = MLP_PAIR.arm(arm)
    assert isinstance(shape, MlpShape)
    count = sum(p.numel() for p in Mlp(shape, variant).parameters())
    assert count == parameter_counts(shape).total
    assert MLP_PAIR.deviation < 0.01


@pytest.mark.parametrize("arm", Arm)
def test_the_trained_decoder_is_the_reference_with_gradients(arm):
    shape = DECODER_PAIR.arm(arm)
    network = Decoder(shape, context=12, seed=3)
    assert sum(p.numel() for p in network.parameters()) == parameter_counts(shape).total
    arrays = {name: network._get(name).detach().numpy() for name in network._names}
    tokens = np.random.default_rng(0).integers(0, 256, (2, 12))
    expected = EagerDecoder(LoadedWeights(shape, arrays), 12, batch=2).forward(tokens, 0, slice(None))
    actual = network(torch.from_numpy(tokens))
    np.testing.assert_allclose(actual.detach().numpy(), expected, atol=1e-4)
    actual.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_the_signal_of_a_deep_plain_stack_vanishes_and_residuals_with_norms_keep_it(quick_problems):
    problem = quick_problems[Task.WAVES]
    ratios = {
        variant: measure_gradients(problem, problem.build(Arm.DEEP, variant, 0), 0).first_to_last for variant in STACKS
    }
    assert ratios[Variant.PLAIN] < 1e-6
    assert ratios[Variant.RESIDUAL_NORM] > 1e4 * ratios[Variant.PLAIN]
    assert ratios[Variant.PLAIN_HE] > 1e4 * ratios[Variant.PLAIN]


def test_a_training_depends_on_its_seed_alone(quick_problems):
    first = next(each for each in contenders([quick_problems[Task.WAVES]]) if each.variant is Variant.RESIDUAL_NORM)
    one, again, other = (train(first, seed, 1e-3, pilot=False) for seed in (1, 1, 2))
    assert one.model_copy(update={"wall_s": 0}) == again.model_copy(update={"wall_s": 0})
    assert one.train_loss != other.train_loss


def test_training_lowers_the_loss(quick_problems):
    contender = next(each for each in contenders([quick_problems[Task.TEXT]]) if each.arm is Arm.WIDE)
    run = train(contender, 0, 4e-3, pilot=False)
    assert run.train_loss is not None
    assert run.train_loss < run.curve[0].loss
    assert not run.diverged


def test_a_rate_that_is_far_too_high_is_seen_to_diverge(quick_problems):
    contender = next(each for each in contenders([quick_problems[Task.WAVES]]) if each.variant is Variant.PLAIN_HE)
    run = train(contender, 0, 1e6, pilot=False)
    assert run.diverged


def probe(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.claims.training.probe", "--threads", "1", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_end_to_end(tmp_path):
    out = tmp_path / "deep" / "probe.json"
    done = probe("--quick", "--seeds", 1, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    result = read_training(out)
    assert json.loads(done.stdout)["schema"] == "deepnarrow/training/1"
    assert (result.quick, result.complete) == (True, True)
    assert {run.task for run in result.runs} == set(Task)
    for facts in result.tasks:
        assert abs(facts.deep_parameters - facts.wide_parameters) <= 0.01 * facts.deep_parameters
    asked = {(p.facts.task, arm, variant) for p in problems(QUICK) for arm in p.variants for variant in p.variants[arm]}
    assert {(run.task, run.arm, run.variant) for run in result.runs} == asked
    assert all(len(result.select(*each)) == 1 for each in asked), "one compared run for the one seed"
    assert all(run.curve and len(run.gradients) == 2 for run in result.runs)


def test_a_place_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path):
    (tmp_path / "probe.json").mkdir()
    failed = probe("--quick", "--out", tmp_path / "probe.json")
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: --out ")
    assert len(failed.stderr.splitlines()) == 1
