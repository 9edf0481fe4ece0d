package dev.deepnarrow.core

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The keys that Python gives to the same records. */
class ComparisonKeyTest {
    private val record = json("record_completed").jsonObject
    private val cases = json("comparison_keys").jsonArray.map { it.jsonObject }.associateBy { it.getValue("name").jsonPrimitive.content }

    @Test
    fun `every golden record has the key of Python`() {
        assertTrue(cases.size >= 30, "${cases.size} cases")
        for ((name, case) in cases) assertEquals(case.getValue("key"), key(name)?.asJson() ?: JsonNull, name)
    }

    @Test
    fun `two networks may be compared where nothing but the network differs`() {
        val itself = key("the record itself")!!
        val other = key("another network")!!
        assertNotEquals(itself, other)
        assertEquals(itself.setup, other.setup)
        assertNotEquals(itself.setup, key("after an update of the system")!!.setup)
        assertEquals(itself, key("the same network, written by another exporter"))
    }

    private fun key(name: String): ComparisonKey? {
        val patched = patch(record, cases.getValue(name).getValue("patch"))
        return comparisonKey(Wire.json.decodeFromJsonElement(RunRecord.serializer(), patched))
    }

    /** RFC 7396, except that null replaces. */
    private fun patch(target: JsonElement?, patch: JsonElement): JsonElement {
        if (patch !is JsonObject) return patch
        val old = target as? JsonObject ?: JsonObject(emptyMap())
        return JsonObject(old + patch.mapValues { (key, value) -> patch(old[key], value) })
    }

    private fun json(name: String): JsonElement = Wire.json.parseToJsonElement(Repository.golden(name).readText())
}
