"""How fast artifacts decode and how fast they are made, beside the peers: `python -m scripts.bench --help`."""
