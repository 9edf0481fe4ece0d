"""The gates, on real artifacts that are right and on ones that are wrong in every way we can think of."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from export.arguments import plan_pair
from export.files import write_json
from export.jobs.job import make_artifact
from export.jobs.plan import ExportJob
from export.manifest import (
    MANIFEST_FILE,
    CheckpointSource,
    FileKind,
    Manifest,
    content_id,
    list_files,
    read_manifest,
    read_reference,
)
from export.proof.gates import Gate, GateError, check_greedy, check_sample, check_tensor
from export.proof.parity import Prover
from export.proof.reference import REFERENCE_FILE, LogitSample, Thoroughness
from export.proof.verify import verify_artifact
from export.quantization import Scheme
from export.quantized import QuantizedTensor
from export.quantizers import quantize
from export.targets.base import ExportOptions, ExportSpec, TargetName
from export.targets.registry import get_target
from models.errors import UserError
from models.rope import rope_tables
from models.shape import Shape, TransformerShape
from models.storage import WeightFormat
from models.weights import RandomWeights


def make(target: TargetName, out: Path, pair: str = "tiny", arm: int = 0, scheme: Scheme = Scheme.INT4) -> Path:
    job = ExportJob(
        planned=plan_pair(pair, 0, {})[arm], target=target, scheme=scheme, options=ExportOptions(),
        thoroughness=Thoroughness.QUICK, folder=out / f"{target}-{arm}-{scheme}",
    )  # fmt: skip
    make_artifact(job, 1, lambda _: None)
    return job.folder


def verify(folder: Path) -> tuple[Gate, ...]:
    return tuple(result.gate for result in verify_artifact(folder, [], 1, lambda _: None).gates)


def rehash(folder: Path) -> Manifest:
    """Make the manifest list the files as they are now, so that only the other gates can object."""
    manifest = read_manifest(folder)
    kinds = {entry.path: entry.kind for entry in manifest.files}
    names = tuple(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST_FILE
    )
    entries = [entry for name in names for entry in list_files(folder, kinds.get(name, FileKind.MODEL), (name,))]
    manifest = manifest.model_copy(update={"files": tuple(entries), "content_id": content_id(entries)})
    write_json(manifest, folder / MANIFEST_FILE)
    return manifest


@pytest.fixture(scope="module", params=list(TargetName))
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def copy(artifact: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(artifact, tmp_path / artifact.name))


def test_a_right_artifact_passes_all_gates(artifact: Path) -> None:
    assert verify(artifact) == tuple(Gate)


def test_a_flipped_byte_in_a_weight_file_is_caught(copy: Path) -> None:
    largest = max((p for p in copy.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(GateError, match=f"{largest.name} has changed") as caught:
        verify(copy)
    assert caught.value.gate is Gate.FILES


def test_a_missing_and_an_extra_file_are_caught(copy: Path) -> None:
    (copy / "notes.txt").write_text("left here")
    with pytest.raises(GateError, match=r"notes\.txt is in the folder but not in the manifest"):
        verify(copy)
    (copy / "notes.txt").unlink()
    missing = read_manifest(copy).files[0].path
    (copy / missing).unlink()
    with pytest.raises(GateError, match="is in the manifest but not in the folder"):
        verify(copy)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("cost_per_token", "weight_bytes_read"), 1, "cost_per_token"),
        (("observed", "attention_operator"), "magic", "observed"),
        (("bytes_by_role", "layers"), 7, "bytes_by_role"),
        (("bits_per_weight", "linear"), 2.0, "bits_per_weight"),
        (("gates",), [], "no result of: logits|no result of: greedy"),
    ],
)
def test_a_manifest_that_embellishes_is_caught(copy: Path, path: tuple[str, ...], value: object, words: str) -> None:
    content = json.loads((copy / MANIFEST_FILE).read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (copy / MANIFEST_FILE).write_text(json.dumps(content))
    with pytest.raises(GateError, match=words) as caught:
        verify(copy)
    assert caught.value.gate is Gate.MANIFEST


def spoiled(kind: str) -> QuantizedTensor:
    weight = np.random.default_rng(0).standard_normal((576, 576), dtype=np.float32)
    right = quantize(weight, WeightFormat(4, 32, 16), torch.bfloat16)
    values, scales = right.values.copy(), right.scales.copy()
    match kind:
        case "swapped rows":
            values[[3, 4]], scales[[3, 4]] = values[[4, 3]], scales[[4, 3]]
        case "empty row":
            values[3] = 0
        case "doubled scales of a row":
            scales[3] *= 2
        case "5 % more in all":
            scales *= 1.05
        case "coarser than need be":
            scales *= 2
            values = np.round(weight.reshape(576, -1, 32) / scales[:, :, None]).astype(np.int8).reshape(576, 576)
    return QuantizedTensor(values, scales, right.bits)


def test_one_wrong_row_of_many_is_caught() -> None:
    source = np.random.default_rng(0).standard_normal((576, 576), dtype=np.float32)
    check_tensor("w", spoiled("nothing"), 4, source)
    for kind in ("swapped rows", "empty row", "doubled scales of a row", "5 % more in all", "coarser than need be"):
        with pytest.raises(GateError, match=r"row [034] of w is not its source in 4 bits"):
            check_tensor("w", spoiled(kind), 4, source)


def test_wrong_rotary_tables_are_caught_at_positions_no_text_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from export.targets.onnx import builders

    def cut(shape: TransformerShape, max_context: int) -> tuple[np.ndarray, np.ndarray]:
        cos, sin = rope_tables(shape, max_context)
        cos[900:], sin[900:] = 0, 0
        return cos, sin

    monkeypatch.setattr(builders, "rope_tables", cut)
    with pytest.raises(GateError, match=r"row 900 of rope\.cos"):
        make(TargetName.ONNX, tmp_path)


class SwappedWeights:
    """Layers 1 and 2 in each other's place."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._right = RandomWeights(shape, 0)

    def get(self, name: str) -> np.ndarray:
        swapped = {"layers.1.": "layers.2.", "layers.2.": "layers.1."}
        return self._right.get(swapped.get(name[:9], name[:9]) + name[9:])


def test_a_swapped_pair_of_layers_is_caught_by_value(copy: Path) -> None:
    manifest = read_manifest(copy)
    for name in manifest.model_files:
        (copy / name).unlink()
    shutil.rmtree(copy / "model.mlpackage", ignore_errors=True)
    building = copy.with_name("building")
    building.mkdir()
    get_target(manifest.target).write(manifest.spec, SwappedWeights(manifest.shape), building)
    shutil.copytree(building, copy, dirs_exist_ok=True)
    rehash(copy)
    with pytest.raises(GateError, match=r"row 0 of layers\.[12]\.\S+ (is not its source|holds)") as caught:
        verify(copy)
    assert caught.value.gate is Gate.WEIGHTS


def test_a_stale_reference_is_caught_even_with_a_fresh_hash(copy: Path, tmp_path: Path) -> None:
    other = make(read_manifest(copy).target, tmp_path / "other", arm=1)
    shutil.copyfile(other / REFERENCE_FILE, copy / REFERENCE_FILE)
    with pytest.raises(GateError, match=r"reference\.json has changed"):
        verify(copy)
    rehash(copy)
    with pytest.raises(GateError, match=r"reference\.json does not belong to these weights: step \d+ of text 0"):
        verify(copy)


def test_a_decisive_wrong_token_fails_and_a_near_tie_does_not() -> None:
    eager = np.zeros((3, 10), np.float32)
    eager[[0, 1, 1, 2], [5, 6, 9, 7]] = [0.9, 0.5, 0.49, 0.8]
    passed = check_greedy([eager], [np.array([5, 9, 7])], decisive_margin=0.1)
    assert passed.measured == {"steps": 3, "decisive": 2, "agreed": 2}
    with pytest.raises(GateError, match="token 2 of text 0 is 8, eager says 7"):
        check_greedy([eager], [np.array([5, 6, 8])], decisive_margin=0.1)
    with pytest.raises(GateError, match="token 1 of text 0 is 3, eager says 6"):
        check_greedy([eager], [np.array([5, 3, 7])], decisive_margin=0.1)


def test_sampled_logits_must_be_right_and_say_something() -> None:
    rows = np.random.default_rng(0).standard_normal((16, 64))
    sample = LogitSample(token_ids=list(range(64)), rows=rows.tolist(), tolerance=0.2)
    assert check_sample(rows + 0.1, sample).measured["rms"] == pytest.approx(0.1)
    for wrong in (rows + 0.3, rows * np.nan):
        with pytest.raises(GateError, match=r"sampled logits differ by .* allowed 2\.00e-01"):
            check_sample(wrong, sample)
    with pytest.raises(GateError, match=r"spread over .* tolerances, fewer than 2"):
        check_sample(rows, sample.model_copy(update={"tolerance": 2.0}))


@pytest.mark.parametrize("spread", [10.0**-exponent for exponent in (1, 4, 6, 7, 11, 22, 30, 38, 42)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("bits", "group"), [(4, 32), (8, None), (8, 32)])
@pytest.mark.parametrize("signed", [True, False])
def test_rows_of_almost_zero_pass(
    spread: float, dtype: torch.dtype, bits: int, group: int | None, signed: bool
) -> None:
    weight = np.random.default_rng(0).standard_normal((4, 64), dtype=np.float32)
    weight[1] *= np.float32(spread)
    weight[2] = 0
    form = WeightFormat(bits, group, torch.finfo(dtype).bits, signed and bits == 4)
    stored = quantize(weight, form, dtype)
    check_tensor("w", stored, bits, weight)
    assert np.abs(stored.dequantize() - weight).max(1)[1] <= max(spread, 2.0**-24)
    assert signed or (stored.scales > 0).all()


@pytest.mark.parametrize("target", list(TargetName))
@pytest.mark.parametrize("scheme", list(Scheme))
def test_every_scheme_of_the_mlp_family_passes(target: TargetName, scheme: Scheme, tmp_path: Path) -> None:
    folder = make(target, tmp_path, "seed-mlp-matched", 0, scheme)
    assert verify(folder) == (Gate.FILES, Gate.MANIFEST, Gate.OPERATORS, Gate.SIZE, Gate.WEIGHTS, Gate.LOGITS)
    reference = read_reference(folder)
    assert reference.family == "mlp"
    assert len(reference.outputs[0]) == 1024


def test_a_wrong_graph_is_caught_by_its_logits(tmp_path: Path) -> None:
    """Right weights in the right places, but norms with another epsilon: only running it can tell."""
    planned = plan_pair("tiny", 0, {})[0]
    target = get_target(TargetName.ONNX)
    spec = ExportSpec(shape=planned.shape, scheme=Scheme.INT4)
    wrong = replace(spec, shape=replace(planned.shape, norm_eps=0.5))
    target.write(wrong, RandomWeights(wrong.shape, 0), tmp_path)
    files = tuple(entry.path for entry in list_files(tmp_path, FileKind.MODEL))
    prover = Prover(
        target=target, spec=spec, weights=RandomWeights(spec.shape, 0), folder=tmp_path, model_files=files,
        thoroughness=Thoroughness.QUICK, num_threads=1, progress=lambda _: None,
    )  # fmt: skip
    with pytest.raises(GateError, match=r"against eager with the same weights.*worst at token \d+ of text 0") as caught:
        prover.prove(None)
    assert caught.value.gate is Gate.LOGITS


def test_a_failed_gate_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = get_target(TargetName.ONNX)
    monkeypatch.setattr(type(target), "expected_file_bytes", lambda *_: 1000)
    with pytest.raises(GateError, match="size gate"):
        make(TargetName.ONNX, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:-40], "manifest.json"),
        (lambda text: text.replace("deepnarrow/manifest/1", "deepnarrow/manifest/9"), "schema"),
        (lambda text: text.replace('"num_layers":', '"num_levels":'), "num_l"),
        (lambda text: text.replace('"hidden_size": 64', '"hidden_size": 65'), "hidden_size 65"),
        (lambda text: text.replace('"job_id"', '"surprise": 1,\n "job_id"'), "surprise"),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_refused(copy: Path, damage, words: str) -> None:
    path = copy / MANIFEST_FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(UserError, match=words) as caught:
        verify(copy)
    assert "\n" not in str(caught.value)


def test_an_artifact_of_a_checkpoint_asks_for_the_checkpoint(copy: Path) -> None:
    manifest = read_manifest(copy).model_copy(update={"weights": CheckpointSource(name="smol", sha256="0" * 64)})
    write_json(manifest, copy / MANIFEST_FILE)
    with pytest.raises(UserError, match="smol; pass its folder with --weights"):
        verify(copy)


def test_manifests_and_references_round_trip(artifact: Path) -> None:
    for name in (MANIFEST_FILE, REFERENCE_FILE):
        text = (artifact / name).read_text()
        model = read_manifest(artifact) if name == MANIFEST_FILE else read_reference(artifact)
        assert json.loads(model.model_dump_json(by_alias=True)) == json.loads(text)


@pytest.mark.parametrize("name", ["reference.json", MANIFEST_FILE, "extra/model"])
def test_a_link_out_of_the_folder_is_no_file_of_the_artifact(copy: Path, tmp_path: Path, name: str) -> None:
    """The same bytes elsewhere: whoever runs the artifact later need not find them there, and must not read there."""
    elsewhere, link = tmp_path / "elsewhere", copy / name
    if link.exists():
        link.rename(elsewhere)
    else:
        elsewhere.mkdir()
        link.parent.mkdir()
    link.symlink_to(elsewhere)
    with pytest.raises(GateError, match="leads out of the folder") as told:
        verify(copy)
    assert name in str(told.value)
    with pytest.raises(UserError, match="leads out of the folder"):
        list_files(copy, FileKind.MODEL)


def test_a_link_inside_the_folder_is_followed(copy: Path) -> None:
    (copy / "reference.json").rename(copy / "kept.json")
    (copy / "reference.json").symlink_to("kept.json")
    with pytest.raises(GateError, match=r"kept\.json is in the folder but not in the manifest"):
        verify(copy)
