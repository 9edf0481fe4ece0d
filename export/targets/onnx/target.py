"""The ONNX target: model.onnx, model.onnx.data and, for decoders, genai_config.json."""

from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from export.installation import Extra, install_hint
from export.quantization import Scheme, splits_qkv
from export.targets.base import ExportSpec, LanguageModel, Network, Observed, StoredTensor, TargetName
from export.targets.onnx.storage import expected_file_bytes, storage
from models.activations import Activations
from models.errors import UserError
from models.shape import MlpShape
from models.storage import Storage
from models.weights import WeightSource

# What the graphs were written for and tested with; the files themselves also run on ONNX Runtime 1.29.
_SUPPORTED = {"onnx": "1.23.", "onnxruntime": "1.32."}
_PROVIDER = "CPUExecutionProvider"


class OnnxTarget:
    """ONNX Runtime, CPU."""

    name = TargetName.ONNX

    def toolchain(self) -> dict[str, str]:
        """Versions of the packages that decide what is written."""
        found = {name: _installed(name) for name in (*_SUPPORTED, "torch", "numpy")}
        for name, prefix in _SUPPORTED.items():
            if not found[name].startswith(prefix):
                raise UserError(f"{name} {found[name]} is not supported; install {name}=={prefix}*")
        return found

    def load_sdk(self) -> None:
        """Import onnx and onnxruntime."""
        for module in ("writer", "weights", "runtime"):
            import_module(f"export.targets.onnx.{module}")

    def load_runtime(self) -> None:
        """Import onnxruntime."""
        import_module("export.targets.onnx.runtime")

    def storage(self, spec: ExportSpec) -> Storage:
        """See `storage`: int8 is stored in groups of 32."""
        return storage(spec)

    def expected_file_bytes(self, spec: ExportSpec) -> int:
        """Computed size of model.onnx and model.onnx.data; the few hundred bytes of genai_config.json are left out."""
        return expected_file_bytes(spec)

    def activations(self, scheme: Scheme) -> tuple[Activations, ...]:
        """MatMulNBits rounds its inputs to int8, on x86 in blocks, on Arm (KleidiAI) by row; float products do not."""
        return (
            (Activations.EXACT,) if scheme is Scheme.FP32 else (Activations.INT8_PER_BLOCK, Activations.INT8_PER_TOKEN)
        )

    def required_operators(self, spec: ExportSpec) -> dict[str, int]:
        """Products, attention and norms, as often as the shape wants them."""
        shape, floats = spec.shape, spec.scheme is Scheme.FP32
        if isinstance(shape, MlpShape):
            return {"Gemm" if floats else "MatMulNBits": shape.num_layers, "Relu": shape.num_layers - 1}
        passes = shape.num_passes
        operators = {
            # qkv (under two formats two), o, gate, up, down; the head
            "FusedMatMul" if floats else "MatMulNBits": (6 if splits_qkv(self.storage(spec).formats) else 5) * passes
            + 1,
            "GroupQueryAttention": passes,
            "QuickGelu": passes,
            "SimplifiedLayerNormalization": 1 + (2 * passes if shape.qk_norm else 0),
            "SkipSimplifiedLayerNormalization": 2 * passes,
        }
        return operators if floats else {**operators, "GatherBlockQuantized": 1}

    def write(self, spec: ExportSpec, weights: WeightSource, folder: Path) -> None:
        """Write the files; weights go to disk one matrix at a time."""
        from export.targets.onnx.writer import write_model

        write_model(spec, weights, folder)

    def stored_tensors(self, spec: ExportSpec, folder: Path) -> Iterator[tuple[str, StoredTensor]]:
        """Follow the graph from its inputs; see `reader`."""
        from export.targets.onnx.reader import ModelFile
        from export.targets.onnx.weights import read_tensors

        return read_tensors(spec.shape, ModelFile(folder))

    def observe(self, spec: ExportSpec, folder: Path) -> Observed:
        """Census and signature, parsed from the file."""
        from export.targets.onnx.reader import ModelFile

        file = ModelFile(folder)
        operators = Counter(node.operator for node in file.nodes)
        attention = "GroupQueryAttention" if operators["GroupQueryAttention"] else ""
        return Observed(
            operators=dict(sorted(operators.items())),
            delegated_share=None,
            delegate_calls=None,
            backends=(_PROVIDER,),
            attention_operator=attention,
            cache_operator=attention,
            inputs=file.inputs,
            outputs=file.outputs,
        )

    def open_language_model(self, spec: ExportSpec, folder: Path, num_threads: int) -> LanguageModel:
        """Load a decoder with ONNX Runtime."""
        from export.targets.onnx.runtime import OnnxLanguageModel

        return OnnxLanguageModel(spec, folder, num_threads)

    def open_network(self, spec: ExportSpec, folder: Path, num_threads: int) -> Network:
        """Load an MLP with ONNX Runtime."""
        from export.targets.onnx.runtime import OnnxNetwork

        return OnnxNetwork(folder, num_threads)

    def verified_by(self) -> str:
        """ONNX Runtime itself."""
        return f"onnxruntime {_installed('onnxruntime')}"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise UserError(f"{package} is not installed; {install_hint(Extra.EXPORT)}") from error
