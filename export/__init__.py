"""Python exporters: verified ExecuTorch, ONNX and Core ML artifacts of deep and wide networks (`python -m export`)."""
