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

/** What is shown together: runs of one setup, which [pool] stands for, of the pair or the single model [name]. */
data class Results(val pool: String, val name: String)

/**
 * What the screens show of a record.
 *
 * @property contentId the network; null for a run that ended before it had an artifact.
 * @property place campaign, block and repetition of a farm's run; runs of both sides with the same places are neighbours.
 * @property beforeItReported the setup without what only a run that went on can report.
 * @property title pair, target, scheme and thread count, for people.
 * @property device for people, such as `Pixel 8, Android 15`; [phone] tells whether it is a phone's number at all.
 * @property invalid reasons that make the numbers unusable; [warnings] are shown beside them.
 * @property message why it failed, was skipped or died.
 */
data class RunSummary(
    val runId: String,
    val startedUtc: String,
    val side: Side?,
    val shapeName: String,
    val contentId: String?,
    val results: Results,
    val place: String?,
    val beforeItReported: String?,
    val title: String,
    val device: String,
    val osBuild: String,
    val appBuild: String,
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
