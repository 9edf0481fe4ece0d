"""The ExecuTorch target: one `model.pte` for the XNNPACK backend."""

from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from export.quantization import Scheme, splits_qkv
from export.targets.base import ExportSpec, LanguageModel, Network, Observed, StoredTensor, TargetName
from export.targets.executorch import storage as files
from export.targets.executorch.schema_pin import EXECUTORCH_VERSION, check_schema, executorch_root
from models.activations import Activations
from models.shape import MlpShape
from models.storage import Storage
from models.weights import WeightSource

MODEL_FILE = "model.pte"


class ExecuTorchTarget:
    """Implements `export.targets.base.Target`. Importing the SDK takes seconds, so each method imports what it uses."""

    name = TargetName.EXECUTORCH

    def toolchain(self) -> dict[str, str]:
        check_schema(executorch_root())
        return {package: metadata.version(package) for package in ("executorch", "torch", "numpy")}

    def load_sdk(self) -> None:
        for module in ("writer", "weights", "runtime"):
            import_module(f"export.targets.executorch.{module}")

    def load_runtime(self) -> None:
        import_module("export.targets.executorch.runtime")

    def storage(self, spec: ExportSpec) -> Storage:
        return files.storage(spec.scheme)

    def expected_file_bytes(self, spec: ExportSpec) -> int:
        return files.file_bytes(spec)

    def activations(self, scheme: Scheme) -> tuple[Activations, ...]:
        return (Activations.EXACT if scheme is Scheme.FP32 else Activations.INT8_PER_TOKEN,)

    def required_operators(self, spec: ExportSpec) -> dict[str, int]:
        shape = spec.shape
        if isinstance(shape, MlpShape):
            return {"XnnpackBackend:FullyConnected": shape.num_layers, "XnnpackBackend:Clamp": shape.num_layers - 1}
        passes = shape.num_passes
        embedding = "aten::embedding.out" if spec.scheme is Scheme.FP32 else "quantized_decomposed::embedding_byte.out"
        return {
            embedding: 1,
            "llama::update_cache.out": 2 * passes,
            "llama::custom_sdpa.out": passes,
            "XnnpackBackend:BatchMatrixMultiply": 2 * passes,
            "XnnpackBackend:FullyConnected": (6 if splits_qkv(self.storage(spec).formats) else 5) * passes + 1,
        }

    def write(self, spec: ExportSpec, weights: WeightSource, folder: Path) -> None:
        check_schema(executorch_root())
        from export.targets.executorch.writer import write_model

        write_model(spec, weights, folder / MODEL_FILE)

    def stored_tensors(self, spec: ExportSpec, folder: Path) -> Iterator[tuple[str, StoredTensor]]:
        from export.targets.executorch.reader import PteFile
        from export.targets.executorch.weights import stored_weights

        return stored_weights(PteFile(folder / MODEL_FILE), spec.shape)

    def observe(self, spec: ExportSpec, folder: Path) -> Observed:
        from export.targets.executorch.census import observe
        from export.targets.executorch.reader import PteFile

        return observe(PteFile(folder / MODEL_FILE))

    def open_language_model(self, spec: ExportSpec, folder: Path, num_threads: int) -> LanguageModel:
        from export.targets.executorch.runtime import ExecuTorchLanguageModel, load

        return ExecuTorchLanguageModel(load(folder / MODEL_FILE, num_threads), spec.options)

    def open_network(self, spec: ExportSpec, folder: Path, num_threads: int) -> Network:
        from export.targets.executorch.runtime import ExecuTorchNetwork, load

        return ExecuTorchNetwork(load(folder / MODEL_FILE, num_threads))

    def verified_by(self) -> str:
        return f"executorch {EXECUTORCH_VERSION}"
