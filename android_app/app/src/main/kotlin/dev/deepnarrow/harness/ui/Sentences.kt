package dev.deepnarrow.harness.ui

import dev.deepnarrow.harness.ui.PairComparison.Companion.RUNS_TO_NAME_A_WINNER

/** The plain sentence under every number. */
object Sentences {
    fun ratioFigure(ratio: ContextRatio): String = "${Format.ratio(ratio.ratio)}×"

    fun spread(ratio: ContextRatio): String =
        "${Format.ratio(ratio.lowRatio)} to ${Format.ratio(ratio.highRatio)} between the runs furthest apart"

    fun ratio(ratio: ContextRatio): String {
        val word = if (ratio.ratio >= 1) "longer" else "less long"
        val share = Format.figures(100 * kotlin.math.abs(ratio.ratio - 1))
        return "With ${ratio.context} tokens in the context, a token of the deep model takes $share % $word than one of the wide model: " +
            "${Format.milliseconds(ratio.deep.medianNs)} against ${Format.milliseconds(ratio.wide.medianNs)}, " +
            "medians of ${runs(ratio.deep.runs)} and ${runs(ratio.wide.runs)}."
    }

    fun standing(standing: Standing, comparison: PairComparison): String = when (standing) {
        Standing.NOTHING_TO_COMPARE -> "One side has no usable run yet."
        Standing.NOT_ENOUGH_RUNS -> "Not enough runs to name a winner: ${comparison.deepRuns} deep and ${comparison.wideRuns} wide, " +
            "$RUNS_TO_NAME_A_WINNER of each are needed."
        Standing.TOO_CLOSE -> "Too close to call: the runs of the two sides overlap."
        Standing.DEEP_FASTER -> "The deep model is faster here: its slowest run beats the wide model's fastest."
        Standing.WIDE_FASTER -> "The wide model is faster here: its slowest run beats the deep model's fastest."
    }

    fun shortStanding(standing: Standing): String = when (standing) {
        Standing.NOTHING_TO_COMPARE -> "one side only"
        Standing.NOT_ENOUGH_RUNS -> "not enough runs"
        Standing.TOO_CLOSE -> "too close to call"
        Standing.DEEP_FASTER -> "deep is faster"
        Standing.WIDE_FASTER -> "wide is faster"
    }

    fun bandwidth(comparison: PairComparison): String {
        val parts = Side.entries.mapNotNull { side ->
            comparison.bandwidth(side)?.let { (achieved, ceiling) -> "the ${side.word} model ${Format.percent(achieved / ceiling)}" }
        }
        if (parts.isEmpty()) return "The runs have no bandwidth probe."
        return "Of the bandwidth that the probe found just before, decoding uses: ${parts.joinToString(", ")}. " +
            "Near 100 % memory is the limit and only fewer bytes help; far below it, time goes into calls, layers and arithmetic."
    }

    fun tail(side: Side, context: ContextSummary): String =
        "${side.word}: half of the tokens take at most ${Format.milliseconds(context.medianNs)}, nine of ten at most " +
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
