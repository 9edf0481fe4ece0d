package dev.deepnarrow.core.verdict

import java.math.BigDecimal
import java.math.BigInteger
import java.math.MathContext
import java.math.RoundingMode
import java.util.Locale
import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.sqrt

/** Logarithms of equal ratios and sums of probabilities differ in the last digits; a difference this small is none. */
internal const val EQUAL = 1e-12

/** Median of values that are sorted. */
internal fun medianOfSorted(sorted: DoubleArray): Double {
    require(sorted.isNotEmpty()) { "no values" }
    val middle = sorted.size / 2
    return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
}

internal fun choose(n: Int, k: Int): BigInteger {
    if (k < 0 || k > n) return BigInteger.ZERO
    var ways = BigInteger.ONE
    for (i in 1..minOf(k, n - k)) ways = ways * (n - i + 1).toBigInteger() / i.toBigInteger()
    return ways
}

internal fun BigInteger.over(other: BigInteger): Double = BigDecimal(this).divide(BigDecimal(other), MathContext.DECIMAL64).toDouble()

/** The standard normal distribution. */
internal object Normal {
    /** Marsaglia's series (2004): 1/2 + phi(z) (z + z^3 / 3 + z^5 / (3 * 5) + ...); exact enough for |z| < 7. */
    fun cdf(z: Double): Double {
        if (z < -LIMIT) return 0.0
        if (z > LIMIT) return 1.0
        var term = z
        var sum = z
        var odd = 1
        while (abs(term) > abs(sum) * 1e-17 && term != 0.0) {
            odd += 2
            term *= z * z / odd
            sum += term
        }
        return 0.5 + sum * exp(-z * z / 2) / sqrt(2 * PI)
    }

    /** Inverse of [cdf] for 0 < p < 1, by bisection to the last digit. */
    fun quantile(p: Double): Double {
        require(p > 0 && p < 1) { "a quantile needs 0 < p < 1, got $p" }
        var low = -LIMIT
        var high = LIMIT
        repeat(BISECTIONS) {
            val middle = (low + high) / 2
            if (cdf(middle) < p) low = middle else high = middle
        }
        return (low + high) / 2
    }

    private const val LIMIT = 7.0
    private const val BISECTIONS = 80
}

/** As `%g` with so many figures in Python, which is what the page prints. */
internal fun figures(value: Double, count: Int): String {
    val rounded = BigDecimal(value).round(MathContext(count, RoundingMode.HALF_EVEN))
    val exponent = if (rounded.signum() == 0) 0 else rounded.precision() - rounded.scale() - 1
    if (exponent in LEAST_PLAIN_EXPONENT until count) return rounded.stripTrailingZeros().toPlainString()
    val mantissa = rounded.movePointLeft(exponent).stripTrailingZeros().toPlainString()
    return mantissa + String.format(Locale.ROOT, "e%+03d", exponent)
}

private const val LEAST_PLAIN_EXPONENT = -4

internal fun percent(share: Double, decimals: Int): String = String.format(Locale.ROOT, "%.${decimals}f%%", 100 * share)
