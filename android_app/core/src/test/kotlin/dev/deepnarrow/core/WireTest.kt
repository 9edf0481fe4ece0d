package dev.deepnarrow.core

import java.io.File
import java.nio.file.Path
import kotlinx.serialization.KSerializer
import kotlinx.serialization.descriptors.elementNames
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource
import org.junit.jupiter.params.provider.ValueSource

/** The JSON that Python and Kotlin both read: goldens, and what is refused. */
class WireTest {
    @TempDir
    lateinit var folder: Path

    @ParameterizedTest
    @ValueSource(strings = ["record_completed", "record_failed", "record_running", "record_skipped"])
    fun `golden records come back as they went in`(name: String) = assertRoundTrip(RunRecord.serializer(), name)

    @Test
    fun `the other goldens come back as they went in`() {
        assertRoundTrip(RunRequest.serializer(), "request")
        assertRoundTrip(Done.serializer(), "done")
        assertRoundTrip(Reference.serializer(), "reference")
    }

    @Test
    fun `the golden manifest is read, and its content_id is Python's`() {
        val manifest = Wire.readManifest(Repository.golden("manifest"))
        assertEquals(manifest.contentId, contentIdOf(manifest.files.shuffled()))
        assertEquals(32, manifest.contentId.length)
    }

    /** A word that only Python knows would make a farm's record unreadable here. */
    @Test
    fun `the closed sets are those of Python`() {
        val defined = Wire.json.parseToJsonElement(Repository.root.resolve("scripts/records/schemas/run-record-1.json").readText()).jsonObject.getValue("\$defs").jsonObject
        val sets = mapOf(
            "LoadMode" to LoadMode.serializer(), "Backend" to Backend.serializer(), "Stage" to Stage.serializer(), "FailureKind" to FailureKind.serializer(),
            "DeviceKind" to DeviceKind.serializer(), "Severity" to Severity.serializer(), "ConcernCode" to ConcernCode.serializer(),
            "ProbeMethod" to ProbeMethod.serializer(), "Arm" to Arm.serializer(), "TargetName" to TargetName.serializer(), "Scheme" to Scheme.serializer(),
        )
        assertEquals(defined.filterValues { "enum" in it.jsonObject }.keys, sets.keys)
        for ((name, serializer) in sets) {
            val python = defined.getValue(name).jsonObject.getValue("enum").jsonArray.map { it.jsonPrimitive.content }
            assertEquals(python, serializer.descriptor.elementNames.toList(), name)
        }
    }

    @Test
    fun `the codes of a refusal are those of Python`() {
        val golden = Wire.json.parseToJsonElement(Repository.golden("refusals").readText()).jsonArray.map { it.jsonPrimitive.content }
        assertEquals(golden, RefusalCode.entries.map { it.word })
        assertEquals(golden, RefusalCode.serializer().descriptor.elementNames.toList())
    }

    @Test
    fun `a session's name is a run id, in the order of time, and never the same`() {
        val names = List(20) { newSession(1_764_592_200_000L + 1000L * (it / 10)) }
        assertEquals(20, names.toSet().size)
        assertTrue(names.first().matches(Regex("20251201T123000Z-[0-9a-f]{6}")), names.first())
        assertTrue(names.take(10).max() < names.drop(10).min())
        names.forEach { assertEquals(it, RunRequest(runId = "r", session = it).session) }
    }

    @Test
    fun `a minimal request gets the defaults of Python`() {
        val read = Wire.readRequest(Repository.golden("request_minimal"))
        assertEquals(RunRequest(runId = read.runId), read)
        val written = file(Wire.json.encodeToString(RunRequest.serializer(), read))
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-request-1", written))
    }

    @ParameterizedTest
    @CsvSource(
        "run_id, 'nightly/7', run_id",
        "run_id, '', run_id",
        "run_id, '.hidden', run_id",
        "session, 'of/today', session",
        "schema, deepnarrow/run-request/2, deepnarrow/run-request/2",
    )
    fun `wrong words are refused in one line`(key: String, value: String, named: String) =
        assertRefused(request().replaceFirst(Regex("\"$key\": \"[^\"]*\""), "\"$key\": \"$value\""), named)

    @ParameterizedTest
    @CsvSource(
        "num_threads, 0", "prefill_repetitions, 0", "decode_steps, 1", "warm_up_steps, -1", "sustained_s, 0", "token_seed, -1", "buffer_bytes, 1048575",
        "passes, 2", "wait_s, -1",
    )
    fun `numbers out of range are refused in one line`(key: String, value: String) =
        assertRefused(request().replaceFirst(Regex("\"$key\": -?[0-9]+"), "\"$key\": $value"), key)

    @ParameterizedTest
    @CsvSource("contexts, ''", "contexts, '32, 0'", "contexts, '0, 0'", "contexts, '-1, 3'", "prompt_lengths, '0, 16'", "prompt_lengths, '64, 16'")
    fun `lists that do not ascend are refused in one line`(key: String, values: String) =
        assertRefused(request().replaceFirst(Regex("\"$key\": \\[[^]]*]"), "\"$key\": [$values]"), key)

    @Test
    fun `an unknown key is refused by its name`() = assertRefused(request().replaceFirst("{", "{\"treads\": 4,"), "treads")

    @Test
    fun `an unknown choice and broken JSON are refused`() {
        assertRefused(request().replaceFirst("\"cpu\"", "\"gpu\""), "gpu")
        assertRefused(request().dropLast(10), "request.json")
    }

    @Test
    fun `a record of another schema is refused`() {
        val text = Repository.golden("record_completed").readText().replaceFirst("run-record/1", "run-record/9")
        val error = assertThrows(UserError::class.java) { Wire.readRecord(file(text)) }
        assertOneLine(error, "deepnarrow/run-record/9")
    }

    @Test
    fun `a request that is too large is refused unread, as file and as text`() {
        val text = " ".repeat(Wire.MAX_REQUEST_BYTES.toInt()) + request()
        assertRefused(text, "at most ${Wire.MAX_REQUEST_BYTES}")
        assertOneLine(assertThrows(UserError::class.java) { Wire.parseRequest(text, "-e request") }, "-e request")
    }

    @Test
    fun `a missing file is refused`() {
        assertOneLine(assertThrows(UserError::class.java) { Wire.readRequest(folder.resolve("none.json").toFile()) }, "no such file")
    }

    @Test
    fun `the synthetic text is that of every language`() {
        assertEquals(listOf(11243L, 5902L, 28673L, 16101L), (0..3).map { syntheticToken(7, it, 32000) })
    }

    @Test
    fun `a request's positions do not overflow`() {
        assertEquals(Int.MAX_VALUE + 128L, Protocol(contexts = listOf(Int.MAX_VALUE)).positions)
    }

    private fun request() = Repository.golden("request").readText()

    private fun file(text: String): File = folder.resolve("request.json").toFile().apply { writeText(text) }

    private fun assertRefused(text: String, named: String) {
        assertFalse(text == request(), "the test did not change the request")
        assertOneLine(assertThrows(UserError::class.java) { Wire.readRequest(file(text)) }, named)
    }

    private fun assertOneLine(error: UserError, named: String) {
        val message = error.message.orEmpty()
        assertTrue(named in message && '\n' !in message, message)
    }

    private fun <T> assertRoundTrip(serializer: KSerializer<T>, name: String) {
        val text = Repository.golden(name).readText()
        val again = Wire.json.encodeToString(serializer, Wire.json.decodeFromString(serializer, text))
        assertEquals(numbered(Wire.json.parseToJsonElement(text)), numbered(Wire.json.parseToJsonElement(again)), name)
    }

    /** Python writes 0.00001 and 1e-05, Kotlin 1.0E-5: one number. */
    private fun numbered(element: JsonElement): Any? = JsonNumbers.plain(element)
}
