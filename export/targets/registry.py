"""Target names to targets. Importing this imports no SDK."""

from export.targets.base import Target, TargetName


def get_target(name: TargetName) -> Target:
    """The target called `name`; its SDK is imported when it is first used."""
    match name:
        case TargetName.EXECUTORCH:
            from export.targets.executorch.target import ExecuTorchTarget

            return ExecuTorchTarget()
        case TargetName.ONNX:
            from export.targets.onnx.target import OnnxTarget

            return OnnxTarget()
        case TargetName.COREML:
            from export.targets.coreml.target import CoreMLTarget

            return CoreMLTarget()
