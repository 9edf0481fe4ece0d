"""Lets eager answer the reference prompts of an artifact."""

import numpy as np

from export.reference import (
    PROBE_SEED,
    REFERENCE_PROMPT_TOKENS,
    REFERENCE_SCHEMA,
    GreedyText,
    NetworkReference,
    TextReference,
    Thoroughness,
    num_reference_texts,
    probe_inputs,
    top_margins,
)
from export.targets.base import ExportSpec
from models.eager import EagerDecoder, EagerMlp
from models.shape import TransformerShape


def build_text_reference(
    eager: EagerDecoder, spec: ExportSpec, thoroughness: Thoroughness, decisive_margin: float
) -> TextReference:
    """Let `eager` continue the reference prompts greedily.

    Args:
        eager: holds the artifact's own (dequantised) weights; its batch is `num_reference_texts(thoroughness)`.
        spec: of the artifact.
        thoroughness: decides texts and steps.
        decisive_margin: smallest margin, in logits, that rounding cannot overturn.
    """
    assert isinstance(spec.shape, TransformerShape)
    steps = min(64 if thoroughness is Thoroughness.FULL else 16, spec.options.max_context - REFERENCE_PROMPT_TOKENS)
    size = (num_reference_texts(thoroughness), REFERENCE_PROMPT_TOKENS)
    prompts = np.random.default_rng(PROBE_SEED + 1).integers(0, spec.shape.vocab_size, size)
    logits = eager.forward(prompts, 0)[:, -1]
    chosen, margins = [logits.argmax(-1)], [top_margins(logits)]
    for position in range(REFERENCE_PROMPT_TOKENS, REFERENCE_PROMPT_TOKENS + steps - 1):
        logits = eager.forward(chosen[-1][:, None], position)[:, -1]
        chosen.append(logits.argmax(-1))
        margins.append(top_margins(logits))
    texts = [
        GreedyText(prompt=prompt, greedy=greedy, margins=gaps, decisive=[gap > decisive_margin for gap in gaps])
        for prompt, greedy, gaps in zip(
            prompts.tolist(), np.stack(chosen, 1).tolist(), np.stack(margins, 1).tolist(), strict=True
        )
    ]
    return TextReference(schema=REFERENCE_SCHEMA, decisive_margin=decisive_margin, texts=texts)


def build_network_reference(eager: EagerMlp, tolerance: float) -> NetworkReference:
    """What `eager`, with the artifact's own weights, answers to the probe inputs."""
    inputs = probe_inputs(eager.shape)
    outputs = eager.forward(inputs)
    return NetworkReference(
        schema=REFERENCE_SCHEMA, tolerance=tolerance, inputs=inputs.tolist(), outputs=outputs.tolist()
    )
