"""Read back from a `.pte`: what the graph says counts, not labels or order; damage is told to the person."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from executorch.backends.xnnpack.serialization import xnnpack_graph_schema as xnn

from export.quantization import Scheme
from export.targets.base import ExportOptions, ExportSpec
from export.targets.executorch.decoder import DecoderWriter
from export.targets.executorch.segments import Value
from export.targets.executorch.target import MODEL_FILE, ExecuTorchTarget
from models.decoder import walk_decoder
from models.errors import UserError
from models.rope import ROPE_COS, rope_tables
from models.shape import TransformerShape
from models.weights import RandomWeights

CONTEXT, CHUNK = 48, 12
TARGET = ExecuTorchTarget()


def spec_of(shape: TransformerShape, scheme: Scheme) -> ExportSpec:
    return ExportSpec(shape=shape, scheme=scheme, options=ExportOptions(max_context=CONTEXT, prefill_chunk=CHUNK))


def write(shape: TransformerShape, scheme: Scheme, folder: Path) -> ExportSpec:
    spec = spec_of(shape, scheme)
    TARGET.write(spec, RandomWeights(shape, 3), folder)
    return spec


def test_read_back_of_another_shape_names_the_tensor(tiny: TransformerShape, tmp_path: Path) -> None:
    write(tiny, Scheme.INT4, tmp_path)
    deeper = spec_of(replace(tiny, num_layers=4), Scheme.INT4)
    with pytest.raises(UserError, match=r"model\.pte: layers\.3\.q\.weight is stored as \(320, 64\), not \(256, 64\)"):
        list(TARGET.stored_tensors(deeper, tmp_path))
    wider = spec_of(replace(tiny, ffn_size=192), Scheme.INT4)
    with pytest.raises(UserError, match=r"layers\.0\.gate\.weight is stored as \(160, 64\), not \(192, 64\)"):
        list(TARGET.stored_tensors(wider, tmp_path))


def test_swapped_weights_are_seen(tiny: TransformerShape, tmp_path: Path) -> None:
    class Swapped(RandomWeights):
        def get(self, name: str) -> np.ndarray:
            other = {"layers.0": "layers.1", "layers.1": "layers.0"}.get(name[:8])
            return super().get(other + name[8:] if other else name)

    spec = spec_of(tiny, Scheme.FP32)
    TARGET.write(spec, Swapped(tiny, 3), tmp_path)
    stored = dict(TARGET.stored_tensors(spec, tmp_path))
    np.testing.assert_array_equal(stored["layers.0.q.weight"], RandomWeights(tiny, 3).get("layers.1.q.weight"))


def test_a_gate_is_what_the_sigmoid_reads(tiny: TransformerShape, tmp_path: Path) -> None:
    class UpFirst(DecoderWriter):
        def swiglu(self, x: Value, gate: str, up: str) -> Value:
            scaled, gated = (self._read(self.linear(x, (name,), ())) for name in (up, gate))
            graph = self._segment.graph
            silu = graph.binary(xnn.XNNMultiply, gated, graph.unary(xnn.XNNSigmoid, gated))
            return self._computed(graph.binary(xnn.XNNMultiply, silu, scaled), x.fixed)

    spec, source = spec_of(tiny, Scheme.FP32), RandomWeights(tiny, 3)
    writer = UpFirst(spec, source)
    walk_decoder(tiny, writer)
    writer.write(tmp_path / MODEL_FILE)
    stored = dict(TARGET.stored_tensors(spec, tmp_path))
    for name in ("layers.1.gate.weight", "layers.1.up.weight"):
        np.testing.assert_array_equal(stored[name], source.get(name))


def test_equal_integers_with_other_scales_are_another_tensor(tiny: TransformerShape, tmp_path: Path) -> None:
    class Doubled(RandomWeights):
        def get(self, name: str) -> np.ndarray:
            first = super().get(name.replace("layers.1.", "layers.0."))
            return 2 * first if name == "layers.1.q.weight" else first

    written, read = replace(tiny, num_layers=2), replace(tiny, num_layers=1, layer_repeats=2)
    TARGET.write(spec_of(written, Scheme.INT8), Doubled(written, 3), tmp_path)
    names = [name for name, _ in TARGET.stored_tensors(spec_of(read, Scheme.INT8), tmp_path)]
    assert names.count("layers.0.q.weight") == 2


def test_damaged_rotary_tables_are_seen(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = write(tiny, Scheme.INT4, tmp_path)
    path = tmp_path / MODEL_FILE
    data, (cos, sin) = bytearray(path.read_bytes()), rope_tables(tiny, CONTEXT)
    start = data.index(np.hstack([-sin, sin]).tobytes())
    data[start + 4 * tiny.head_dim] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"the two halves of rope\.sin do not agree"):
        list(TARGET.stored_tensors(spec, tmp_path))
    start = data.index(np.hstack([cos, cos]).tobytes())
    data[start : start + 4 * cos.size * 2] = np.hstack([sin, sin]).tobytes()
    path.write_bytes(data)
    stored = (pair for pair in TARGET.stored_tensors(spec, tmp_path) if pair[0] == ROPE_COS)
    np.testing.assert_array_equal(next(stored)[1], sin)


def test_damaged_files_are_refused(tiny: TransformerShape, tmp_path: Path) -> None:
    spec = write(tiny, Scheme.INT4, tmp_path)
    path = tmp_path / MODEL_FILE
    whole = path.read_bytes()
    for damaged in (b"", b"not a program" * 100, whole[:40], whole[:-1], whole[:200] + bytes(200) + whole[400:]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"model\.pte: not a whole ExecuTorch program"):
            TARGET.observe(spec, tmp_path)
    path.write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"model\.pte: not a whole ExecuTorch program"):
        TARGET.open_language_model(spec, tmp_path, 1)
    path.unlink()
    with pytest.raises(UserError, match=r"no model\.pte; write the artifact again"):
        list(TARGET.stored_tensors(spec, tmp_path))
