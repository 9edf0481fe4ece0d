"""How fast artifacts decode and how fast they are made, beside the peers: `python -m scripts.bench --help`.

llama.cpp is no peer here: compare with its own `llama-bench`, on GGUF files that its own converter made.
"""
