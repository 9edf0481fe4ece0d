"""`python -m scripts.analysis`."""

import sys

from scripts.analysis.cli import main

sys.exit(main())
