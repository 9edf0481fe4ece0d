"""Core ML for iOS 18 and macOS 15: a stateful MIL program, written directly, and an evaluator of the saved package."""
