"""`python -m scripts.host`."""

import sys

import scripts.host.one_thread  # noqa: F401 - numpy and the runtimes, which come with the next line, read what it sets
from scripts.host.cli import main

sys.exit(main())
