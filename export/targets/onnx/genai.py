"""`genai_config.json`: what the stock onnxruntime-genai needs to run the folder."""

import json
from pathlib import Path

from export.targets.base import ExportSpec, TokenIds
from export.targets.onnx.storage import GENAI_FILE, MODEL_FILE
from models.shape import TransformerShape


def write_genai_config(spec: ExportSpec, folder: Path) -> None:
    """Write the file. Greedy search, one buffer for past and present keys."""
    assert isinstance(spec.shape, TransformerShape)
    config = {
        "model": {
            # onnxruntime-genai has one decoder loop for all of the Llama family; the graph says what differs.
            "type": "llama",
            **_special_tokens(spec.token_ids),
            "context_length": spec.options.max_context,
            "vocab_size": spec.shape.vocab_size,
            "decoder": _decoder(spec.shape),
        },
        "search": {
            "do_sample": False,
            "max_length": spec.options.max_context,
            "num_beams": 1,
            "past_present_share_buffer": True,
            "top_k": 1,
        },
    }
    (folder / GENAI_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _special_tokens(tokens: TokenIds) -> dict[str, object]:
    """onnxruntime-genai refuses null: what a checkpoint lacks is left out."""
    ids: dict[str, object] = {"eos_token_id": list(tokens.eos)}
    if tokens.bos is not None:
        ids["bos_token_id"] = tokens.bos
    if tokens.eos:
        ids["pad_token_id"] = tokens.eos[0]
    return ids


def _decoder(shape: TransformerShape) -> dict[str, object]:
    return {
        "filename": MODEL_FILE,
        "session_options": {"provider_options": []},
        "hidden_size": shape.hidden_size,
        "head_size": shape.head_dim,
        "num_attention_heads": shape.num_heads,
        "num_key_value_heads": shape.num_kv_heads,
        # one cache for each executed block
        "num_hidden_layers": shape.num_passes,
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            "past_key_names": "past_key_values.%d.key",
            "past_value_names": "past_key_values.%d.value",
        },
        "outputs": {
            "logits": "logits",
            "present_key_names": "present.%d.key",
            "present_value_names": "present.%d.value",
        },
    }
