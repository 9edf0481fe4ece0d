package dev.deepnarrow.harness.ui

/** Which side of a pair; [word] is how screens and records name it. */
enum class Side(val word: String) {
    DEEP("deep"),
    WIDE("wide"),
}

/** One context of one run. */
class ContextSummary(val context: Int, val forwardNs: LongArray, val bytesPerToken: Double) {
    val medianNs: Double = Statistics.median(forwardNs)
    val p90Ns: Double = Statistics.quantile(forwardNs, 0.9)
    val p99Ns: Double = Statistics.quantile(forwardNs, 0.99)
    val achievedBytesPerS: Double = bytesPerToken / (medianNs / 1e9)
}

/** How a run ended, in the words of the record. */
enum class Ending { COMPLETED, FAILED, SKIPPED, DIED }

/**
 * What the screens show of a record.
 *
 * @property pairKey pair, target, scheme and thread count: runs with the same key may be compared.
 * @property device for people, such as `Pixel 8, Android 15`; [phone] tells whether it is a phone's number at all.
 * @property invalid reasons that make the numbers unusable; [warnings] are shown beside them.
 * @property message why it failed, was skipped or died.
 */
class RunSummary(
    val runId: String,
    val startedUtc: String,
    val side: Side?,
    val shapeName: String,
    val pairKey: String,
    val device: String,
    val phone: Boolean,
    val ending: Ending,
    val message: String?,
    val invalid: List<String>,
    val warnings: List<String>,
    val contexts: List<ContextSummary>,
    val ceilingBytesPerS: Double?,
    val highWaterBytes: Long?,
) {
    val usable: Boolean get() = ending == Ending.COMPLETED && invalid.isEmpty()
}
