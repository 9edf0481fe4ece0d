package dev.deepnarrow.core.verdict

/**
 * A comparison with its test, before the family is known.
 *
 * @property test of the runs that are judged; null where there is none, for the reason [refused].
 * @property other of the runs that are not.
 */
internal class Tested(
    val nA: Int,
    val nB: Int,
    val test: RankTest?,
    val refused: Pair<Word, String>?,
    val modes: Modes? = null,
    val judged: Judged = Judged.ALL_RUNS,
    val other: RankTest? = null,
) {
    val p: Double get() = test?.p ?: 1.0

    /** Whether it counts in its family: enough runs on both sides, all above 0. */
    val counts: Boolean get() = test != null && minOf(test.nA, test.nB) >= Verdict.MIN_RUNS

    companion object {
        fun of(runs: Runs, metric: Metric): Tested {
            val (a, b) = runs.a to runs.b
            val zeros = (a + b).count { it <= 0 }
            if (zeros > 0) {
                val reason = "$zeros of ${a.size + b.size} runs have a value that is not above 0, and so no ratio"
                return Tested(a.size, b.size, null, Word.UNDECIDED to reason)
            }
            if (a.isEmpty() || b.isEmpty()) return Tested(a.size, b.size, null, Word.NOT_ENOUGH to tooFew(a.size, b.size))
            val modes = Modes.find(a, b, metric)
            if (modes != null) return inModes(a, b, modes)
            val method = if (runs.paired && a.size >= Verdict.MIN_PAIRS) Method.PAIRED else Method.MANN_WHITNEY
            return Tested(a.size, b.size, RankTest.of(a, b, method), null)
        }

        /** The fast mode is judged, unless too few runs are left or one side is slow more often: then all runs are. */
        private fun inModes(a: List<Double>, b: List<Double>, modes: Modes): Tested {
            val every = RankTest.of(a, b, Method.MANN_WHITNEY)
            val fast = RankTest.of(a.filterIndexed { i, _ -> !modes.slowA[i] }, b.filterIndexed { i, _ -> !modes.slowB[i] }, Method.MANN_WHITNEY)
            if (minOf(fast.nA, fast.nB) < Verdict.MIN_RUNS || Verdict.reaches(modes.p)) {
                return Tested(a.size, b.size, every, null, modes, Judged.ALL_RUNS, fast)
            }
            return Tested(fast.nA, fast.nB, fast, null, modes, Judged.FAST_MODE, every)
        }

        fun tooFew(nA: Int, nB: Int) = "$nA and $nB usable runs; a winner needs ${Verdict.MIN_RUNS} on each side"
    }
}
