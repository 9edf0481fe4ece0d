"""`python -m scripts.farm`."""

import sys

from scripts.farm.cli import main

sys.exit(main())
