package dev.deepnarrow.harness.ui

import dev.deepnarrow.harness.RunPlan
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ScreenLogicTest {
    private fun sides(deepMs: List<Double>, wideMs: List<Double>) =
        PairComparison(deepMs.map { run(Side.DEEP, it) } + wideMs.map { run(Side.WIDE, it) })

    private fun five(ms: Double) = List(5) { ms + it * 0.01 }

    @Test
    fun `the ratio is that of the medians of runs, the spread that of the runs furthest apart`() {
        val ratio = sides(listOf(9.0, 10.0, 12.0), listOf(5.0, 4.0, 8.0)).ratios.first()
        assertEquals(2.0, ratio.ratio, 0.01)
        assertEquals(9.0 / 8.0, ratio.lowRatio, 0.01)
        assertEquals(12.0 / 4.0, ratio.highRatio, 0.01)
    }

    @Test
    fun `below five runs a side nobody is called faster, however clear it looks`() {
        val comparison = sides(five(20.0).take(4), five(5.0))
        val standing = comparison.standing(comparison.ratios.first())
        assertEquals(Standing.NOT_ENOUGH_RUNS, standing)
        val said = Sentences.standing(standing, comparison) + Sentences.shortStanding(standing)
        assertTrue(said.startsWith("Not enough runs to name a winner: 4 deep and 5 wide, 5 of each are needed."), said)
        assertFalse(said.contains("faster"))
    }

    @Test
    fun `with five runs a side the faster one is named only if no runs overlap`() {
        fun standing(deep: List<Double>, wide: List<Double>) = sides(deep, wide).let { it.standing(it.ratios.first()) }
        assertEquals(Standing.WIDE_FASTER, standing(five(6.0), five(5.0)))
        assertEquals(Standing.DEEP_FASTER, standing(five(5.0), five(6.0)))
        assertEquals(Standing.TOO_CLOSE, standing(five(5.0), five(5.02)))
    }

    @Test
    fun `invalid, failed and dead runs are counted and never used`() {
        val runs = listOf(
            run(Side.DEEP, 5.0), run(Side.WIDE, 5.0), run(Side.WIDE, 1.0, invalid = listOf("background")),
            run(Side.WIDE, 1.0, ending = Ending.FAILED), run(Side.WIDE, 1.0, ending = Ending.DIED),
        )
        val comparison = PairComparison(runs)
        assertEquals(3, comparison.unusable)
        assertEquals(1.0, comparison.ratios.first().ratio, 0.01)
    }

    @Test
    fun `only contexts that both sides have are compared`() {
        val comparison = PairComparison(listOf(run(Side.DEEP, 5.0, contexts = listOf(0, 512)), run(Side.WIDE, 5.0, contexts = listOf(0))))
        assertEquals(listOf(0), comparison.ratios.map { it.context })
        assertEquals(listOf(0, 512), comparison.curve(Side.DEEP).map { it.context })
    }

    @Test
    fun `one side alone has no ratio`() {
        assertEquals(emptyList<ContextRatio>(), sides(five(5.0), emptyList()).ratios)
    }

    @Test
    fun `runs of different pairs are a mistake of the caller`() {
        val other = RunSummary("x", "t", Side.DEEP, "s", "other pair", "d", false, Ending.COMPLETED, null, emptyList(), emptyList(), emptyList(), null, null)
        assertThrows(IllegalArgumentException::class.java) { PairComparison(listOf(run(Side.DEEP, 1.0), other)) }
    }

    @Test
    fun `bandwidth needs a probe`() {
        assertNull(PairComparison(listOf(run(Side.DEEP, 5.0, ceilingBytesPerS = null))).bandwidth(Side.DEEP))
        assertEquals("The runs have no bandwidth probe.", Sentences.bandwidth(PairComparison(listOf(run(Side.DEEP, 5.0, ceilingBytesPerS = null)))))
        val (achieved, ceiling) = PairComparison(listOf(run(Side.DEEP, 5.0))).bandwidth(Side.DEEP)!!
        assertEquals(16e9, achieved, 0.1e9)
        assertEquals(20e9, ceiling)
    }

    @Test
    fun `the sentence of a ratio has its numbers and their origin`() {
        val sentence = Sentences.ratio(sides(listOf(6.0), listOf(5.0, 5.0)).ratios.first())
        assertEquals(
            "With 0 tokens in the context, a token of the deep model takes 20.0 % longer than one of the wide model: " +
                "6.00 ms against 5.00 ms, medians of 1 run and 2 runs.", sentence,
        )
    }

    @Test
    fun `quantiles are those of numpy`() {
        val values = longArrayOf(40, 10, 30, 20)
        assertEquals(25.0, Statistics.median(values))
        assertEquals(37.0, Statistics.quantile(values, 0.9), 1e-9)
        assertEquals(2.5, Statistics.median(listOf(4.0, 1.0, 2.0, 3.0)))
        assertThrows(IllegalArgumentException::class.java) { Statistics.median(LongArray(0)) }
    }

    @Test
    fun `numbers are written alike in every locale`() {
        val before = java.util.Locale.getDefault()
        java.util.Locale.setDefault(java.util.Locale.GERMANY)
        try {
            assertEquals("8.19 ms", Format.milliseconds(8_186_030.0))
            assertEquals("12.3 GB/s", Format.bandwidth(12.34e9))
            assertEquals("0.0123 ms", Format.milliseconds(12_300.0))
        } finally {
            java.util.Locale.setDefault(before)
        }
    }

    @Test
    fun `runs are interleaved A B B A`() {
        assertEquals("DWWDDWWDDW", RunPlan.interleaved(5).joinToString("") { it.side.name.take(1) })
        assertEquals(listOf(0, 1, 2, 3, 4), RunPlan.interleaved(5).filter { it.side == Side.WIDE }.map { it.repetition })
        assertEquals("DW", RunPlan.interleaved(1).joinToString("") { it.side.name.take(1) })
        assertThrows(IllegalArgumentException::class.java) { RunPlan.interleaved(0) }
    }
}
