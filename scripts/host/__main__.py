"""`python -m scripts.host`."""

import sys

# Numpy and the runtimes, which come with the next line, read what this sets.
import scripts.host.one_thread  # noqa: F401 # pyright: ignore[reportUnusedImport]
from scripts.host.cli import main

sys.exit(main())
