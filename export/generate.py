"""Greedy text from an artifact with a tokenizer, through its own runtime: does it speak?"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from export.manifest import Manifest, read_manifest
from export.proof.quality import TOKENIZER, open_tokenizer
from export.targets.registry import get_target
from models.errors import UserError
from models.shape import TransformerShape

TOKENIZER_CONFIG = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"


def generate_text(folder: Path, prompt: str, max_tokens: int, num_threads: int, chat: bool) -> Iterator[str]:
    """The artifact's greedy answer, piece by piece, up to an end token, `max_tokens` or a full cache.

    Args:
        folder: an artifact.
        prompt: what the user says; wrapped in the chat template where there is one and `chat` is asked for.
        max_tokens: most tokens to generate.
        num_threads: processors for the runtime.
        chat: whether to use the chat template.

    Raises:
        UserError: no artifact, one without a tokenizer, or a prompt that its cache has no room for.
    """
    manifest = read_manifest(folder)
    if not isinstance(manifest.shape, TransformerShape) or not (folder / TOKENIZER).is_file():
        raise UserError(
            f"{folder}: has no {TOKENIZER}, so it cannot read words; artifacts of checkpoints with a tokenizer can"
        )
    tokenizer = open_tokenizer(folder / TOKENIZER)
    template = _chat_template(folder) if chat else None
    text = prompt if template is None else _render(folder, template, prompt)
    ids = np.asarray(tokenizer.encode(text, add_special_tokens=template is None).ids, np.int64)
    room = manifest.options.max_context - len(ids)
    if not len(ids) or room < 1:
        raise UserError(f"the prompt has {len(ids)} tokens; {folder} takes 1 to {manifest.options.max_context - 1}")
    return _pieces(folder, manifest, ids, min(max_tokens, room), num_threads, tokenizer.decode)


def _pieces(
    folder: Path, manifest: Manifest, prompt: np.ndarray, max_tokens: int, num_threads: int,
    decode: Callable[[list[int]], str],
) -> Iterator[str]:  # fmt: skip
    model = get_target(manifest.target).open_language_model(manifest.spec, folder, num_threads)
    chunk, logits = manifest.options.prefill_chunk, np.zeros(1, np.float32)
    for start in range(0, len(prompt), chunk):
        logits = model.forward(prompt[start : start + chunk], start)
    answer, said = list[int](), ""
    while len(answer) < max_tokens and int(logits.argmax()) not in manifest.token_ids.eos:
        answer.append(int(logits.argmax()))
        # The whole answer again: a character may take several tokens.
        text = decode(answer)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):
            yield text[len(said) :]
            said = text
        if len(answer) < max_tokens:
            logits = model.forward(np.asarray(answer[-1:], np.int64), len(prompt) + len(answer) - 1)


def _chat_template(folder: Path) -> str | None:
    """The checkpoint's template, from its own file or from the tokenizer's configuration."""
    if (folder / TEMPLATE_FILE).is_file():
        return (folder / TEMPLATE_FILE).read_text(encoding="utf-8")
    if not (folder / TOKENIZER_CONFIG).is_file():
        return None
    try:
        template = json.loads((folder / TOKENIZER_CONFIG).read_text(encoding="utf-8")).get("chat_template")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{folder / TOKENIZER_CONFIG}: not a JSON object ({error})") from error
    return template if isinstance(template, str) and template else None


def _render(folder: Path, template: str, prompt: str) -> str:
    """The template with one message, as transformers renders it."""
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(template).render(
            messages=[{"role": "user", "content": prompt}], add_generation_prompt=True, bos_token="", eos_token=""
        )
    except TemplateError as error:
        raise UserError(f"{folder}: its chat template cannot be rendered ({error}); use --no-chat") from error
