package dev.deepnarrow.harness.ui

/** The usable runs of one side at one context: the median of the runs' medians, and the fastest and slowest run. */
class SideAtContext(medians: List<Double>) {
    val runs: Int = medians.size
    val medianNs: Double = Statistics.median(medians)
    val lowNs: Double = medians.min()
    val highNs: Double = medians.max()
}

/**
 * Deep against wide at one context.
 *
 * @property ratio deep / wide of the medians of runs; above 1 the deep model is slower.
 * @property lowRatio fastest deep run / slowest wide run; [highRatio] the other way round: no run of this phone lies outside.
 */
class ContextRatio(val context: Int, val deep: SideAtContext, val wide: SideAtContext) {
    val ratio: Double = deep.medianNs / wide.medianNs
    val lowRatio: Double = deep.lowNs / wide.highNs
    val highRatio: Double = deep.highNs / wide.lowNs
}

/** What may be said. With fewer runs a side than [PairComparison.RUNS_TO_NAME_A_WINNER] nobody is called faster. */
enum class Standing { NOTHING_TO_COMPARE, NOT_ENOUGH_RUNS, TOO_CLOSE, DEEP_FASTER, WIDE_FASTER }

/** All runs of one pair, with the same runtime, scheme and thread count. A run counts once, however many tokens it timed. */
class PairComparison(runs: List<RunSummary>) {
    private val usable = runs.filter { it.usable }
    val unusable: Int = runs.size - usable.size
    val deepRuns: Int = of(Side.DEEP).size
    val wideRuns: Int = of(Side.WIDE).size
    val ratios: List<ContextRatio> = commonContexts().map { context -> ContextRatio(context, at(Side.DEEP, context), at(Side.WIDE, context)) }

    init {
        require(runs.map { it.pairKey }.distinct().size <= 1) { "runs of different pairs: ${runs.map { it.pairKey }.distinct()}" }
    }

    fun of(side: Side): List<RunSummary> = usable.filter { it.side == side }

    fun standing(ratio: ContextRatio): Standing = when {
        minOf(ratio.deep.runs, ratio.wide.runs) < RUNS_TO_NAME_A_WINNER -> Standing.NOT_ENOUGH_RUNS
        ratio.lowRatio > 1 -> Standing.WIDE_FASTER
        ratio.highRatio < 1 -> Standing.DEEP_FASTER
        else -> Standing.TOO_CLOSE
    }

    /** Points of the latency curve of one side, also at contexts that the other side has not been measured at. */
    fun curve(side: Side): List<CurvePoint> = of(side).flatMap { run -> run.contexts.map { it.context } }.distinct().sorted().map { context ->
        at(side, context).let { CurvePoint(context, it.medianNs, it.lowNs, it.highNs) }
    }

    /** Achieved bandwidth at the first context and the probe's ceiling, medians over the runs. Null without a probe. */
    fun bandwidth(side: Side): Pair<Double, Double>? {
        val ceilings = of(side).mapNotNull { it.ceilingBytesPerS }
        val achieved = of(side).mapNotNull { it.contexts.firstOrNull()?.achievedBytesPerS }
        return if (ceilings.isEmpty() || achieved.isEmpty()) null else Statistics.median(achieved) to Statistics.median(ceilings)
    }

    private fun commonContexts(): List<Int> {
        val sides = Side.entries.map { side -> of(side).flatMap { run -> run.contexts.map { it.context } }.toSet() }
        return sides.reduce { a, b -> a intersect b }.sorted()
    }

    private fun at(side: Side, context: Int) =
        SideAtContext(of(side).mapNotNull { run -> run.contexts.firstOrNull { it.context == context }?.medianNs })

    companion object {
        const val RUNS_TO_NAME_A_WINNER = 5
    }
}
