"""The benchmark's arithmetic on known numbers, its checkpoints, and one real run of a tiny artifact."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from export.manifest import MANIFEST_FILE, read_manifest
from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec, TargetName
from export.targets.registry import get_target
from models.checkpoint import open_checkpoint
from models.errors import UserError
from models.shape import TransformerShape
from models.tensors import tensors
from models.weights import RandomWeights
from scripts.analysis.spread import Spread, paired_speed, spread
from scripts.bench.checkpoints import meta_name, write_huggingface, write_meta
from scripts.bench.cli import app
from scripts.bench.contenders import PEER_FILE, Contender, PeerRecord, open_artifact, open_peer
from scripts.bench.decode import Probe, Record, Session, measure, rotated, summarize
from scripts.bench.decode_run import DecodeRun, Protocol, Window
from scripts.bench.display import DecodeReport, print_decode, write_report
from scripts.bench.layout import META_PARAMS, META_WEIGHTS
from scripts.bench.processes import ROOT, Effort, run_measured
from scripts.files import check_writable
from scripts.host.machine import this_machine

SHORT = Protocol(chunk=8, prompt=16, windows=(Window(8, 4), Window(24, 2)), warm_up=2)


def _contender(shape: TransformerShape, folder: Path) -> Contender:
    spec = ExportSpec(shape=shape, scheme=Scheme.INT4, options=ExportOptions(max_context=32, prefill_chunk=8))
    return Contender(name="tiny", path=folder, runtime=TargetName.ONNX, spec=spec)


def _record(name: str, number: int, step_ns: int) -> Record:
    run = DecodeRun(
        load_s=0.5, prefill_s=0.25, step_ns=((step_ns, step_ns, 100 * step_ns),), import_rss_bytes=100,
        peak_rss_bytes=300 + number, load_average=0.0,
    )  # fmt: skip
    return Record(contender=name, num_threads=2, round_number=number, run=run)


def _peer_record(shape: TransformerShape) -> PeerRecord:
    return PeerRecord(
        tool="genai", version="1", command=("make",), runtime=TargetName.ONNX, shape=shape, max_context=1024,
        effort=Effort(wall_s=1, cpu_s=1, peak_rss_bytes=1),
    )  # fmt: skip


def test_speeds_are_paired_by_round_before_they_are_summarised():
    # The machine is three times slower in round 1; the ratio of medians would be 10 / 6.
    assert paired_speed({0: 2.0, 1: 6.0, 2: 10.0}, {0: 4.0, 1: 18.0, 2: 10.0}) == Spread(2.0, 1.0, 3.0)
    with pytest.raises(UserError, match=re.escape("rounds [0] and [0, 1] differ")):
        paired_speed({0: 1.0}, {0: 1.0, 1: 1.0})


def test_a_spread_prints_median_and_range():
    assert f"{spread([3, 1, 2, 10]):.1f}" == "2.5 [1.0..10.0]"


def test_the_order_rotates_and_loses_nobody():
    assert [rotated("abc", number) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_figures_follow_from_raw_runs(tiny: TransformerShape, tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"x" * 1000)
    ours = _contender(tiny, tmp_path)
    peer = ours.model_copy(update={"name": "peer"})
    session = Session(
        protocol=replace(SHORT, windows=(Window(8, 3),)),
        records=tuple(
            _record(name, number, step)
            for name, steps in (("tiny", (10_000, 30_000)), ("peer", (20_000, 90_000)))
            for number, step in enumerate(steps)
        ),
        probes=(Probe(2, 0, 4e9), Probe(2, 1, 5e9), Probe(1, 0, 9e9)),
    )
    mine, theirs = summarize(session, [ours, peer], ["peer"])
    (window,) = mine.windows
    assert window.p50_ms == Spread(0.02, 0.01, 0.03)
    assert window.tokens_per_s == pytest.approx(50_000)
    assert window.speed == {"peer": Spread(2.5, 2.0, 3.0)}
    assert theirs.windows[0].speed == {}
    # 3 layers, keys and values of 2 heads of 32 in float32, 9 positions attended by the middle step
    cache = 9 * 3 * 2 * 64 * 4
    assert ours.bytes_read(9) - ours.bytes_read(0) == cache
    assert window.bandwidth_utilization == pytest.approx((ours.bytes_read(0) + cache) / (20e-6 * 5e9))
    assert mine.prefill_tokens_per_s.median == 64
    assert mine.working_memory_bytes == 201
    assert mine.file_bytes == 1000


def test_peers_get_the_same_weights_in_both_forms(tiny: TransformerShape, tmp_path: Path):
    weights = RandomWeights(tiny, 7)
    write_meta(weights, tmp_path / "meta")
    write_huggingface(weights, tmp_path / "hf", max_context=64)
    theirs, meta = open_checkpoint(tmp_path / "hf"), torch.load(tmp_path / "meta" / META_WEIGHTS)
    assert theirs.shape == tiny
    for spec in tensors(tiny):
        np.testing.assert_array_equal(theirs.get(spec.name), weights.get(spec.name))
        np.testing.assert_array_equal(meta.pop(meta_name(spec.name)).numpy(), weights.get(spec.name))
    assert list(meta) == ["output.weight"]
    assert json.loads((tmp_path / "meta" / META_PARAMS).read_text())["use_hf_rope"] is True


def test_shapes_that_peers_cannot_take_are_refused(tiny: TransformerShape, tmp_path: Path):
    with pytest.raises(UserError, match="plain Llama decoders only"):
        write_meta(RandomWeights(replace(tiny, qkv_bias=True), 0), tmp_path)


def test_a_process_is_measured_as_a_whole(tmp_path: Path):
    code = "import sys; block = b'x' * (300 << 20); print('made', len(block)); sys.exit(int(sys.argv[1]))"
    log = tmp_path / "log"
    effort = run_measured([sys.executable, "-c", code, "0"], tmp_path, log, {})
    assert effort.peak_rss_bytes > 300 << 20
    assert effort.wall_s > 0
    assert log.read_text() == "made 314572800\n"
    with pytest.raises(UserError, match=r"log ended with 3: made 314572800; all of its output is in"):
        run_measured([sys.executable, "-c", code, "3"], tmp_path, log, {})


def test_peers_are_found_by_their_record(tiny: TransformerShape, tmp_path: Path):
    record = _peer_record(tiny)
    (tmp_path / PEER_FILE).write_text(record.model_dump_json())
    contender = open_peer(f"them={tmp_path}")
    assert (contender.name, contender.shape, contender.spec.options.max_context) == ("them", tiny, 1024)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["decode"], "nothing to measure"),
        (["decode", "--peer", "nameless"], "'nameless' is not of the form NAME=DIR"),
        (["decode", "--peer", "a=missing"], "missing has no peer.json"),
        (["decode", "missing"], "missing is not an artifact folder"),
        (["peers", "--pair", "nope", "--out", "{new}"], "unknown pair 'nope'; choose from tiny"),
        (["peers", "--pair", "seed-mlp", "--out", "{new}"], "pair 'seed-mlp' holds MLPs"),
        (["peers", "--tool", "nope", "--out", "{new}"], "unknown tool 'nope'; choose from export_llama, genai, or all"),
        (["peers", "--out", "{file}"], "--out {file} cannot be written: file exists"),
        (["export", "--pair", "nope", "--folder", "{new}"], "unknown pair 'nope'"),
        (["export", "--folder", "{file}"], "--folder {file} cannot be written: file exists"),
        (["export", "--folder", "{file}/sub"], "--folder {file}/sub cannot be written: not a directory"),
        (["export", "--folder", "{new}", "--max-context", "1"], "prefill_chunk 1 must lie between 2 and max_context 1"),
        (["export", "--folder", "{new}", "--target", "onnx,nope"], "unknown target 'nope'"),
    ],
)
def test_bad_arguments_are_told_before_anything_is_made(arguments: list[str], message: str, tmp_path: Path):
    names = {"file": str(tmp_path / "file"), "new": str(tmp_path / "new")}
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, [argument.format(**names) for argument in arguments])
    assert isinstance(result.exception, UserError)
    assert message.format(**names) in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_reports_that_cannot_be_written_are_told_before_anything_is_measured(tiny: TransformerShape, tmp_path: Path):
    record = _peer_record(tiny)
    (tmp_path / PEER_FILE).write_text(record.model_dump_json())
    for command in (["decode", "--peer", f"a={tmp_path}"], ["export", "--pair", "tiny", "--folder", str(tmp_path)]):
        for out, reason in ((tmp_path, "is a directory"), (tmp_path / "no" / "report", "no such file or directory")):
            result = CliRunner().invoke(app, [*command, "--out", str(out)])
            assert str(result.exception) == f"--out {out} cannot be written: {reason}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [PEER_FILE]


def test_trying_a_file_leaves_it_as_it_was(tmp_path: Path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("kept")
    check_writable(old, "--out")
    check_writable(new, "--out")
    assert old.read_text() == "kept"
    assert not new.exists()


def test_errors_end_in_one_line_and_exit_code_2(tmp_path: Path):
    command = [sys.executable, "-m", "scripts.bench", "peers", "--pair", "nope", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown pair 'nope'")
    assert done.stderr.count("\n") == 1


def test_our_export_is_timed_with_its_proof(tmp_path: Path):
    arguments = ["--pair", "tiny", "--target", "onnx", "--max-context", "128", "--folder", str(tmp_path / "work")]
    out = tmp_path / "report.json"
    result = CliRunner().invoke(app, ["export", *arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    (record,) = json.loads(out.read_text())["records"]
    assert (record["tool"], record["verified"]) == ("ours onnx", True)
    (path,) = (tmp_path / "work" / "ours").glob(f"*/*/*/{MANIFEST_FILE}")
    manifest = read_manifest(path.parent)
    assert (manifest.options.max_context, manifest.options.prefill_chunk) == (128, 128)
    assert record["effort"]["wall_s"] > manifest.export.wall_ns / 1e9


def test_short_caches_and_equal_names_are_refused(tiny: TransformerShape, tmp_path: Path):
    contender = _contender(tiny, tmp_path)
    with pytest.raises(UserError, match="max_context is 32, and this benchmark's prompts need 948"):
        measure([contender], [1], 1, Protocol(), print)
    with pytest.raises(UserError, match="a name occurs twice"):
        measure([contender, contender], [1], 1, SHORT, print)


def test_a_tiny_artifact_runs_in_a_process_of_its_own(
    tiny: TransformerShape, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    contender = _contender(tiny, tmp_path)
    get_target(TargetName.ONNX).write(contender.spec, RandomWeights(tiny, 0), tmp_path)
    session = measure([contender], [1], 1, SHORT, lambda line: None)
    (record,) = session.records
    assert [len(steps) for steps in record.run.step_ns] == [4, 2]
    assert record.run.peak_rss_bytes >= record.run.import_rss_bytes > 0
    figures = summarize(session, [contender], [])
    machine = this_machine()
    print_decode(machine, figures, 1, session)
    assert "| tiny " in capsys.readouterr().out
    report = DecodeReport(
        machine=machine, contenders=(contender,), baselines=(), figures=tuple(figures), session=session
    )
    write_report(report, tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert written["machine"]["cores"] == machine.cores
    assert written["session"]["records"][0]["run"]["step_ns"][0] == list(record.run.step_ns[0])


def test_an_artifact_that_is_broken_ends_in_one_line(tiny: TransformerShape, tmp_path: Path):
    with pytest.raises(UserError, match=r"decode_run ended with 1: .*no model.onnx"):
        measure([_contender(tiny, tmp_path)], [1], 1, SHORT, lambda line: None)


def test_open_artifact_wants_a_manifest(tmp_path: Path):
    with pytest.raises(UserError, match="not an artifact folder"):
        open_artifact(tmp_path)
