package dev.deepnarrow.harness.ui

import java.util.Locale

/** Numbers as text: three figures and a unit, the same in every locale, because they are copied into issues and tables. */
object Format {
    fun milliseconds(ns: Double): String = "${figures(ns / 1e6)} ms"

    fun bandwidth(bytesPerS: Double): String = "${figures(bytesPerS / 1e9)} GB/s"

    fun percent(share: Double): String = "${figures(100 * share)} %"

    fun ratio(value: Double): String = String.format(Locale.ROOT, "%.2f", value)

    fun megabytes(bytes: Long): String = "${figures(bytes / 1e6)} MB"

    fun tick(value: Double, step: Double): String {
        val decimals = if (step >= 1) 0 else if (step >= 0.1) 1 else if (step >= 0.01) 2 else 3
        return String.format(Locale.ROOT, "%.${decimals}f", value)
    }

    /** Three significant figures without an exponent; whole numbers from 100 on. */
    fun figures(value: Double): String {
        val size = kotlin.math.abs(value)
        if (size == 0.0) return "0"
        val decimals = if (size >= 100) 0 else if (size >= 10) 1 else if (size >= 1) 2 else if (size >= 0.1) 3 else 4
        return String.format(Locale.ROOT, "%.${decimals}f", value)
    }
}
