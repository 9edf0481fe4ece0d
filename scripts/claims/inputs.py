"""The files that the claims table is computed from, beside run records."""

from pathlib import Path

from pydantic import TypeAdapter

from export.files import read_json
from scripts.claims.seed_article.record import SeedArticle
from scripts.claims.training.record import Training


def read_seed_article(path: Path) -> SeedArticle:
    """The result of `python -m scripts.claims.seed_article --out FILE`.

    Raises:
        UserError: there is no such file, or it is not one of this schema.
    """
    return read_json(TypeAdapter(SeedArticle), path)


def read_training(path: Path) -> Training:
    """The result of `python -m scripts.claims.training.probe`.

    Raises:
        UserError: as for `read_seed_article`.
    """
    return read_json(TypeAdapter(Training), path)
