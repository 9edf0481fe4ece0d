package dev.deepnarrow.harness.ui

/** What the screen needs; reports are made by `scripts/analysis` from the records, which keep every step. */
object Statistics {
    fun median(values: LongArray): Double = quantile(values, 0.5)

    fun median(values: List<Double>): Double {
        require(values.isNotEmpty()) { "no values" }
        val sorted = values.sorted()
        val middle = sorted.size / 2
        return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
    }

    /** Linear between the two nearest, as numpy's default. */
    fun quantile(values: LongArray, share: Double): Double {
        require(values.isNotEmpty()) { "no values" }
        val sorted = values.sortedArray()
        val place = share * (sorted.size - 1)
        val low = place.toInt()
        val high = minOf(low + 1, sorted.size - 1)
        return sorted[low] + (place - low) * (sorted[high] - sorted[low])
    }
}
