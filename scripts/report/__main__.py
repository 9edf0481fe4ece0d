"""`python -m scripts.report`."""

from scripts.report.cli import main

main()
