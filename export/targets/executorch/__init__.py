"""The ExecuTorch target: graphs and programs written through ExecuTorch's own schema classes."""
