package dev.deepnarrow.core.verdict

import java.math.BigInteger
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.ln

/**
 * Runs that fall apart into a fast and a slow mode: step 2 of docs/method.md, "The rule of a verdict".
 *
 * @property slowA for each run of side a whether it is slow; [slowB] the same of side b.
 * @property factor how many times slower the slow ones are, by medians.
 * @property p Fisher's exact test of equal shares of slow runs on both sides, two-sided.
 */
data class Modes(val slowA: List<Boolean>, val slowB: List<Boolean>, val factor: Double, val p: Double) {
    /** As the page says it: `4 of 20 runs (1 of 10 and 3 of 10) belong to a mode 2.1 times slower`. */
    val sentence: String
        get() {
            val sides = listOf(slowA, slowB).joinToString(" and ") { side -> "${side.count { it }} of ${side.size}" }
            return "${(slowA + slowB).count { it }} of ${slowA.size + slowB.size} runs ($sides) belong to a mode ${figures(factor, 2)} times slower"
        }

    internal companion object {
        private val LEAST_GAP = ln(1.3)
        private const val SPREADS = 5.0

        /** The median absolute deviation of a normal distribution, times this, is its standard deviation. */
        private const val NORMAL_MAD = 1.4826
        private const val LEAST_RUNS = 5
        private val UNITS = setOf(MetricUnit.MS, MetricUnit.TOKENS_PER_S, MetricUnit.GB_PER_S)

        /** The two modes of runs with values above 0; null where there is one, and for metrics of no time or speed. */
        fun find(a: List<Double>, b: List<Double>, metric: Metric): Modes? {
            if (minOf(a.size, b.size) < LEAST_RUNS || metric.unit !in UNITS) return null
            val (linedA, linedB) = listOf(a, b).map { linedUp(it, metric) }
            val pooled = (linedA + linedB).sorted().toDoubleArray()
            val gaps = DoubleArray(pooled.size - 1) { if (pooled[it] < 0) 0.0 else pooled[it + 1] - pooled[it] }
            val widest = gaps.max()
            val cut = gaps.indexOfFirst { it > widest - EQUAL }
            val below = pooled.copyOf(cut + 1)
            if (widest <= maxOf(LEAST_GAP, SPREADS * spread(below))) return null
            val (slowA, slowB) = listOf(linedA, linedB).map { side -> side.map { it > pooled[cut] + widest / 2 } }
            val factor = exp(medianOfSorted(pooled.copyOfRange(cut + 1, pooled.size)) - medianOfSorted(below))
            return Modes(slowA, slowB, factor, fisherP(slowA.count { it }, a.size, slowB.count { it }, b.size))
        }

        private fun spread(sorted: DoubleArray): Double {
            val middle = medianOfSorted(sorted)
            return NORMAL_MAD * medianOfSorted(DoubleArray(sorted.size) { abs(sorted[it] - middle) }.apply { sort() })
        }

        /** Logarithms, slower upwards, 0 at the lower quartile. */
        private fun linedUp(side: List<Double>, metric: Metric): List<Double> {
            val logs = side.map { if (metric.better == Better.HIGHER) -ln(it) else ln(it) }
            val quartile = logs.sorted()[(logs.size - 1) / 4]
            return logs.map { it - quartile }
        }

        /** The probability of all tables with these margins that are no likelier than this one (Fisher 1935). */
        fun fisherP(slowA: Int, nA: Int, slowB: Int, nB: Int): Double {
            val slow = slowA + slowB
            val ways = (maxOf(0, slow - nB)..minOf(slow, nA)).associateWith { choose(nA, it) * choose(nB, slow - it) }
            val counted = ways.values.filter { it <= ways.getValue(slowA) }.fold(BigInteger.ZERO, BigInteger::add)
            return counted.over(choose(nA + nB, slow))
        }
    }
}
