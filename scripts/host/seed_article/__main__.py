"""`python -m scripts.host.seed_article`."""

from scripts.host.seed_article.cli import main

main()
