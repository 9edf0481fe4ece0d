"""`python -m scripts.claims.seed_article`."""

from scripts.claims.seed_article.cli import main

main()
