/// Version of the harness, that of the whole project: a test compares it with `pyproject.toml`.
public let harnessVersion = "0.1.0"
