package dev.deepnarrow.harness.ui

import dev.deepnarrow.core.verdict.Word
import dev.deepnarrow.harness.Pools
import dev.deepnarrow.harness.RunPlan
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class ScreenLogicTest {
    private fun comparison(runs: List<RunSummary>) = PairComparison(runs, "example pair")

    private fun sides(deepMs: List<Double>, wideMs: List<Double>) =
        comparison(deepMs.map { run(Side.DEEP, it) } + wideMs.map { run(Side.WIDE, it) })

    private fun five(ms: Double) = List(5) { ms + it * 0.01 }

    private fun said(row: ContextVerdict) = Sentences.run { listOf(word(row), ratioFigure(row), interval(row), ratio(row), reason(row)) }

    @Test
    fun `below five runs a side nobody is called faster, however clear it looks`() {
        val row = sides(five(20.0).take(4), five(5.0)).verdicts.first()
        assertEquals(Word.NOT_ENOUGH, row.verdict.word)
        assertEquals("not enough runs", Sentences.word(row))
        assertEquals("4 and 5 usable runs; a winner needs 5 on each side.", Sentences.reason(row))
        assertTrue(said(row).none { "faster" in it || "slower" in it }, said(row).toString())
    }

    @Test
    fun `five runs a side that lie apart name the deep side faster or slower`() {
        fun word(deep: List<Double>, wide: List<Double>) = Sentences.word(sides(deep, wide).verdicts.first())
        assertEquals("deep is slower", word(five(6.0), five(5.0)))
        assertEquals("deep is faster", word(five(5.0), five(6.0)))
        assertEquals("no difference shown", word(five(5.0), five(5.005)))
    }

    @Test
    fun `contexts and pairs of a setup are one family`() {
        val one = sides(five(6.0), five(5.0)).verdicts
        assertEquals(listOf(2, 2), one.map { it.verdict.tests })
        val second = Results("example setup", "second pair")
        val runs = listOf("example pair", "second pair").flatMap { name ->
            (five(6.0).map { run(Side.DEEP, it, results = second.copy(name = name)) } + five(5.0).map { run(Side.WIDE, it, results = second.copy(name = name)) })
        }
        assertEquals(listOf(4, 4), comparison(runs).verdicts.map { it.verdict.tests })
    }

    @Test
    fun `neighbours of a farm's plan are compared from eight pairs on, an app's runs never`() {
        fun runs(place: (Int) -> String?) = List(8) { i -> Side.entries.map { run(it, 5.0 + i + if (it == Side.DEEP) 0.5 else 0.0, place = place(i)) } }.flatten()
        assertEquals(listOf(true, true), comparison(runs { "c b $it" }).verdicts.map { it.verdict.paired })
        assertEquals(listOf(false, false), comparison(runs { null }).verdicts.map { it.verdict.paired })
        assertEquals(listOf(false, false), comparison(runs { "c b ${it / 2}" }).verdicts.map { it.verdict.paired })
    }

    @Test
    fun `of a side that was exported anew the network that ran last counts`() {
        val runs = five(5.0).map { run(Side.WIDE, it) } + five(9.0).map { run(Side.DEEP, it, contentId = "old", started = "2026-11-25T10:00:00Z") } +
            five(6.0).map { run(Side.DEEP, it, contentId = "new", started = "2026-11-25T11:00:00Z") }
        val row = comparison(runs).verdicts.first()
        assertEquals(5, row.deep.runs)
        assertEquals(1.2, row.verdict.analysis.ratio!!, 0.01)
    }

    @Test
    fun `invalid, failed and dead runs are never used`() {
        val runs = listOf(
            run(Side.DEEP, 5.0), run(Side.WIDE, 5.0), run(Side.WIDE, 1.0, invalid = listOf("background")),
            run(Side.WIDE, 1.0, ending = Ending.FAILED), run(Side.WIDE, 1.0, ending = Ending.DIED),
        )
        assertEquals(1.0, comparison(runs).verdicts.first().verdict.analysis.ratio!!, 0.01)
        assertEquals(2, comparison(runs).usable.size)
    }

    @Test
    fun `only contexts that both sides have are compared`() {
        val comparison = comparison(listOf(run(Side.DEEP, 5.0, contexts = listOf(0, 512)), run(Side.WIDE, 5.0, contexts = listOf(0))))
        assertEquals(listOf(0), comparison.verdicts.map { it.context })
        assertEquals(listOf(0, 512), comparison.curve(Side.DEEP).map { it.context })
    }

    @Test
    fun `one side alone has no verdict`() {
        val comparison = sides(five(5.0), emptyList())
        assertEquals(emptyList<ContextVerdict>(), comparison.verdicts)
        assertEquals("5 usable runs of the deep model and 0 of the wide one: nothing to compare yet.", Sentences.oneSideOnly(comparison))
    }

    @Test
    fun `runs of different setups are a mistake of the caller`() {
        val other = run(Side.WIDE, 1.0, results = Results("other setup", "example pair"))
        assertThrows(IllegalArgumentException::class.java) { comparison(listOf(run(Side.DEEP, 1.0), other)) }
    }

    @Test
    fun `a run that ended before its runtime reported stands with those it was started with`() {
        val good = run(Side.WIDE, 5.0)
        val dead = run(Side.DEEP, 5.0, ending = Ending.DIED).copy(results = Results("no runtime", "example pair"), beforeItReported = good.beforeItReported)
        assertEquals(listOf(good.results, good.results), Pools.joined(listOf(good, dead)).map { it.results })
        val elsewhere = dead.copy(beforeItReported = "another session")
        assertEquals(elsewhere.results, Pools.joined(listOf(good, elsewhere))[1].results)
    }

    @Test
    fun `bandwidth needs a probe`() {
        assertNull(comparison(listOf(run(Side.DEEP, 5.0, ceilingBytesPerS = null))).bandwidth(Side.DEEP))
        assertEquals("The runs have no bandwidth probe.", Sentences.bandwidth(comparison(listOf(run(Side.DEEP, 5.0, ceilingBytesPerS = null)))))
        val (achieved, ceiling) = comparison(listOf(run(Side.DEEP, 5.0))).bandwidth(Side.DEEP)!!
        assertEquals(16e9, achieved, 0.1e9)
        assertEquals(20e9, ceiling)
    }

    @Test
    fun `the sentence of a ratio has its numbers and their origin`() {
        assertEquals(
            "With 0 tokens in the context, a token of the deep model takes 20.0 % more time than one of the wide model; " +
                "medians 6.00 ms and 5.00 ms of 1 run and 2 runs.", Sentences.ratio(sides(listOf(6.0), listOf(5.0, 5.0)).verdicts.first()),
        )
        val sentence = Sentences.ratio(sides(List(5) { 5.0 + it * 0.5 }, List(5) { 5.2 + it * 0.5 }).verdicts.first())
        assertTrue(Regex("takes 3[.][0-9]+ % less time than one of the wide model [(][0-9.]+ % less to [0-9.]+ % more[)];").containsMatchIn(sentence), sentence)
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
    fun `runs are interleaved A B B A, whichever side begins`() {
        fun order(runs: Int, first: Side) = RunPlan.interleaved(runs, first).joinToString("") { it.name.take(1) }
        assertEquals("DWWDDWWDDW", order(5, Side.DEEP))
        assertEquals("WDDWWDDWWD", order(5, Side.WIDE))
        assertEquals("WD", order(1, Side.WIDE))
        assertThrows(IllegalArgumentException::class.java) { order(0, Side.DEEP) }
    }
}
