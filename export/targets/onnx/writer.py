"""From walk to `model.onnx`, `model.onnx.data` and `genai_config.json`: the same inputs give the same bytes."""

from pathlib import Path

from export.targets.base import ExportSpec
from export.targets.onnx.builders import OnnxDecoder, OnnxMlp
from export.targets.onnx.constants import Matrices
from export.targets.onnx.genai import write_genai_config
from export.targets.onnx.graph import GraphWriter
from export.targets.onnx.storage import DATA_FILE, storage
from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import MlpShape
from models.weights import WeightSource


def write_model(spec: ExportSpec, weights: WeightSource, folder: Path) -> None:
    """Write the model's files into `folder`; weights go to disk one matrix at a time."""
    with (folder / DATA_FILE).open("wb") as data:
        graph = GraphWriter(folder, data)
        matrices = Matrices(graph, weights, storage(spec))
        if isinstance(spec.shape, MlpShape):
            walk_mlp(spec.shape, OnnxMlp(spec.shape, graph, matrices))
        else:
            walk_decoder(spec.shape, OnnxDecoder(spec, graph, matrices))
            write_genai_config(spec, folder)
        graph.save(spec.shape.family)
