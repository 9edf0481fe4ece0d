"""Every metric, defined once.

A run is the unit: a metric is one number of one run. What a cell of repeated runs is summarised by is the median of
its runs; iterations of different runs are never pooled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from scripts.records import ArtifactFacts, DecodeSamples, RunRecord, Stage

_NS_PER_MS = 1e6
_NS_PER_S = 1e9
# Thirds of a phase that are compared where its beginning is held against its end.
_THIRDS = 3
# What a device does before it throttles: the first seconds of the sustained phase.
_BURST_NS = 5 * 10**9


class MetricName(StrEnum):
    """What is measured of a run."""

    LOAD_MS = "load_ms"
    FIRST_FORWARD_MS = "first_forward_ms"
    TTFT_MS = "ttft_ms"
    PREFILL_TOKENS_PER_S = "prefill_tokens_per_s"
    DECODE_P50_MS = "decode_p50_ms"
    DECODE_P90_MS = "decode_p90_ms"
    DECODE_P99_MS = "decode_p99_ms"
    DECODE_MAX_MS = "decode_max_ms"
    DECODE_MAD_MS = "decode_mad_ms"
    DECODE_TOKENS_PER_S = "decode_tokens_per_s"
    STEP_OVERHEAD_MS = "step_overhead_ms"
    BYTES_PER_TOKEN = "bytes_per_token"
    ACHIEVED_GB_PER_S = "achieved_gb_per_s"
    MBU = "mbu"
    PROBE_GB_PER_S = "probe_gb_per_s"
    ANONYMOUS_BYTES = "anonymous_bytes"
    FILE_BYTES = "file_bytes"
    HIGH_WATER_BYTES = "high_water_bytes"
    ARTIFACT_BYTES = "artifact_bytes"
    DECODE_DRIFT = "decode_drift"
    SUSTAINED_BURST_RATIO = "sustained_burst_ratio"


class Unit(StrEnum):
    """Units of metrics."""

    MS = "ms"
    TOKENS_PER_S = "tokens/s"
    BYTES = "bytes"
    GB_PER_S = "GB/s"
    RATIO = "ratio"


class Better(StrEnum):
    """Which direction a user wants."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"  # describes the run; nobody wins by it


class At(StrEnum):
    """What a metric is measured at, beside the run."""

    RUN = "run"  # nothing: one number a run
    CONTEXT = "context"  # positions in the cache before the first timed step
    PROMPT = "prompt"  # tokens of the prompt


@dataclass(frozen=True, slots=True)
class Metric:
    """A definition.

    Attributes:
        formula: in the words of the record's fields.
        source: where the definition comes from, or why it is ours.
        floor: smallest relative difference between two cells that a verdict may name; smaller ones are of no use.
    """

    name: MetricName
    unit: Unit
    better: Better
    at: At
    title: str
    formula: str
    source: str
    floor: float = 0.02


def _metric(
    name: MetricName, unit: Unit, better: Better, at: At, title: str, formula: str, source: str, floor: float = 0.02
) -> tuple[MetricName, Metric]:
    return name, Metric(name, unit, better, at, title, formula, source, floor)


_M, _U, _B = MetricName, Unit, Better
METRICS: Mapping[MetricName, Metric] = MappingProxyType(dict((
    _metric(_M.LOAD_MS, _U.MS, _B.LOWER, At.RUN, "Load", "load.load_ns / 1e6",
            "from opening the files to a model that can be called, in a fresh process", 0.10),
    _metric(_M.FIRST_FORWARD_MS, _U.MS, _B.LOWER, At.RUN, "First call", "load.first_forward_ns / 1e6",
            "lazy packing and page faults land here, ExecuTorch lists it as init time", 0.10),
    _metric(_M.TTFT_MS, _U.MS, _B.LOWER, At.PROMPT, "Time to first token",
            "median(prefill.prefill_ns) / 1e6, the model loaded and called before",
            "time to first token of MLPerf Inference, without tokenizer and network", 0.05),
    _metric(_M.PREFILL_TOKENS_PER_S, _U.TOKENS_PER_S, _B.HIGHER, At.PROMPT, "Prefill",
            "prompt_length * 1e9 / median(prefill.prefill_ns)", "pp of llama-bench", 0.05),
    _metric(_M.DECODE_P50_MS, _U.MS, _B.LOWER, At.CONTEXT, "Decode latency", "median(decode.forward_ns) / 1e6",
            "the runtime's call alone; time per output token of MLPerf Inference, as a median"),
    _metric(_M.DECODE_P90_MS, _U.MS, _B.LOWER, At.CONTEXT, "Decode latency, p90",
            "90th percentile of decode.forward_ns / 1e6, interpolated", "numpy's linear interpolation", 0.05),
    _metric(_M.DECODE_P99_MS, _U.MS, _B.LOWER, At.CONTEXT, "Decode latency, p99",
            "99th percentile of decode.forward_ns / 1e6, interpolated", "numpy's linear interpolation", 0.10),
    _metric(_M.DECODE_MAX_MS, _U.MS, _B.LOWER, At.CONTEXT, "Slowest step", "max(decode.forward_ns) / 1e6",
            "the stall a user sees", 0.25),
    _metric(_M.DECODE_MAD_MS, _U.MS, _B.LOWER, At.CONTEXT, "Jitter",
            "median(|forward_ns - median(forward_ns)|) / 1e6", "median absolute deviation, not scaled", 0.25),
    _metric(_M.DECODE_TOKENS_PER_S, _U.TOKENS_PER_S, _B.HIGHER, At.CONTEXT, "Decode speed",
            "1e9 / median(decode.forward_ns)", "tg of llama-bench, from the median step instead of the mean"),
    _metric(_M.STEP_OVERHEAD_MS, _U.MS, _B.LOWER, At.CONTEXT, "Around the call",
            "median(decode.step_ns - decode.forward_ns) / 1e6", "inputs and argmax in the harness's language", 0.25),
    _metric(_M.BYTES_PER_TOKEN, _U.BYTES, _B.LOWER, At.CONTEXT, "Bytes a token reads",
            "weight_bytes_read + kv_bytes_per_position * mean context of the timed steps",
            "Databricks, LLM inference performance engineering, 2023, with one row of an untied embedding "
            "instead of the whole table"),
    _metric(_M.ACHIEVED_GB_PER_S, _U.GB_PER_S, _B.HIGHER, At.CONTEXT, "Achieved bandwidth",
            "bytes_per_token / median(decode.forward_ns)", "gpt-fast's 'Bandwidth achieved', KV cache included"),
    _metric(_M.MBU, _U.RATIO, _B.HIGHER, At.CONTEXT, "Memory-bandwidth utilisation",
            "achieved / bandwidth.ceiling_bytes_per_s",
            "Databricks 2023, over the ceiling that the same run measured instead of a data sheet's"),
    _metric(_M.PROBE_GB_PER_S, _U.GB_PER_S, _B.NEITHER, At.RUN, "Bandwidth ceiling",
            "bandwidth.ceiling_bytes_per_s / 1e9", "best of the run's probe methods, read only, the run's own threads"),
    _metric(_M.ANONYMOUS_BYTES, _U.BYTES, _B.LOWER, At.RUN, "Peak anonymous memory",
            "max(memory.anonymous_bytes)", "what the system cannot drop; the low-memory killer counts it", 0.05),
    _metric(_M.FILE_BYTES, _U.BYTES, _B.LOWER, At.RUN, "Peak file-backed memory", "max(memory.file_bytes)",
            "mapped weights, which the system may drop and read again", 0.05),
    _metric(_M.HIGH_WATER_BYTES, _U.BYTES, _B.LOWER, At.RUN, "Peak resident memory",
            "max(memory.high_water_bytes)", "the system's own count (VmHWM, phys_footprint)", 0.05),
    _metric(_M.ARTIFACT_BYTES, _U.BYTES, _B.LOWER, At.RUN, "Artifact", "artifact.model_bytes",
            "bytes of the model files"),
    _metric(_M.DECODE_DRIFT, _U.RATIO, _B.LOWER, At.CONTEXT, "Drift inside the phase",
            "median of the last third of decode.forward_ns / median of the first third",
            "ours: above 1 the device slows down while it is measured; growing context explains a little of it", 0.05),
    _metric(_M.SUSTAINED_BURST_RATIO, _U.RATIO, _B.HIGHER, At.RUN, "Sustained / burst",
            "median of sustained.forward_ns that start in the first 5 s (at most the first third) / median of the last "
            "third", "ours: speed kept at the end of the sustained phase; 1 is a device that does not throttle", 0.05),
)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One number of one run.

    Attributes:
        at: cache context or prompt length; None where the definition's `at` is `run`.
    """

    metric: MetricName
    at: int | None
    value: float


@dataclass(frozen=True, slots=True)
class RunMetrics:
    """All numbers of a run; what it did not measure is missing, never 0."""

    run_id: str
    values: tuple[MetricValue, ...]

    def get(self, metric: MetricName, at: int | None = None) -> float | None:
        """The number, or None where the run did not measure it."""
        return next((each.value for each in self.values if each.metric is metric and each.at == at), None)


def run_metrics(record: RunRecord) -> RunMetrics:
    """The metrics of everything the run measured; whether they may be used is `record.valid`'s to say.

    A millisecond for a record of usual length: `scripts.analysis.cells.Cell` holds them for all who ask again.
    """
    found = [*_load(record), *_prefill(record), *_sustained(record), *_memory(record)]
    for samples in record.decode:
        found += _decode(samples) + _bandwidth(record, samples)
    return RunMetrics(record.run_id, tuple(found))


def mean_context(context: int, steps: int) -> float:
    """Positions attended by the average timed step: step i attends context + i + 1 of them."""
    return context + (steps + 1) / 2


def bytes_per_token(artifact: ArtifactFacts, samples: DecodeSamples) -> float:
    """Weight and cache bytes that the average timed step reads."""
    attended = mean_context(samples.context, len(samples.forward_ns))
    return artifact.weight_bytes_read + artifact.kv_bytes_per_position * attended


def _load(record: RunRecord) -> list[MetricValue]:
    found: list[MetricValue] = []
    if record.load:
        found.append(MetricValue(_M.LOAD_MS, None, record.load.load_ns / _NS_PER_MS))
        found.append(MetricValue(_M.FIRST_FORWARD_MS, None, record.load.first_forward_ns / _NS_PER_MS))
    if record.bandwidth:
        found.append(MetricValue(_M.PROBE_GB_PER_S, None, record.bandwidth.ceiling_bytes_per_s / 1e9))
    if record.artifact:
        found.append(MetricValue(_M.ARTIFACT_BYTES, None, float(record.artifact.model_bytes)))
    return found


def _prefill(record: RunRecord) -> list[MetricValue]:
    found: list[MetricValue] = []
    for samples in record.prefill:
        if samples.prefill_ns:
            median = float(np.median(samples.prefill_ns))
            length = samples.prompt_length
            found.append(MetricValue(_M.TTFT_MS, length, median / _NS_PER_MS))
            found.append(MetricValue(_M.PREFILL_TOKENS_PER_S, length, length * _NS_PER_S / median))
    return found


def _decode(samples: DecodeSamples) -> list[MetricValue]:
    if not samples.forward_ns:
        return []
    forward, step = np.array(samples.forward_ns, float), np.array(samples.step_ns, float)
    p50, p90, p99 = (float(value) for value in np.percentile(forward, (50, 90, 99)))
    numbers = {
        _M.DECODE_P50_MS: p50 / _NS_PER_MS,
        _M.DECODE_P90_MS: p90 / _NS_PER_MS,
        _M.DECODE_P99_MS: p99 / _NS_PER_MS,
        _M.DECODE_MAX_MS: float(forward.max()) / _NS_PER_MS,
        _M.DECODE_MAD_MS: float(np.median(np.abs(forward - p50))) / _NS_PER_MS,
        _M.DECODE_TOKENS_PER_S: _NS_PER_S / p50,
        _M.STEP_OVERHEAD_MS: float(np.median(step - forward)) / _NS_PER_MS,
    }
    if len(forward) >= _THIRDS:
        numbers[_M.DECODE_DRIFT] = _last_over_first(samples.forward_ns)
    return [MetricValue(name, samples.context, value) for name, value in numbers.items()]


def _bandwidth(record: RunRecord, samples: DecodeSamples) -> list[MetricValue]:
    if record.artifact is None or not samples.forward_ns:
        return []
    total = bytes_per_token(record.artifact, samples)
    achieved = total / float(np.median(samples.forward_ns)) * _NS_PER_S
    found = [
        MetricValue(_M.BYTES_PER_TOKEN, samples.context, total),
        MetricValue(_M.ACHIEVED_GB_PER_S, samples.context, achieved / 1e9),
    ]
    if record.bandwidth:
        found.append(MetricValue(_M.MBU, samples.context, achieved / record.bandwidth.ceiling_bytes_per_s))
    return found


def _sustained(record: RunRecord) -> list[MetricValue]:
    if record.sustained is None or len(record.sustained.forward_ns) < _THIRDS:
        return []
    forward, third = record.sustained.forward_ns, len(record.sustained.forward_ns) // _THIRDS
    # A device that throttles within a minute has throttled before the first third of a long phase is over.
    burst = sum(start - record.sustained.start_ns[0] < _BURST_NS for start in record.sustained.start_ns[:third])
    ratio = float(np.median(forward[:burst]) / np.median(forward[-third:]))
    return [MetricValue(_M.SUSTAINED_BURST_RATIO, None, ratio)]


def _memory(record: RunRecord) -> list[MetricValue]:
    points = [point for point in record.memory if point.after is not Stage.ENVIRONMENT]
    pick: dict[MetricName, Callable[[int], int | None]] = {
        _M.ANONYMOUS_BYTES: lambda i: points[i].anonymous_bytes,
        _M.FILE_BYTES: lambda i: points[i].file_bytes,
        _M.HIGH_WATER_BYTES: lambda i: points[i].high_water_bytes,
    }
    found: list[MetricValue] = []
    for name, value_of in pick.items():
        known = [value for value in map(value_of, range(len(points))) if value is not None]
        if known:
            found.append(MetricValue(name, None, float(max(known))))
    return found


def _last_over_first(forward_ns: Sequence[int]) -> float:
    third = len(forward_ns) // _THIRDS
    return float(np.median(forward_ns[-third:]) / np.median(forward_ns[:third]))
