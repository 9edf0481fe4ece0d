"""`--weights`: one checkpoint, pairs of them, hub ids, partners; each refusal one line with what would be needed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from export.arguments import plan_like, plan_shapes
from export.checkpoints import parse_weights
from export.jobs.plan import make_jobs
from export.proof.reference import Thoroughness
from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.quantizers import quantize
from export.targets.base import ExportOptions, TargetName
from export.targets.registry import get_target
from models.activations import Activations
from models.cost import parameter_counts
from models.errors import UserError
from models.pair import Arm
from models.shape import TransformerShape
from models.tensors import Role
from tests.models.test_field_cases import make_checkpoint


def refusal(*weights: str, pair: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        plan_shapes(pair, 0, parse_weights(weights))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {
        "two": make_checkpoint(root / "two"), "four": make_checkpoint(root / "four", num_hidden_layers=4),
        "eight": make_checkpoint(root / "eight", num_hidden_layers=8, vocab_size=384, intermediate_size=160),
        "words": make_checkpoint(root / "words", num_hidden_layers=4, vocab_size=256),
    }  # fmt: skip


def test_one_checkpoint_goes_under_its_own_name(folders: dict[str, Path]) -> None:
    (planned,) = plan_shapes(None, 0, parse_weights([str(folders["two"])]))
    assert (planned.pair, planned.arm, planned.name) == ("two", None, "2x64")
    (named,) = plan_shapes("mine", 0, parse_weights([str(folders["two"])]))
    assert named.pair == "mine"


def test_the_name_of_a_checkpoint_is_no_part_of_its_identity(folders: dict[str, Path], tmp_path: Path) -> None:
    renamed = tmp_path / "renamed"
    renamed.symlink_to(folders["two"])
    ids = set[str]()
    for folder in (folders["two"], renamed.rename(tmp_path / "again")):
        (planned,) = plan_shapes("mine", 0, parse_weights([str(folder)]))
        ids |= {
            job.job_id
            for job in make_jobs(
                [planned], [TargetName.ONNX], [Scheme.INT4], ExportOptions(), Thoroughness.QUICK, tmp_path
            )
        }
    assert len(ids) == 1


def test_a_pair_needs_a_deeper_arm_and_one_vocabulary(folders: dict[str, Path]) -> None:
    swapped = refusal(f"deep={folders['two']}", f"wide={folders['four']}", pair="new")
    assert "the deep arm runs 2 layers, not more than the wide one's 4" in swapped
    other = refusal(f"deep={folders['words']}", f"wide={folders['two']}", pair="new")
    assert "256 and 128 tokens" in other
    assert "--weights DIR" in other
    assert len(plan_shapes("new", 0, parse_weights([f"deep={folders['four']}", f"wide={folders['two']}"]))) == 2


def test_a_checkpoint_that_is_not_the_catalogs_shape_is_told_where(folders: dict[str, Path]) -> None:
    line = refusal(f"deep={folders['two']}", pair="tiny")
    assert "num_layers 2 instead of 8" in line
    assert "vocab_size 128 instead of" in line


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (["left=/nowhere"], ["'left=/nowhere'", "deep", "wide"]),
        (["deep="], ["'deep='", "ARM=DIR"]),
        (["/nowhere"], ["/nowhere", "a folder, or owner/model"]),
        (["a b"], ["a b", "owner/model"]),
    ],
)
def test_what_weights_cannot_be_is_one_line(weights: list[str], words: list[str]) -> None:
    line = refusal(*weights)
    for word in words:
        assert word in line


def test_a_single_checkpoint_beside_an_arm_is_refused(folders: dict[str, Path]) -> None:
    assert "a pair needs ARM=DIR" in refusal(str(folders["two"]), f"deep={folders['four']}")
    assert "twice" in refusal(f"deep={folders['two']}", f"deep={folders['four']}")


def test_a_hub_id_without_a_network_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    line = refusal("owner/some-model")
    assert "owner/some-model" in line
    assert "HF_HUB_OFFLINE" in line


def test_a_partner_is_proposed_for_a_single_checkpoint(folders: dict[str, Path]) -> None:
    weights = parse_weights([str(folders["eight"])])
    deep, wide = plan_like(weights, "2", seed=0)
    assert (deep.arm, wide.arm) == (Arm.DEEP, Arm.WIDE)
    assert deep.origin.checkpoint == folders["eight"]
    assert wide.origin.checkpoint is None
    assert isinstance(wide.shape, TransformerShape)
    assert wide.shape.num_layers == 2
    totals = [parameter_counts(planned.shape).total for planned in (deep, wide)]
    assert abs(totals[0] / totals[1] - 1) < 0.005
    for layers in ("8", "x", "0"):
        with pytest.raises(UserError):
            plan_like(weights, layers, seed=0)


@pytest.mark.parametrize("target", list(TargetName))
@pytest.mark.parametrize("scheme", [Scheme.INT8, Scheme.INT4, Scheme.MIXED])
@pytest.mark.parametrize("exponent", [-3, -6, -9, -22, -38])
def test_almost_empty_rows_are_stored_without_harm(target: TargetName, scheme: Scheme, exponent: int) -> None:
    """Under the formats of every target and role; the smallest kinds of numbers included."""
    from export.proof.gates import check_tensor
    from export.targets.base import ExportSpec

    shape = TransformerShape(
        num_layers=2, hidden_size=64, num_heads=2, num_kv_heads=1, head_dim=32, ffn_size=96, vocab_size=128
    )
    dtypes = {16: torch.float16 if target is TargetName.COREML else torch.bfloat16, 32: torch.float32}
    weight = np.random.default_rng(0).standard_normal((8, 64), dtype=np.float32)
    weight[3] *= np.float32(10.0**exponent)
    for role, form in get_target(target).storage(ExportSpec(shape=shape, scheme=scheme)).formats.items():
        if role in (Role.NORM, Role.BIAS):
            continue
        stored = quantize(weight, form, dtypes[form.scale_bits])
        assert isinstance(stored, QuantizedTensor)
        assert np.isfinite(stored.scales).all()
        check_tensor("w", stored, form.bits, weight)


def test_core_mls_fp32_floor_rounds_the_cache_alone() -> None:
    assert get_target(TargetName.COREML).activations(Scheme.FP32) == (Activations.FLOAT16_CACHE,)
    assert get_target(TargetName.ONNX).activations(Scheme.INT4) == (
        Activations.INT8_PER_BLOCK, Activations.INT8_PER_TOKEN,
    )  # fmt: skip
