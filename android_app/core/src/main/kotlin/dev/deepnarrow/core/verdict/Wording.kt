package dev.deepnarrow.core.verdict

import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.expm1

/** Puts a comparison of a family of [tests] into words; the page's are in `scripts/analysis/verdict.py`. */
internal class Wording(private val metric: Metric, private val tests: Int) {
    fun verdict(tested: Tested, pAdjusted: Double): Verdict {
        val test = tested.test
        if (test == null) {
            val (word, reason) = checkNotNull(tested.refused)
            return Verdict(Analysis(word, null, null, null, 1.0, tested.nA, tested.nB), 1.0, tests, false, null, tested.judged, null, null, reason)
        }
        val (word, why) = word(test, pAdjusted)
        val other = tested.other?.let { analysis(it, word(it, minOf(1.0, it.p * tests)).first) }
        val reason = if (tested.modes == null || other == null) why else "$why; ${modesReason(tested, tested.modes, other)}"
        val effect = if (tested.counts) minimumEffect(test) else null
        return Verdict(analysis(test, word), pAdjusted, tests, test.method == Method.PAIRED, effect, tested.judged, tested.modes, other, reason)
    }

    private fun analysis(test: RankTest, word: Word): Analysis {
        val interval = test.interval(Verdict.ALPHA)
        return Analysis(word, exp(test.estimate), interval?.first?.let(::exp), interval?.second?.let(::exp), test.p, test.nA, test.nB)
    }

    private fun word(test: RankTest, pAdjusted: Double): Pair<Word, String> {
        if (minOf(test.nA, test.nB) < Verdict.MIN_RUNS) return Word.NOT_ENOUGH to Tested.tooFew(test.nA, test.nB)
        val ratio = exp(test.estimate)
        val after = "p ${figures(pAdjusted, 2)} after Holm over $tests"
        if (Verdict.reaches(pAdjusted)) {
            if (abs(ratio - 1) >= metric.floor) return winner(ratio) to after
            return Word.NO_DIFFERENCE to "the difference is real, but below ${percent(metric.floor, 0)}, the floor of ${metric.name}"
        }
        // Holm's first step is the easiest to fail: if even that is out of reach, no data could have named a winner.
        if (!Verdict.reaches(test.leastP * tests)) {
            return Word.NOT_ENOUGH to "${minOf(test.nA, test.nB)} runs a side cannot decide $tests comparisons; ${runsNeeded(test.method)} can"
        }
        val effect = checkNotNull(minimumEffect(test)) { "a test that can reach the level has an interval" }
        return Word.NO_DIFFERENCE to "$after; such runs show a difference of ${percent(effect, 1)} in ${percent(POWER, 0)} of repetitions"
    }

    private fun winner(ratio: Double): Word = when {
        metric.unit == MetricUnit.BYTES -> if (ratio < 1) Word.SMALLER else Word.LARGER
        (ratio < 1) == (metric.better != Better.HIGHER) -> Word.FASTER
        else -> Word.SLOWER
    }

    /** The smallest number of runs a side whose smallest p can fall below the level in this family. */
    private fun runsNeeded(method: Method): Int =
        generateSequence(Verdict.MIN_RUNS) { it + 1 }.first { Verdict.reaches(RankTest.leastP(it, it, method) * tests) }

    /** Smallest relative slowdown found in 80 % of repetitions, by the width of the interval at the level of Holm's first step. */
    private fun minimumEffect(test: RankTest): Double? {
        val level = Verdict.ALPHA / tests
        val (low, high) = test.interval(level) ?: return null
        val half = (high - low) / 2
        return maxOf(metric.floor, expm1(half * (1 + Normal.quantile(POWER) / Normal.quantile(1 - level / 2))))
    }

    private fun modesReason(tested: Tested, modes: Modes, other: Analysis): String {
        val (judged, beside) = when {
            tested.judged == Judged.FAST_MODE -> "judged in the fast mode" to "all runs"
            minOf(other.nA, other.nB) < Verdict.MIN_RUNS -> "too few are left in the fast mode, all runs are judged" to "the fast mode"
            else -> "one side is slow more often (p ${figures(modes.p, 2)}), all runs are judged" to "the fast mode"
        }
        val interval = if (other.low == null || other.high == null) "" else " (${figures(other.low, 3)} to ${figures(other.high, 3)})"
        return "${modes.sentence}; $judged; $beside: ${other.word.text}, ratio ${figures(checkNotNull(other.ratio), 3)}$interval"
    }

    private companion object {
        const val POWER = 0.8
    }
}
