"""Hugging Face folders in: `config.json` with one `model.safetensors` or an index of several. Nothing is unpickled."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from models.errors import UserError
from models.huggingface import (
    LFS_HINT,
    JsonFile,
    SpecialTokens,
    canonical_name,
    huggingface_name,
    is_lfs_pointer,
    read_json,
    read_shape,
    read_special_tokens,
    read_trained_context,
)
from models.shape import TransformerShape
from models.tensors import EMBEDDING, HEAD, TensorSpec, tensors

CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "chat_template.jinja", "vocab.json", "merges.txt", GENERATION_CONFIG,
)  # fmt: skip
# What safetensors calls bfloat16, float16 and float32.
_DTYPES = ("BF16", "F16", "F32")
# Tables that old transformers versions stored although they follow from the config.
_DERIVED = ".rotary_emb.inv_freq"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _StoredTensor:
    """Where a tensor lies, and what the file's header says about it."""

    path: Path
    name: str
    dims: tuple[int, ...]
    dtype: str

    def read(self) -> torch.Tensor:
        """The tensor in its stored type."""
        try:
            with safe_open(self.path, framework="pt") as file:
                return file.get_tensor(self.name)
        except (OSError, SafetensorError) as error:
            raise _unreadable(self.path, error) from error


class CheckpointWeights:
    """Weights of a checkpoint, read from disk one tensor at a time. Made by `open_checkpoint`.

    Attributes:
        shape: what the config describes.
        token_ids: special tokens of the checkpoint.
        tokenizer_files: files to ship beside an artifact, those of `TOKENIZER_FILES` that exist.
        name: the hub's `owner/model` for a folder of its cache, else the folder's name. For people, no identity.
        trained_context: positions it was trained for; None where its config does not say.
    """

    def __init__(
        self,
        shape: TransformerShape,
        stored: Mapping[str, _StoredTensor],
        token_ids: SpecialTokens,
        config: JsonFile,
        tokenizer_files: tuple[Path, ...],
    ) -> None:
        self.shape = shape
        self.token_ids = token_ids
        self.tokenizer_files = tokenizer_files
        self._stored = stored
        self._config = config.path
        self.name = _checkpoint_name(config.path.parent)
        self.trained_context = read_trained_context(config)

    def get(self, name: str) -> np.ndarray:
        """The tensor `name` as float32, C-contiguous; bfloat16 and float16 widen without loss."""
        return self._stored[name].read().float().contiguous().numpy()

    def check_values(self) -> None:
        """Read every tensor and refuse numbers that are none.

        Raises:
            UserError: a tensor holds NaN or infinity; the line names it.
        """
        for tensor in self._stored.values():
            values = tensor.read()
            if not torch.isfinite(values).all():
                what = "NaN" if values.isnan().any() else "infinity"
                raise UserError(f"{tensor.path}: {tensor.name} holds {what}")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the config, the weight files and the tokenizer files: all that an artifact is made of."""
        files = {self._config, *(tensor.path for tensor in self._stored.values()), *self.tokenizer_files}
        digest = hashlib.sha256()
        for path in sorted(files):
            with path.open("rb") as file:
                digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
        return digest.hexdigest()


def open_checkpoint(folder: Path) -> CheckpointWeights:
    """Check a Hugging Face folder and open it; only headers are read now, except to compare two copies of a tied head.

    Raises:
        UserError: a file is missing or corrupt; the config asks for something that is not implemented; a tensor is
            missing, unknown, of the wrong size or of a type that is not a float. The line names file, key or tensor.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder; expected one with {CONFIG} and {WEIGHTS}")
    if not (folder / CONFIG).exists() and any(folder.glob("*.gguf")):
        _weight_files(folder)  # tells what such a folder is
    config = read_json(folder / CONFIG)
    shape = read_shape(config)
    stored = _stored_tensors(folder)
    _check(folder, shape, stored)
    if shape.tie_embeddings and HEAD in stored:
        _check_tied(folder, stored)
    generation = folder / GENERATION_CONFIG
    sources = (read_json(generation), config) if generation.exists() else (config,)
    present = tuple(folder / name for name in TOKENIZER_FILES if (folder / name).is_file())
    for path in present:
        if is_lfs_pointer(path):
            raise UserError(f"{path}: {LFS_HINT}")
    return CheckpointWeights(shape, stored, read_special_tokens(*sources), config, present)


def _checkpoint_name(folder: Path) -> str:
    """`owner/model` for `models--owner--model/snapshots/<hash>`, the layout of the hub's cache; else the name."""
    resolved = folder.resolve()
    repository = resolved.parent.parent.name
    if resolved.parent.name == "snapshots" and repository.startswith("models--"):
        return repository.removeprefix("models--").replace("--", "/", 1)
    return resolved.name


def _stored_tensors(folder: Path) -> dict[str, _StoredTensor]:
    """Headers of all weight files, by canonical name."""
    stored: dict[str, _StoredTensor] = {}
    unknown: list[str] = []
    for path in _weight_files(folder):
        for tensor in _headers(path):
            if tensor.name.endswith(_DERIVED):
                continue
            try:
                name = canonical_name(tensor.name)
            except KeyError:
                unknown.append(tensor.name)
                continue
            if name in stored:
                raise UserError(f"{folder}: {tensor.name} is in {stored[name].path.name} and again in {path.name}")
            stored[name] = tensor
    if unknown:
        raise UserError(f"{folder}: unknown tensors {_list(unknown)}")
    return stored


def _headers(path: Path) -> list[_StoredTensor]:
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            return [
                _StoredTensor(path, name, tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()
            ]
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, error) from error


def _weight_files(folder: Path) -> list[Path]:
    single, index = folder / WEIGHTS, folder / INDEX
    if single.exists() and index.exists():
        raise UserError(f"{folder}: has both {WEIGHTS} and {INDEX}; remove the one that does not belong")
    if single.exists():
        return [single]
    if index.exists():
        return _shards(index)
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if pickles:
        raise UserError(f"{folder}: {pickles[0]} is a pickle, which is never loaded; save the model as {WEIGHTS}")
    if gguf := sorted(path.name for path in folder.glob("*.gguf")):
        raise UserError(
            f"{folder}: {gguf[0]} is a GGUF file, made for llama.cpp; needed is the model's folder with {WEIGHTS}"
        )
    raise UserError(f"{folder}: has neither {WEIGHTS} nor {INDEX}")


def _shards(index: Path) -> list[Path]:
    """The files an index lists, each of which must exist and hold what the index says."""
    files: dict[str, set[str]] = {}
    for tensor, file in read_json(index).section("weight_map").values.items():
        if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
            raise UserError(f"{index}: {file!r} is not the name of a safetensors file beside the index")
        files.setdefault(file, set()).add(tensor)
    if not files:
        raise UserError(f"{index}: weight_map is missing or empty")
    for file, listed in files.items():
        path = index.parent / file
        if not path.is_file():
            raise UserError(f"{index}: names {file}, which does not exist")
        held = {tensor.name for tensor in _headers(path)}
        if held != listed:
            raise UserError(f"{index}: does not agree with {file} about {_list(sorted(held ^ listed))}")
    return [index.parent / file for file in sorted(files)]


def _check(folder: Path, shape: TransformerShape, stored: Mapping[str, _StoredTensor]) -> None:
    """Every tensor of the shape is there with its dimensions in a float type, and no other."""
    specs = {spec.name: spec for spec in tensors(shape)}
    if shape.tie_embeddings:
        # A checkpoint may store the tied table twice.
        specs[HEAD] = TensorSpec(HEAD, specs[EMBEDDING].role, shape.vocab_size, shape.hidden_size)
    optional = {HEAD} if shape.tie_embeddings else set[str]()
    missing = [huggingface_name(name) for name in specs if name not in stored and name not in optional]
    if missing:
        raise UserError(f"{folder}: missing tensors {_list(missing)}")
    extra = [tensor.name for name, tensor in stored.items() if name not in specs]
    if extra:
        raise UserError(f"{folder}: unknown tensors {_list(extra)}: {CONFIG} describes a network without them")
    wrong = [
        f"{tensor.name} {list(tensor.dims)} instead of {list(specs[name].shape)}"
        for name, tensor in stored.items()
        if tensor.dims != specs[name].shape
    ]
    if wrong:
        raise UserError(f"{folder}: wrong dimensions: {_list(wrong)}")
    packed = [f"{tensor.name} {tensor.dtype}" for tensor in stored.values() if tensor.dtype not in _DTYPES]
    if packed:
        raise UserError(f"{folder}: types that are not one of {', '.join(_DTYPES)}: {_list(packed)}")


def _check_tied(folder: Path, stored: Mapping[str, _StoredTensor]) -> None:
    head, embedding = stored[HEAD], stored[EMBEDDING]
    if head.dtype != embedding.dtype or not torch.equal(head.read(), embedding.read()):
        raise UserError(f"{folder}: {CONFIG} ties the embeddings, but {head.name} differs from {embedding.name}")


def _unreadable(path: Path, error: Exception) -> UserError:
    if path.is_file() and is_lfs_pointer(path):
        return UserError(f"{path}: {LFS_HINT}")
    return UserError(f"{path}: not a readable safetensors file ({' '.join(str(error).split())})")


def _list(names: Iterable[str]) -> str:
    """The first few names and how many more there are."""
    items = list(names)
    rest = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
