"""Published measurements that the analysis must be able to reproduce: small tables of numbers, each with its source.

Nothing here was measured by this project. Parameter counts are those of the model cards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.analysis.price.model import Term, Weighting, Workload
from scripts.analysis.price.price import Observation, PriceFit, Unidentified, fit_price

_LAYERS_AND_WEIGHTS = (Term.LAYERS, Term.WEIGHTS)


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One network: executed layers, weight bytes read for a token (0 where unknown) and ms a token."""

    name: str
    num_layers: int
    weight_bytes: float
    ms_per_token: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedSweep:
    """A published table.

    Attributes:
        terms: what its numbers can be fitted with.
        note: what to keep in mind when reading it.
    """

    name: str
    device: str
    runtime: str
    source: str
    terms: tuple[Term, ...]
    rows: tuple[PublishedRow, ...]
    note: str = ""
    weighting: Weighting = Weighting.ABSOLUTE

    def fit(self, terms: Sequence[Term] | None = None) -> PriceFit | Unidentified:
        """Plain non-negative least squares in time, as the sources fit, or weighted as this project does."""
        observations = [
            Observation(
                Workload(name=row.name, num_passes=row.num_layers, weight_bytes=row.weight_bytes),
                (row.ms_per_token * 1e6,),
            )
            for row in self.rows
        ]
        return fit_price(observations, terms or self.terms, self.weighting, spare_shapes=1)


def _fp16(params: float) -> float:
    return 2 * params


# 30 blocks of 3.54 M parameters and a tied table of 18.4 M; LS runs each block twice and reads it once.
MOBILELLM_IPHONE_13 = PublishedSweep(
    name="MobileLLM-125M, layer sharing and 60 layers", device="iPhone 13", runtime="ExecuTorch, MPS, fp16",
    source="arXiv 2402.14905, on-device profiling table, mean of 50", terms=_LAYERS_AND_WEIGHTS,
    rows=(
        PublishedRow("30 layers", 30, _fp16(124.6e6), 15.6),
        PublishedRow("2 x 30 shared", 60, _fp16(124.6e6), 16.0),
        PublishedRow("60 layers", 60, _fp16(124.6e6 + 106.2e6), 29.0),
    ),
    note="one context, not stated; the shared block must stay in a cache",
)  # fmt: skip

# hbfreed/inference-pareto at commit 5c7fe608: random weights, 322 M to 487 M parameters, bytes not published.
RTX_3090_EAGER = PublishedSweep(
    name="constant parameters, 8 to 100 layers", device="RTX 3090", runtime="Hugging Face eager",
    source="github.com/hbfreed/inference-pareto, csv", terms=(Term.FIXED, Term.LAYERS),
    rows=tuple(
        PublishedRow(f"{layers}x{width}", layers, 0.0, ms)
        for layers, width, ms in (
            (100, 512, 67.5), (80, 576, 57.5), (60, 672, 43.5), (48, 768, 33.1), (40, 832, 30.7), (32, 960, 24.2),
            (24, 1088, 18.5), (20, 1216, 15.6), (16, 1344, 12.7), (12, 1536, 8.9), (10, 1792, 7.6), (8, 2048, 6.3),
        )
    ),
    note="reading 487 M fp16 weights at the card's 936 GB/s takes 1.04 ms: this is the cost of launching kernels",
)  # fmt: skip

NEMOTRON_FLASH_H100 = PublishedSweep(
    name="nine attention models", device="H100", runtime="CUDA graphs, TensorRT-LLM kernels, bf16",
    source="arXiv 2511.18890, table 6: seconds for 8192 tokens, batch 1", terms=_LAYERS_AND_WEIGHTS,
    rows=tuple(
        PublishedRow(name, layers, _fp16(billions * 1e9), seconds / 8192 * 1e3)
        for name, layers, billions, seconds in (
            ("OLMo-1B", 16, 1.18, 24.66), ("Llama-3.2-1B", 16, 1.236, 21.44), ("Qwen2.5-0.5B", 24, 0.494, 22.81),
            ("Qwen3-0.6B", 28, 0.596, 27.55), ("SmolLM2-1.7B", 24, 1.711, 31.11), ("Llama-3.2-3B", 28, 3.213, 45.47),
            ("Qwen2.5-1.5B", 28, 1.544, 34.50), ("Qwen3-1.7B", 28, 1.721, 36.20), ("Qwen2.5-3B", 36, 3.086, 49.40),
        )
    ),
    note="tau holds attention over a cache that grows to 8192 positions",
)  # fmt: skip


def _eight_da4w(params: float) -> float:
    """5 bits for every parameter, the head included: 4 and the scales of groups of 32; assumed, not published."""
    return params * 5 / 8


# Tokens a second. OLMo is OLMo-1B; sizes are those of the model cards.
_OPTIMUM_MODELS = (
    ("SmolLM2-135M", 30, 134.5e6), ("Qwen3-0.6B", 28, 596e6), ("Llama-3.2-1B", 16, 1236e6), ("OLMo-1B", 16, 1177e6),
    ("Gemma-3-1B", 26, 1000e6),
)  # fmt: skip


GALAXY_S22 = PublishedSweep(
    name="five architectures", device="Galaxy S22", runtime="ExecuTorch, XNNPACK, 8da4w",
    source="github.com/huggingface/optimum-executorch README, tokens a second",
    terms=(Term.FIXED, *_LAYERS_AND_WEIGHTS), weighting=Weighting.RELATIVE,
    rows=tuple(
        PublishedRow(name, layers, _eight_da4w(params), 1e3 / speed)
        for (name, layers, params), speed in zip(_OPTIMUM_MODELS, (202.3, 59.2, 44.9, 45.0, 25.1), strict=True)
    ),
    note="the bytes are assumed; other phones of the table follow no such law",
)  # fmt: skip


def _ollama(device: str, issue: int, note: str, speeds: tuple[float, float, float]) -> PublishedSweep:
    """Llama 3.2 3B, 3.1 8B and 2 13B, 4 bits; a token reads the file but for the table's rows, taken as the file."""
    models = (("llama3.2:3b", 28, 2.02e9), ("llama3.1:8b", 32, 4.92e9), ("llama2:13b", 40, 7.37e9))
    return PublishedSweep(
        name="three Llamas", device=device, runtime="ollama, CPU", terms=_LAYERS_AND_WEIGHTS,
        source=f"github.com/geerlingguy/ai-benchmarks issue {issue}, eval rates", note=note,
        weighting=Weighting.RELATIVE,
        rows=tuple(
            PublishedRow(name, layers, size, 1e3 / speed)
            for (name, layers, size), speed in zip(models, speeds, strict=True)
        ),
    )  # fmt: skip


PI_5 = (
    _ollama("Raspberry Pi 5, 16 GB", 7, "SDRAM_BANKLOW=1, firmware of 6 January 2025", (4.59, 1.87, 1.20)),
    _ollama("Raspberry Pi 5, 16 GB", 7, "SDRAM_BANKLOW=1, firmware of 8 January 2025", (4.88, 2.17, 1.36)),
    _ollama("Raspberry Pi 5, 16 GB", 7, "no tweaks", (4.51, 2.05, 1.35)),
)
ORION_O6 = _ollama("Radxa Orion O6", 13, "firmware 9.0.0", (16.49, 7.60, 4.17))


@dataclass(frozen=True, slots=True)
class Quants:
    """One network under several quantisations, by one kernel each: bits a weight (assumed) and ms a token."""

    device: str
    source: str
    num_layers: int
    ms_by_format: tuple[tuple[str, float], ...]


QWEN3_POCO = Quants(
    "POCO Myron, Snapdragon 8 Elite Gen 5, llama.rn on the CPU", "github.com/a-ghorbani/pocketpal-ai PR 702", 28,
    (("q2_k", 35.8), ("q3_k_m", 36.0), ("q4_0", 32.9), ("q4_k_m", 31.6), ("q5_k_m", 36.6), ("q6_k", 43.9),
     ("q8_0", 38.9)),
)  # fmt: skip

SWEEPS = (MOBILELLM_IPHONE_13, RTX_3090_EAGER, NEMOTRON_FLASH_H100)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedSpeeds:
    """Decode speeds of two networks on one device, tokens/s."""

    device: str
    deep: float
    wide: float

    @property
    def faster(self) -> str:
        """Which of the two."""
        return "deep" if self.deep > self.wide else "wide"


# SmolLM2-135M (30 layers of 576) against Llama-3.2-1B (16 layers of 2048), the same artifacts on all devices.
# github.com/huggingface/optimum-executorch, README, 8da4w; the iPhone rows name no backend.
RANKING_FLIP = (
    PublishedSpeeds(device="Galaxy S22", deep=202.3, wide=44.9),
    PublishedSpeeds(device="Galaxy S22 Ultra", deep=202.6, wide=37.4),
    PublishedSpeeds(device="iPhone 15", deep=7.47, wide=11.04),
    PublishedSpeeds(device="iPhone 15 Plus", deep=6.43, wide=8.93),
    PublishedSpeeds(device="iPhone 15 Pro", deep=29.64, wide=25.78),
)
