"""`python -m scripts.farm`."""

from scripts.farm.cli import main

main()
