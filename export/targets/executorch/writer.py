"""From walk to `.pte`: the same inputs give the same bytes."""

from pathlib import Path

from export.targets.base import ExportSpec
from export.targets.executorch.decoder import DecoderWriter
from export.targets.executorch.mlp import MlpWriter
from models.decoder import walk_decoder
from models.mlp import walk_mlp
from models.shape import TransformerShape
from models.weights import WeightSource


def write_model(spec: ExportSpec, weights: WeightSource, path: Path) -> None:
    """Write the program to `path`."""
    if isinstance(spec.shape, TransformerShape):
        decoder = DecoderWriter(spec, weights)
        walk_decoder(spec.shape, decoder)
        decoder.write(path)
    else:
        mlp = MlpWriter(spec, weights)
        walk_mlp(spec.shape, mlp)
        mlp.write(path)
