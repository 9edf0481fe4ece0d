"""ONNX for ONNX Runtime: a graph of com.microsoft operators, written directly, under the onnxruntime-genai contract."""
