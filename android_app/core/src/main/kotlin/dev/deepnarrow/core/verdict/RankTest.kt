package dev.deepnarrow.core.verdict

import java.math.BigInteger
import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.pow
import kotlin.math.sqrt

/** The test. */
enum class Method { MANN_WHITNEY, PAIRED }

/**
 * An exact rank test on logarithms, with the estimate and the interval that belong to the same test: step 4 of docs/method.md, "The
 * rule of a verdict". `scripts/analysis/ranks.py` says why.
 *
 * @property differences of logarithms, sorted: [nA] * [nB] of them, or n (n + 1) / 2 averages where paired.
 * @property nA runs of side a; of both sides where paired.
 */
internal class RankTest private constructor(val method: Method, private val differences: DoubleArray, val nA: Int, val nB: Int) {
    private val cumulative by lazy { Distribution.cumulative(method, nA, nB) }

    /** Log of the ratio, the Hodges-Lehmann estimate. */
    val estimate: Double = medianOfSorted(differences)

    /** Two-sided p of the ratio 1. */
    val p: Double get() = minOf(1.0, 2 * cumulative[minOf(differences.count { it <= 0 }, differences.count { it >= 0 })])

    val leastP: Double get() = leastP(nA, nB, method)

    /** Log ratios that the test at [level] does not reject; null where so few runs can reject nothing. */
    fun interval(level: Double): Pair<Double, Double>? {
        val rejecting = cumulative.indexOfLast { 2 * it <= level + EQUAL }
        return if (rejecting < 0) null else differences[rejecting] to differences[differences.size - 1 - rejecting]
    }

    companion object {
        /** Of the ratio a / b; values above 0. In pairs run i of [a] belongs to run i of [b]. */
        fun of(a: List<Double>, b: List<Double>, method: Method): RankTest {
            val x = DoubleArray(a.size) { ln(a[it]) }
            val y = DoubleArray(b.size) { ln(b[it]) }
            val differences = if (method == Method.PAIRED) walshAverages(x, y) else x.flatMap { one -> y.map { one - it } }
            val snapped = DoubleArray(differences.size) { if (abs(differences[it]) <= EQUAL) 0.0 else differences[it] }
            return RankTest(method, snapped.apply { sort() }, a.size, b.size)
        }

        private fun walshAverages(x: DoubleArray, y: DoubleArray): List<Double> {
            val shifts = DoubleArray(x.size) { x[it] - y[it] }
            return shifts.indices.flatMap { i -> (i until shifts.size).map { (shifts[i] + shifts[it]) / 2 } }
        }

        /** The smallest p that so many runs can reach, all of one side below all of the other. */
        fun leastP(nA: Int, nB: Int, method: Method): Double =
            if (method == Method.PAIRED) 2.0.pow(1 - nA) else BigInteger.TWO.over(choose(nA + nB, nA))
    }
}

/** P(T <= k) for k from 0 to the number of differences, T the count of differences at or below the true one. */
internal object Distribution {
    private const val EXACT_UP_TO = 100

    fun cumulative(method: Method, nA: Int, nB: Int): DoubleArray {
        if (maxOf(nA, nB) > EXACT_UP_TO) return normal(method, nA, nB)
        val mass = if (method == Method.PAIRED) signedRank(nA) else rankSum(nA, nB)
        for (k in 1 until mass.size) mass[k] += mass[k - 1]
        return mass
    }

    private fun normal(method: Method, nA: Int, nB: Int): DoubleArray {
        val most = if (method == Method.PAIRED) nA * (nA + 1) / 2 else nA * nB
        val variance = most * (if (method == Method.PAIRED) 2.0 * nA + 1 else nA + nB + 1.0) / 12
        return DoubleArray(most + 1) { Normal.cdf((it + 0.5 - most / 2.0) / sqrt(variance)) }
    }

    /** Every subset of the ranks 1 to [n] is as likely. */
    private fun signedRank(n: Int): DoubleArray {
        val mass = DoubleArray(n * (n + 1) / 2 + 1).also { it[0] = 1.0 }
        for (rank in 1..n) for (k in mass.indices.reversed()) mass[k] = (mass[k] + if (k >= rank) mass[k - rank] else 0.0) / 2
        return mass
    }

    /** The largest of i and j runs is of the first side with probability i / (i + j), and then adds j (Mann and Whitney 1947). */
    private fun rankSum(nA: Int, nB: Int): DoubleArray {
        var row = List(nB + 1) { doubleArrayOf(1.0) }
        for (i in 1..nA) {
            val next = arrayListOf(doubleArrayOf(1.0))
            for (j in 1..nB) {
                val mass = DoubleArray(i * j + 1)
                val share = i.toDouble() / (i + j)
                row[j].forEachIndexed { k, value -> mass[k + j] += value * share }
                next[j - 1].forEachIndexed { k, value -> mass[k] += value * (1 - share) }
                next += mass
            }
            row = next
        }
        return row[nB]
    }
}
