"""The run protocol on this machine, through the Python runtimes: `python -m scripts.host`."""
