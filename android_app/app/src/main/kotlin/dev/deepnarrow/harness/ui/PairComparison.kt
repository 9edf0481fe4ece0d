package dev.deepnarrow.harness.ui

import dev.deepnarrow.core.verdict.Runs
import dev.deepnarrow.core.verdict.Verdict

/** The usable runs of one side at one context: the median of the runs' medians, and the fastest and slowest run. */
class SideAtContext(medians: List<Double>) {
    val runs: Int = medians.size
    val medianNs: Double = Statistics.median(medians)
    val lowNs: Double = medians.min()
    val highNs: Double = medians.max()
}

/** Deep against wide at one context; the verdict is about the deep side. */
class ContextVerdict(val context: Int, val deep: SideAtContext, val wide: SideAtContext, val verdict: Verdict)

/**
 * Deep against wide by the rule that the page follows (docs/method.md, "The rule of a verdict"). A run counts once, however many tokens
 * it timed. A run is never pooled with one of another setup, and of a side that was exported anew the network that ran last counts.
 *
 * @property pool all runs of one setup; all their pairs and contexts are one family. What is shown are those of [name].
 */
class PairComparison(private val pool: List<RunSummary>, val name: String) {
    val runs: List<RunSummary> = pool.filter { it.results.name == name }
    val deepRuns: Int get() = of(Side.DEEP).size
    val wideRuns: Int get() = of(Side.WIDE).size
    val verdicts: List<ContextVerdict>

    init {
        require(pool.map { it.results.pool }.distinct().size <= 1) { "runs of different setups" }
        require(runs.isNotEmpty()) { "no run of $name" }
        val places = pool.map { it.results.name }.distinct().flatMap { pair -> contexts(pair).map { pair to it } }
        val family = Verdict.of(places.map { (pair, context) -> sides(pair, context) })
        verdicts = places.zip(family).filter { (place, _) -> place.first == name }.map { (place, verdict) ->
            ContextVerdict(place.second, at(Side.DEEP, place.second), at(Side.WIDE, place.second), verdict)
        }
    }

    /** The usable runs of a side, in the order they were started. */
    fun of(side: Side): List<RunSummary> = usable(name, side)

    /** Usable runs of this name, of whichever side; a model that is no arm of a pair has none. */
    val usable: List<RunSummary> get() = runs.filter { it.usable }

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

    private fun usable(pair: String, side: Side): List<RunSummary> {
        val found = pool.filter { it.usable && it.results.name == pair && it.side == side }.sortedBy { it.startedUtc }
        return found.filter { it.contentId == found.last().contentId }
    }

    /** Those that both sides have. */
    private fun contexts(pair: String): List<Int> =
        Side.entries.map { side -> usable(pair, side).flatMap { run -> run.contexts.map { it.context } }.toSet() }.reduce { a, b -> a intersect b }.sorted()

    /** Neighbours are compared where every run of both sides has a place in a plan that no other run of its side has. */
    private fun sides(pair: String, context: Int): Runs {
        val (deep, wide) = Side.entries.map { side -> usable(pair, side).mapNotNull { run -> run.at(context)?.let { run.place to it } } }
        val (deepPlaces, widePlaces) = listOf(deep, wide).map { side -> side.mapNotNull { it.first }.toSet().takeIf { it.size == side.size } }
        if (deepPlaces == null || deepPlaces != widePlaces) return Runs(deep.map { it.second }, wide.map { it.second })
        val partner = wide.toMap()
        return Runs(deep.map { it.second }, deep.map { partner.getValue(it.first) }, paired = true)
    }

    /** Milliseconds a token at [context]. */
    private fun RunSummary.at(context: Int): Double? = contexts.firstOrNull { it.context == context }?.medianNs?.div(1e6)

    private fun at(side: Side, context: Int) = SideAtContext(of(side).mapNotNull { run -> run.contexts.firstOrNull { it.context == context }?.medianNs })

    companion object {
        /** Runs of each side that one press of the button makes: the fewest that can name a winner. */
        const val DEFAULT_RUNS = Verdict.MIN_RUNS
    }
}
