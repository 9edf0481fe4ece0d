"""The article's listings: counts by the network itself, interleaving, and the command on one tiny setting."""

import json
import subprocess
import sys

import pytest
import torch

from models.errors import UserError
from models.pair import Arm
from models.shape import MlpShape
from scripts.claims.inputs import read_seed_article
from scripts.claims.seed_article.measure import build_mlp, interleaved
from scripts.claims.seed_article.pairs import AS_WRITTEN, EXAMPLE, MATCHED, SEED_PAIRS, pair_facts
from scripts.claims.seed_article.record import Engine

FACTS = {pair.name: pair_facts(pair) for pair in SEED_PAIRS}


@pytest.mark.parametrize(
    ("pair", "arm", "parameters", "activation_bytes"),
    [
        (AS_WRITTEN, Arm.WIDE, 41_956_352, 3 * 4096 * 4),
        (AS_WRITTEN, Arm.DEEP, 8_929_792, 31 * 512 * 4),
        (MATCHED, Arm.WIDE, 8_951_680, 3 * 1664 * 4),
        (EXAMPLE, Arm.DEEP, 949_728, 99 * 96 * 4),
        (EXAMPLE, Arm.WIDE, 945_152, 9 * 320 * 4),
    ],
)
def test_counts_are_those_of_the_network_itself(pair, arm, parameters, activation_bytes):
    facts = FACTS[pair].arm(arm)
    with torch.device("meta"):
        network = build_mlp(facts.shape)
    assert sum(p.numel() for p in network.parameters()) == facts.parameters == parameters
    outputs: list[int] = []
    for layer in network:
        if isinstance(layer, torch.nn.ReLU):
            layer.register_forward_hook(lambda _, __, y: outputs.append(4 * y.numel()))
    network(torch.empty(1, facts.shape.input_size, device="meta"))
    assert sum(outputs) == facts.activation_bytes_per_row == activation_bytes


def test_only_the_articles_own_pair_is_not_matched():
    assert {name: facts.matched for name, facts in FACTS.items()} == {AS_WRITTEN: False, MATCHED: True, EXAMPLE: True}


def test_a_layer_of_the_example_holds_what_the_example_says():
    per_layer = [
        shape.hidden_size**2 + shape.hidden_size for shape in (FACTS[EXAMPLE].deep.shape, FACTS[EXAMPLE].wide.shape)
    ]
    assert per_layer == [pytest.approx(10_000, rel=0.07), pytest.approx(100_000, rel=0.03)]


def test_runs_are_interleaved_a_b_b_a():
    order: list[str] = []
    found = interleaved(lambda: order.append("a"), lambda: order.append("b"), runs=3, calls=1, warm_up=0)
    assert "".join(order) == "abbaab"
    assert {arm: len(times) for arm, times in found.items()} == {Arm.DEEP: 3, Arm.WIDE: 3}


def test_the_network_has_no_activation_after_its_last_layer():
    network = build_mlp(MlpShape(num_layers=3, hidden_size=32, input_size=32, output_size=32))
    assert [type(layer).__name__ for layer in network] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "scripts.claims.seed_article", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_the_command_leaves_raw_runs_and_prints_what_size_explains(tmp_path):
    out = tmp_path / "seed.json"
    done = command("--device", "cpu", "--threads", 1, "--batch", 1, "--runs", 1, "--out", out)
    assert done.returncode == 0, done.stderr
    article = read_seed_article(out)
    assert [each.pair for each in article.comparisons] == [AS_WRITTEN, MATCHED, EXAMPLE]
    assert {(each.engine, each.threads, each.batch, len(each.deep_ns)) for each in article.comparisons} == {
        (Engine.EAGER, 1, 1, 1)
    }
    assert "41,956,352" in done.stdout
    assert "not enough runs" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--threads", "two"), "error: --threads 'two' must be numbers above 0"),
        (("--threads", 4096), "error: --threads 4096: this machine has"),
        (("--batch", "0"), "error: --batch '0' must be numbers above 0"),
        (
            ("--artifacts", "nowhere", "--threads", 1),
            "error: nowhere: no fp32 artifact of seed-mlp or seed-mlp-matched",
        ),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    failed = command(*arguments)
    assert failed.returncode == 2
    assert failed.stderr.startswith(message)
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there():
    failed = command("--device", "cuda")
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: --device cuda: PyTorch finds no GPU here; choose cpu")


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "seed.json"
    with pytest.raises(UserError, match=r"seed\.json: no such file"):
        read_seed_article(path)
    path.write_text(json.dumps({"schema": "deepnarrow/training/1"}))
    with pytest.raises(UserError, match=r"seed\.json: schema: Input should be 'deepnarrow/seed-article/1'"):
        read_seed_article(path)
