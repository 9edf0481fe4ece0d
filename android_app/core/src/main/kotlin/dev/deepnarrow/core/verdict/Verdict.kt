package dev.deepnarrow.core.verdict

/** What may be said of side a, measured against side b; [text] is the same on the page. */
enum class Word(val text: String) {
    FASTER("faster"),
    SLOWER("slower"),
    SMALLER("smaller"),
    LARGER("larger"),
    NO_DIFFERENCE("no difference shown"),
    NOT_ENOUGH("not enough runs"),
    UNDECIDED("undecided"),
}

/** Which runs the word is about. */
enum class Judged(val text: String) {
    ALL_RUNS("all runs"),
    FAST_MODE("fast mode"),
}

/** One comparison: the number of each run. If [paired], run i of [a] and run i of [b] are neighbours. */
class Runs(val a: List<Double>, val b: List<Double>, val paired: Boolean = false) {
    init {
        require((a + b).all { it.isFinite() }) { "every run's value must be a finite number" }
        require(!paired || a.size == b.size) { "paired sides must have equally many runs, not ${a.size} and ${b.size}" }
    }
}

/**
 * What one choice of runs says.
 *
 * @property ratio Hodges-Lehmann estimate of a / b; null without runs on both sides.
 * @property low lower end of the 95 % interval that inverts the test, [high] the upper one; null where so few runs have none.
 * @property p of the two-sided test, uncorrected.
 */
data class Analysis(val word: Word, val ratio: Double?, val low: Double?, val high: Double?, val p: Double, val nA: Int, val nB: Int)

/**
 * Side a against side b by docs/method.md, "The rule of a verdict".
 *
 * @property analysis of the runs that [judged] names.
 * @property pAdjusted corrected by Holm over a family of [tests] comparisons.
 * @property paired whether neighbours were compared.
 * @property minimumEffect smallest relative slowdown that such runs would show in 80 % of repetitions; null where there is no test.
 * @property modes where runs fall into two modes.
 * @property other what the runs say that were not judged so: all runs beside the fast mode, or the fast mode beside all.
 * @property reason one sentence that says why it is this word.
 */
data class Verdict(
    val analysis: Analysis,
    val pAdjusted: Double,
    val tests: Int,
    val paired: Boolean,
    val minimumEffect: Double?,
    val judged: Judged,
    val modes: Modes?,
    val other: Analysis?,
    val reason: String,
) {
    val word: Word get() = analysis.word

    companion object {
        const val ALPHA = 0.05
        const val MIN_RUNS = 5

        /** An exact paired test of n pairs cannot fall below 2 / 2^n: from 8 pairs on it is as sharp as the unpaired one. */
        const val MIN_PAIRS = 8

        /** Judges a family: all pairs and contexts of one setup. */
        fun of(family: List<Runs>, metric: Metric = Metric.DECODE_P50_MS): List<Verdict> {
            val tested = family.map { Tested.of(it, metric) }
            val tests = maxOf(1, tested.count { it.counts })
            return tested.zip(holm(tested)) { each, p -> Wording(metric, tests).verdict(each, p) }
        }

        /** Step-down adjusted p (Holm 1979) over the comparisons that were tests; 1 for the others, which must not make the family larger. */
        private fun holm(family: List<Tested>): List<Double> {
            val adjusted = MutableList(family.size) { 1.0 }
            val order = family.indices.filter { family[it].counts }.sortedBy { family[it].p }
            var highest = 0.0
            for ((rank, index) in order.withIndex()) {
                highest = maxOf(highest, minOf(1.0, family[index].p * (order.size - rank)))
                adjusted[index] = highest
            }
            return adjusted
        }

        internal fun reaches(p: Double): Boolean = p <= ALPHA + EQUAL
    }
}
