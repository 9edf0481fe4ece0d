"""`python -m scripts.analysis`."""

from scripts.analysis.cli import app

app(prog_name="python -m scripts.analysis")
