package dev.deepnarrow.core.verdict

import dev.deepnarrow.core.Repository
import dev.deepnarrow.core.Wire
import kotlin.math.abs
import kotlin.math.exp
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.boolean
import kotlinx.serialization.json.double
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The verdicts that Python reaches from the same runs. */
class VerdictTest {
    private val families = Wire.json.parseToJsonElement(Repository.golden("verdicts").readText()).jsonArray.map { it.jsonObject }

    @Test
    fun `every golden family has the verdicts of Python`() {
        assertTrue(families.size >= 40, "${families.size} families")
        for (family in families) {
            val rows = family.getValue("comparisons").jsonArray.map { it.jsonObject }
            val found = Verdict.of(rows.map(::runs), metric(family.getValue("metric").jsonObject))
            for ((index, row) in rows.withIndex()) assertSame(row.getValue("expected"), json(found[index]), "${word(family, "name")}, row $index")
        }
    }

    @Test
    fun `the interval of a named winner never holds 1, and fewer than five runs name nobody`() {
        for (family in families) {
            val rows = family.getValue("comparisons").jsonArray.map { it.jsonObject }
            for (verdict in Verdict.of(rows.map(::runs), metric(family.getValue("metric").jsonObject))) {
                if (verdict.word in setOf(Word.NO_DIFFERENCE, Word.NOT_ENOUGH, Word.UNDECIDED)) continue
                assertTrue(verdict.analysis.run { low!! > 1 || high!! < 1 }, word(family, "name"))
                assertTrue(minOf(verdict.analysis.nA, verdict.analysis.nB) >= 5)
            }
        }
    }

    @Test
    fun `the reason is the page's sentence`() {
        fun reason(a: List<Double>, b: List<Double>) = Verdict.of(listOf(Runs(a, b))).single().reason
        val five = List(5) { 10.0 + it * 0.01 }
        assertEquals("p 0.0079 after Holm over 1", reason(five, five.map { it * 1.2 }))
        assertEquals("4 and 5 usable runs; a winner needs 5 on each side", reason(five.drop(1), five))
        assertEquals("1 of 10 runs have a value that is not above 0, and so no ratio", reason(five.drop(1) + 0.0, five))
        assertEquals("the difference is real, but below 2%, the floor of decode_p50_ms", reason(five, five.map { it * 1.01 }))
        assertEquals("p 1 after Holm over 1; such runs show a difference of 2.0% in 80% of repetitions", reason(five, five))
    }

    @Test
    fun `numbers that are none and sides that are no pairs are refused`() {
        assertThrows(IllegalArgumentException::class.java) { Runs(listOf(Double.NaN), listOf(1.0)) }
        assertThrows(IllegalArgumentException::class.java) { Runs(listOf(1.0, 2.0), listOf(1.0), paired = true) }
    }

    @Test
    fun `the normal distribution is that of the tables`() {
        assertEquals(0.975, Normal.cdf(1.959963984540054), 1e-14)
        assertEquals(1.959963984540054, Normal.quantile(0.975), 1e-12)
        assertEquals(-1.2815515655446004, Normal.quantile(0.1), 1e-12)
        assertEquals(1.0, Normal.cdf(9.0) + Normal.cdf(-9.0))
    }

    @Test
    fun `figures are those of Python's format g`() {
        val written = listOf(0.0079365 to "0.0079", 1.0 to "1", 0.00001234 to "1.2e-05", 123.0 to "1.2e+02", 2.1 to "2.1", 0.0 to "0", exp(1.0) to "2.7")
        for ((value, text) in written) assertEquals(text, figures(value, 2))
    }

    private fun runs(row: JsonObject): Runs {
        fun side(name: String) = row.getValue(name).jsonArray.map { it.jsonPrimitive.double }
        return Runs(side("a"), side("b"), row.getValue("paired").jsonPrimitive.boolean)
    }

    private fun metric(json: JsonObject) = Metric(
        word(json, "name"), MetricUnit.entries.single { it.word == word(json, "unit") }, Better.entries.single { it.word == word(json, "better") },
        json.getValue("floor").jsonPrimitive.double,
    )

    private fun word(json: JsonObject, key: String) = json.getValue(key).jsonPrimitive.content

    private fun json(verdict: Verdict): JsonObject = JsonObject(
        json(verdict.analysis) + mapOf(
            "p_adjusted" to JsonPrimitive(verdict.pAdjusted), "tests" to JsonPrimitive(verdict.tests), "paired" to JsonPrimitive(verdict.paired),
            "judged" to JsonPrimitive(verdict.judged.text), "minimum_effect" to JsonPrimitive(verdict.minimumEffect),
            "modes" to (verdict.modes?.let(::json) ?: JsonNull), "other" to (verdict.other?.let { JsonObject(json(it)) } ?: JsonNull),
        ),
    )

    private fun json(analysis: Analysis): Map<String, JsonElement> = mapOf(
        "word" to JsonPrimitive(analysis.word.text), "ratio" to JsonPrimitive(analysis.ratio), "low" to JsonPrimitive(analysis.low),
        "high" to JsonPrimitive(analysis.high), "p" to JsonPrimitive(analysis.p), "n_a" to JsonPrimitive(analysis.nA), "n_b" to JsonPrimitive(analysis.nB),
    )

    private fun json(modes: Modes) = JsonObject(
        mapOf(
            "slow_a" to JsonArray(modes.slowA.map { JsonPrimitive(it) }), "slow_b" to JsonArray(modes.slowB.map { JsonPrimitive(it) }),
            "factor" to JsonPrimitive(modes.factor), "p" to JsonPrimitive(modes.p),
        ),
    )

    /** Numbers agree to 1e-9, relative or absolute; everything else is equal. */
    private fun assertSame(expected: JsonElement, found: JsonElement, place: String) {
        if (expected is JsonObject && found is JsonObject) {
            assertEquals(expected.keys, found.keys, place)
            for ((key, value) in expected) assertSame(value, found.getValue(key), "$place, $key")
            return
        }
        val (one, other) = listOf(expected, found).map { (it as? JsonPrimitive)?.takeIf { number -> !number.isString }?.content?.toDoubleOrNull() }
        if (one == null || other == null) assertEquals(expected, found, place)
        else assertTrue(abs(one - other) <= 1e-9 * maxOf(1.0, abs(one)), "$place: $one expected, $other found")
    }
}
