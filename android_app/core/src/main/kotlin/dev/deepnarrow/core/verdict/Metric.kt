package dev.deepnarrow.core.verdict

/** Units of metrics; [word] as in `scripts/analysis/metrics.py`. */
enum class MetricUnit(val word: String) {
    MS("ms"),
    TOKENS_PER_S("tokens/s"),
    BYTES("bytes"),
    GB_PER_S("GB/s"),
    RATIO("ratio"),
}

/** Which direction a user wants. */
enum class Better(val word: String) {
    LOWER("lower"),
    HIGHER("higher"),
    NEITHER("neither"),
}

/**
 * One number of a run.
 *
 * @property floor smallest relative difference that a verdict may name.
 */
data class Metric(val name: String, val unit: MetricUnit, val better: Better, val floor: Double) {
    companion object {
        val DECODE_P50_MS = Metric("decode_p50_ms", MetricUnit.MS, Better.LOWER, 0.02)
    }
}
