"""`python -m scripts.claims.seed_article`."""

import sys

from scripts.claims.seed_article.cli import main

sys.exit(main())
