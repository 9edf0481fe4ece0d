package dev.deepnarrow.harness.ui

import dev.deepnarrow.core.verdict.Word

/** The plain sentence under every number. */
object Sentences {
    fun ratioFigure(row: ContextVerdict): String = row.verdict.analysis.ratio?.let { "${Format.ratio(it)}×" } ?: "no ratio"

    /** The interval in words; none below four runs a side. */
    fun interval(row: ContextVerdict): String = row.verdict.analysis.run {
        if (low == null || high == null) "no 95 % interval from so few runs" else "95 % interval ${Format.ratio(low!!)} to ${Format.ratio(high!!)}"
    }

    fun ratio(row: ContextVerdict): String {
        val at = "With ${row.context} tokens in the context, "
        val medians = "medians ${Format.milliseconds(row.deep.medianNs)} and ${Format.milliseconds(row.wide.medianNs)} of " +
            "${runs(row.deep.runs)} and ${runs(row.wide.runs)}."
        val (ratio, low, high) = row.verdict.analysis.run { Triple(ratio, low, high) }
        if (ratio == null) return at + "there is no ratio: " + medians
        val range = if (low == null || high == null) "" else " (${change(low)} to ${change(high)})"
        return "${at}a token of the deep model takes ${change(ratio)} time than one of the wide model$range; $medians"
    }

    private fun change(ratio: Double): String =
        "${Format.figures(100 * kotlin.math.abs(ratio - 1))} % ${if (ratio >= 1) "more" else "less"}"

    /** The word of the rule, which is about the deep side. */
    fun word(row: ContextVerdict): String = row.verdict.word.text.let { if (isNamed(row)) "deep is $it" else it }

    fun isNamed(row: ContextVerdict): Boolean = row.verdict.word in NAMED

    /** Why it is this word, in the page's sentence. */
    fun reason(row: ContextVerdict): String = row.verdict.run { if (modes == null) reason else "$reason. Judged: ${judged.text}" } + "."

    /** Why there is no verdict at all. */
    fun oneSideOnly(comparison: PairComparison): String = when {
        comparison.runs.none { it.side != null } -> "A single model: it has nobody to be compared with."
        else -> "${comparison.deepRuns} usable runs of the deep model and ${comparison.wideRuns} of the wide one: nothing to compare yet."
    }

    /** The times of one model at one context. */
    fun alone(shape: String, context: Int, runs: SideAtContext): String =
        "$shape with $context tokens in the context: ${Format.milliseconds(runs.medianNs)}, " +
            "${Format.milliseconds(runs.lowNs)} to ${Format.milliseconds(runs.highNs)} in ${runs(runs.runs)}."

    private val NAMED = setOf(Word.FASTER, Word.SLOWER)

    fun bandwidth(comparison: PairComparison): String {
        val parts = Side.entries.mapNotNull { side ->
            comparison.bandwidth(side)?.let { (achieved, ceiling) -> "the ${side.word} model ${Format.percent(achieved / ceiling)}" }
        }
        if (parts.isEmpty()) return "The runs have no bandwidth probe."
        return "Of the bandwidth that the probe found just before, decoding uses: ${parts.joinToString(", ")}. " +
            "Near 100 % memory is the limit and only fewer bytes help; far below it, time goes into calls, layers and arithmetic."
    }

    fun tail(name: String, context: ContextSummary): String =
        "$name: half of the tokens take at most ${Format.milliseconds(context.medianNs)}, nine of ten at most " +
            "${Format.milliseconds(context.p90Ns)}, 99 of 100 at most ${Format.milliseconds(context.p99Ns)}."

    fun curve(comparison: PairComparison): String {
        val parts = Side.entries.mapNotNull { side ->
            val points = comparison.curve(side)
            if (points.size < 2) return@mapNotNull null
            val per100 = (points.last().medianNs - points.first().medianNs) / (points.last().context - points.first().context) * 100
            "${Format.figures(per100 / 1e3)} µs for the ${side.word} model"
        }
        if (parts.isEmpty()) return "Measure a second context length to see how latency grows with the context."
        return "Every further 100 tokens of context add ${parts.joinToString(" and ")} to each token: that is the attention over the cache."
    }

    fun validity(run: RunSummary): String = when (run.ending) {
        Ending.DIED -> "died: ${run.message}"
        Ending.FAILED -> "failed: ${run.message}"
        Ending.SKIPPED -> "skipped: ${run.message}"
        Ending.COMPLETED -> when {
            run.invalid.isNotEmpty() -> "not usable: ${run.invalid.joinToString("; ")}"
            run.warnings.isNotEmpty() -> "with warnings: ${run.warnings.joinToString("; ")}"
            else -> "valid"
        }
    }

    private fun runs(count: Int) = if (count == 1) "1 run" else "$count runs"
}
