"""What `--weights` names: folders, or models of the Hugging Face hub, alone or as arms of a pair."""

import re
from collections.abc import Iterable
from pathlib import Path

from models.errors import UserError
from models.pair import Arm

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WANTED = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "tokenizer.model", "merges.txt"]
_FORMS = "a folder, or owner/model of the Hugging Face hub"


def parse_weights(texts: Iterable[str]) -> dict[Arm | None, Path]:
    """`DIR` alone to {None: folder}; `deep=DIR` and `wide=DIR` to a folder each. A hub id stands for its local copy.

    Raises:
        UserError: not of that form, an unknown arm, one given twice, an arm beside a single checkpoint, no such folder,
            or the hub cannot be reached and has not been before.
    """
    folders: dict[Arm | None, Path] = {}
    for text in texts:
        arm, place = _split(text)
        if arm in folders:
            raise UserError(f"--weights gives {arm or 'a single checkpoint'} twice")
        folders[arm] = _folder(text, place)
    if None in folders and len(folders) > 1:
        raise UserError(
            f"--weights gives a single checkpoint and arms; a pair needs ARM=DIR, ARM one of {', '.join(Arm)}"
        )
    return folders


def _split(text: str) -> tuple[Arm | None, str]:
    if Path(text).is_dir() or "=" not in text:
        return None, text
    arm, _, place = text.partition("=")
    if arm not in set(Arm) or not place:
        raise UserError(
            f"--weights {text!r} is neither {_FORMS}, nor of the form ARM=DIR; ARM is one of {', '.join(Arm)}"
        )
    return Arm(arm), place


def _folder(text: str, place: str) -> Path:
    if Path(place).is_dir():
        return Path(place)
    if not _HUB_ID.fullmatch(place):
        raise UserError(f"--weights {text}: {place} is not {_FORMS}")
    return _from_hub(place)


def _from_hub(name: str) -> Path:
    """The local copy of a hub model, fetched if it is not there; HF_HUB_OFFLINE and HF_HOME are honoured."""
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise UserError("hub ids need the package huggingface_hub: pip install 'deepnarrow[export]'") from error
    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED))
    except LocalEntryNotFoundError as error:
        raise UserError(
            f"--weights {name}: there is no folder of that name, the hub cannot be reached (or HF_HUB_OFFLINE is set), "
            "and the model is not in its cache; give a folder, or run where there is a network"
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"--weights {name}: not to be had from the Hugging Face hub ({first})") from error
