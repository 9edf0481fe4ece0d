"""The files that the claims table is computed from, beside run records."""

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from models.errors import UserError
from scripts.claims.seed_article.record import SeedArticle
from scripts.claims.training.record import Training
from scripts.records.request import WireModel

M = TypeVar("M", bound=WireModel)


def read_seed_article(path: Path) -> SeedArticle:
    """The result of `python -m scripts.claims.seed_article --out FILE`.

    Raises:
        UserError: there is no such file, or it is not one of this schema.
    """
    return _read(SeedArticle, path)


def read_training(path: Path) -> Training:
    """The result of `python -m scripts.claims.training.probe`.

    Raises:
        UserError: as for `read_seed_article`.
    """
    return _read(Training, path)


def _read(kind: type[M], path: Path) -> M:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {place + ': ' if place else ''}{first['msg']}") from error
