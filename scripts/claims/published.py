"""What others published about each claim. Nothing of it enters an answer."""

from collections.abc import Mapping
from types import MappingProxyType

from scripts.analysis.price.gemstones import GEMSTONES
from scripts.claims.claim import Claim, Published

_MOBILELLM = "MobileLLM, arXiv 2402.14905 (iPhone 13, ExecuTorch, MPS, fp16)"
_NEMOTRON = "Nemotron-Flash, arXiv 2511.18890"
_OPTIMUM = "README of huggingface/optimum-executorch (8da4w)"
_GEMSTONES = (
    "Gemstones, arXiv 2502.06857, published FineWeb-Edu losses (MIT), 350B tokens each; names are width x depth"
)
_LLAMA_CPP = "ggml-org/llama.cpp pull request 7993 (stories260k, M3 Max)"
_OURS = "computed here from the published numbers: "


def _p(text: str, source: str) -> Published:
    return Published(text=text, source=source)


def _losses(*shapes: tuple[int, int]) -> str:
    """`1280x36 2.582, ...`: width x depth and final loss, from the published table."""
    known = {(each.width, each.depth): each.loss for each in GEMSTONES}
    return ", ".join(f"{width}x{depth} {known[width, depth]:.3f}" for width, depth in shapes)


PUBLISHED: Mapping[Claim, tuple[Published, ...]] = MappingProxyType({
    Claim.LATENCY: (
        _p("30 layers take 15.6 ms a token, the same 30 run twice 16.0 ms, 60 layers 29.0 ms: about 13 us for a layer "
           "whose weights are at hand, so on that stack depth costs little; no shallow model was timed.", _MOBILELLM),
        _p("Deep-thin models may not lie on the accuracy-latency frontier; a latency budget has an optimal depth, "
           "such as 12 layers for 3 s of 1k tokens (A100, batch 1).", _NEMOTRON),
        _p("Near 0.4 B parameters, 100 layers of 512 take 67.5 ms a token and 8 of 2048 take 6.3 ms; dispatch-bound "
           "(RTX 3090, eager PyTorch).", "hbfreed/inference-pareto"),
    ),
    Claim.PARALLELISM: (
        _p("Synchronisation of a very small model grows with threads: 163 us a token with 4 threads, 945 us with 16 "
           "before the change, 137 and 696 us after.", _LLAMA_CPP),
    ),
    Claim.SMALLER_MATMULS: (
        _p("At 40 layers, widths from 512 to 1536 (149 M to 1.09 B parameters) all take about 27.5 ms a token: small "
           "products do not fill the device (RTX 3090, eager PyTorch).", "hbfreed/inference-pareto"),
    ),
    Claim.CACHE: (
        _p("A block run twice in a row costs 2.6 % more, a second block of its own 86 %: caches help where weights are "
           "shared between layers, not by depth itself.", _MOBILELLM),
    ),
    Claim.ACTIVATIONS: (),
    Claim.PARAMETER_READS: (
        _p("30 further layers with weights of their own take 13.4 ms for 212 MB, 15.9 GB/s: time follows the bytes.",
           f"{_OURS}{_MOBILELLM}"),
    ),
    Claim.BANDWIDTH: (
        _p("KV bytes per position differ ninefold between models of one size (Qwen2.5-0.5B 12 kB, Qwen3-0.6B 115 kB, "
           "fp16): the number of key-value heads weighs more than depth.", f"{_OURS}the models' configurations"),
    ),
    Claim.TRAINING: (
        _p(f"Near 100 M parameters the deepest trained to the lowest loss: {_losses((256, 80), (512, 13), (768, 3))}. "
           "Residual decoders with norms; 256x80 has the largest body of the three.", _GEMSTONES),
    ),
    Claim.EXPRESSIVENESS: (
        _p(f"Near 1 B parameters: {_losses((1280, 36), (1792, 18), (2560, 8))}; near 2 B: "
           f"{_losses((1536, 50), (2048, 27), (3072, 12))}. Deeper is better per parameter, and the gain saturates.",
           _GEMSTONES),
        _p("Deep-thin shapes gain 0.9 points of average accuracy at 125 M.", "MobileLLM, arXiv 2402.14905, roadmap"),
        _p("There is a width-dependent transition between depth-efficiency and depth-inefficiency of self-attention.",
           "Levine et al., arXiv 2006.12467, abstract"),
    ),
    Claim.HARDWARE: (
        _p("Galaxy S22: SmolLM2-135M (30 layers) 202 tokens/s, Llama-3.2-1B (16 layers) 44.9. iPhone 15: 7.5 and 11.0. "
           "The order flips; backend and threads of the iPhone rows are not stated.", _OPTIMUM),
        _p("A layer costs 0.103 ms on an H100 with CUDA graphs (least squares over nine models) and at most 13 us on "
           "an iPhone 13.", f"{_OURS}{_NEMOTRON}, table 6; {_MOBILELLM}"),
    ),
    Claim.EXAMPLE: (),
    Claim.QUANTISATION: (
        _p("Achieved bandwidth falls with the bits, 1397, 1069 and 863 GB/s at fp16, int8 and int4 (Llama-2 7B, A100): "
           "tokens/s rise from 104.9 to 196.8, less than the bytes shrink, as costs that do not depend on bytes show.",
           "README of pytorch-labs/gpt-fast"),
        _p("8-bit weights and activations lose less than 0.5 points of accuracy.", "MobileLLM, arXiv 2402.14905"),
    ),
})  # fmt: skip
