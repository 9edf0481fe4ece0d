"""Core ML: a stateful `.mlpackage` for iOS 18 and macOS 15."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from export.quantization import Scheme
from export.targets.base import (
    AttentionForm,
    ExportSpec,
    LanguageModel,
    Network,
    Observed,
    StoredTensor,
    TargetName,
)
from export.targets.coreml import storage as files
from export.targets.coreml.file_size import expected_file_bytes
from export.targets.coreml.placement import Consumer, weight_uses
from export.targets.coreml.reader import Package, read_package
from export.targets.coreml.runtime import ON_MACOS, CoreMLLanguageModel, CoreMLNetwork, open_predictor
from export.targets.coreml.sdk import coremltools_version, load_sdk
from export.targets.coreml.weights import stored_tensors
from export.targets.coreml.writer import write_package
from models.activations import Activations
from models.shape import TransformerShape
from models.storage import Storage
from models.weights import WeightSource


class CoreMLTarget:
    """The Core ML `Target`."""

    name = TargetName.COREML

    def toolchain(self) -> dict[str, str]:
        """See `Target`."""
        return {"coremltools": coremltools_version()}

    def load_sdk(self) -> None:
        """See `Target`."""
        load_sdk()

    def load_runtime(self) -> None:
        """See `Target`. coremltools both writes and opens."""
        load_sdk()

    def storage(self, spec: ExportSpec) -> Storage:
        """See `Target`. The KV cache is 16 bits wide under every scheme, fp32 included."""
        return files.storage(spec)

    def expected_file_bytes(self, spec: ExportSpec) -> int:
        """See `Target`."""
        return expected_file_bytes(spec)

    def activations(self, scheme: Scheme) -> tuple[Activations, ...]:
        """See `Target`. Under fp32 only keys and values are rounded, to the float16 of the cache."""
        return (Activations.FLOAT16_CACHE if scheme is Scheme.FP32 else Activations.FLOAT16,)

    def required_operators(self, spec: ExportSpec) -> dict[str, int]:
        """See `Target`."""
        uses = weight_uses(spec)
        linears = [use for use in uses if use.consumer is Consumer.LINEAR]
        required = {"linear": len(linears)}
        if spec.scheme is not Scheme.FP32:
            matrices = {use.weights for use in uses if use.consumer is not Consumer.NORM}
            required["constexpr_blockwise_shift_scale"] = len(matrices)
        if isinstance(spec.shape, TransformerShape):
            passes = spec.shape.num_passes
            required |= {"gather": 1, "slice_update": 2 * passes, "write_state": 2 * passes}
            if spec.options.coreml_attention is AttentionForm.FUSED:
                required["scaled_dot_product_attention"] = passes
            else:
                required |= {"softmax": passes, "matmul": 2 * passes}
        return required

    def write(self, spec: ExportSpec, weights: WeightSource, folder: Path) -> None:
        """See `Target`."""
        write_package(spec, weights, folder)

    def stored_tensors(self, spec: ExportSpec, folder: Path) -> Iterator[tuple[str, StoredTensor]]:
        """See `Target`."""
        return stored_tensors(spec, read_package(folder / files.PACKAGE))

    def observe(self, spec: ExportSpec, folder: Path) -> Observed:
        """See `Target`. Core ML decides on the phone which compute unit runs what, so nothing is delegated here."""
        package = read_package(folder / files.PACKAGE)
        census = dict(Counter(operator.kind for operator in package.operators))
        return Observed(
            operators=census,
            delegated_share=None,
            delegate_calls=None,
            backends=(),
            attention_operator=_attention_operator(census),
            cache_operator=_cache_operator(package),
            inputs=package.inputs,
            outputs=package.outputs,
            states=package.states,
        )

    def open_language_model(self, spec: ExportSpec, folder: Path, num_threads: int) -> LanguageModel:
        """See `Target`."""
        return CoreMLLanguageModel(spec, open_predictor(folder, stateful=True, num_threads=num_threads))

    def open_network(self, spec: ExportSpec, folder: Path, num_threads: int) -> Network:
        """See `Target`."""
        dtype = "float32" if spec.scheme is Scheme.FP32 else "float16"
        return CoreMLNetwork(dtype, open_predictor(folder, stateful=False, num_threads=num_threads))

    def verified_by(self) -> str:
        """See `Target`. Core ML itself exists on macOS only."""
        return f"coreml {coremltools_version()}" if ON_MACOS else "package-evaluator"


def _attention_operator(census: dict[str, int]) -> str:
    if "scaled_dot_product_attention" in census:
        return "scaled_dot_product_attention"
    return "matmul + softmax" if "softmax" in census else ""


def _cache_operator(package: Package) -> str:
    """`coreml_update_state` is what the builder calls it; in the file it is `write_state`, then `read_state`."""
    kinds = {operator.kind for operator in package.operators}
    return " + ".join(kind for kind in ("slice_update", "write_state") if kind in kinds)
