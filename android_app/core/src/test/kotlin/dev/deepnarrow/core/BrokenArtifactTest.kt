package dev.deepnarrow.core

import java.io.File
import java.nio.file.Files
import java.nio.file.Path
import kotlin.experimental.xor
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource
import org.junit.jupiter.params.provider.ValueSource

/** Damaged and hostile artifacts, and requests that cannot be met, on the real runtime. */
class BrokenArtifactTest {
    @TempDir
    lateinit var folder: Path
    private val artifact by lazy { TinyArtifacts.copy(TinyArtifacts.WIDE, folder.resolve("artifact").toFile()) }

    @ParameterizedTest
    @ValueSource(strings = ["model.onnx", "model.onnx.data"])
    fun `a truncated file is found by its size`(name: String) {
        artifact.change(name) { it.copyOf(it.size / 2) }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "$name has")
    }

    @ParameterizedTest
    @ValueSource(strings = ["model.onnx", "model.onnx.data"])
    fun `a truncated file of the right size by the manifest is refused by the runtime`(name: String) {
        artifact.change(name) { it.copyOf(it.size / 2) }.seal()
        assertFailed(Stage.LOAD, FailureKind.LOAD, "ONNX Runtime cannot load model.onnx")
    }

    @Test
    fun `a changed file is found by its hash`() {
        artifact.change("model.onnx.data") { bytes -> bytes.also { it[100] = it[100] xor 1 } }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "model.onnx.data has changed")
    }

    @Test
    fun `a missing and a surplus file are found`() {
        val extra = artifact.resolve("notes.txt").apply { writeText("x") }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "notes.txt is in the folder but not in the manifest")
        extra.delete()
        artifact.resolve("genai_config.json").delete()
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "genai_config.json is in the manifest but not in the folder", "second")
    }

    @Test
    fun `a manifest of another schema is refused`() {
        artifact.changeManifest { JsonObject(it + ("schema" to JsonPrimitive("deepnarrow/manifest/2"))) }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "deepnarrow/manifest/2")
    }

    @Test
    fun `a folder that is none or has no manifest is refused`() {
        artifact.resolve("manifest.json").delete()
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "manifest.json: no such file")
        artifact.deleteRecursively()
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "no such folder", "second")
    }

    @ParameterizedTest
    @ValueSource(strings = ["../outside", "/etc/hostname", "sub/../../outside"])
    fun `paths out of the folder are refused`(path: String) {
        folder.resolve("outside").toFile().writeText("secret")
        artifact.changeManifest { manifest -> rename(manifest, "model.onnx.data", path) }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "'$path' lies outside")
    }

    @Test
    fun `a link out of the folder is refused`() {
        val outside = folder.resolve("outside")
        val weights = artifact.resolve("model.onnx.data").toPath()
        Files.move(weights, outside)
        Files.createSymbolicLink(weights, outside)
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "'model.onnx.data' lies outside")
    }

    @Test
    fun `poisoned weights fail parity and are never timed`() {
        artifact.change("model.onnx.data") { bytes -> bytes.also { for (i in it.size / 4 until it.size / 2) it[i] = it[i] xor 0x55 } }.seal()
        assertParity()
    }

    @Test
    fun `a poisoned reference fails parity and is never timed`() {
        val reference = RealRun.reference(artifact)
        val text = reference.texts[0]
        val step = text.decisive.indexOf(true)
        val greedy = text.greedy.mapIndexed { i, id -> if (i == step) (id + 1) % 384 else id }
        val poisoned: Reference = reference.copy(texts = listOf(text.copy(greedy = greedy)) + reference.texts.drop(1))
        artifact.resolve("reference.json").writeText(Wire.json.encodeToString(Reference.serializer(), poisoned))
        artifact.seal()
        assertEquals(Mismatch(0, step, greedy[step], text.greedy[step]), assertParity().selfCheck!!.firstMismatch)
    }

    @Test
    fun `a reference beyond the vocabulary is refused before loading`() {
        val reference = RealRun.reference(artifact)
        val hostile: Reference = reference.copy(texts = reference.texts.map { it.copy(prompt = it.prompt.dropLast(1) + 384) })
        artifact.resolve("reference.json").writeText(Wire.json.encodeToString(Reference.serializer(), hostile))
        artifact.seal()
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "token 384")
    }

    @Test
    fun `an operator that the runtime lacks is refused by its name`() {
        artifact.change("model.onnx") { it.replaceWord("QuickGelu", "QuickGolu") }.seal()
        assertFailed(Stage.LOAD, FailureKind.LOAD, "QuickGolu")
    }

    @Test
    fun `logits of another size than the manifest's are refused`() {
        artifact.changeManifest { manifest ->
            val shape = manifest.getValue("shape").jsonObject
            JsonObject(manifest + ("shape" to JsonObject(shape + ("vocab_size" to JsonPrimitive(512)))))
        }
        assertFailed(Stage.LOAD, FailureKind.LOAD, "logits")
    }

    @ParameterizedTest
    @CsvSource(
        "threads, 'num_threads 4096: this machine has'", "context, 'the protocol needs 1032 positions; max_context is 1024'",
        "huge context, 'positions; max_context is 1024'", "prompt, 'the protocol needs 1025 positions; max_context is 1024'",
        "backend, 'backend xnnpack'", "load mode, 'load_mode mlock'", "buffer, 'probe.buffer_bytes 4294967296'",
    )
    fun `requests that cannot be met here are refused before anything is timed`(what: String, message: String) {
        val protocol = RealRun.small.run {
            when (what) {
                "threads" -> copy(numThreads = 4096)
                "context" -> copy(contexts = listOf(0, 1024))
                "huge context" -> copy(contexts = listOf(Int.MAX_VALUE))
                "prompt" -> copy(promptLengths = listOf(1025))
                "backend" -> copy(backend = Backend.XNNPACK)
                "load mode" -> copy(loadMode = LoadMode.MLOCK)
                else -> copy(probe = ProbeProtocol(1L shl 32, 3))
            }
        }
        val record = RealRun.run(artifact, folder.toFile(), RunRequest(runId = "real", protocol = protocol))
        assertFailure(record, Stage.ENVIRONMENT, FailureKind.REQUEST, message)
    }

    @Test
    fun `a request for another network is refused`() {
        val record = RealRun.run(artifact, folder.toFile(), RunRequest(runId = "real", contentId = "0".repeat(32), protocol = RealRun.small))
        val found = Wire.readManifest(artifact.resolve("manifest.json")).contentId
        assertFailure(record, Stage.ENVIRONMENT, FailureKind.ARTIFACT, "content_id $found, but the request is for 000")
    }

    @Test
    fun `a request for this network is run, whatever job made it`() {
        artifact.changeManifest { JsonObject(it + ("job_id" to JsonPrimitive("f".repeat(32)))) }
        val contentId = Wire.readManifest(artifact.resolve("manifest.json")).contentId
        val record = RealRun.run(artifact, folder.toFile(), RunRequest(runId = "real", contentId = contentId, protocol = RealRun.small))
        assertEquals(Completed to contentId, record.outcome to record.artifact!!.contentId)
    }

    @Test
    fun `a content_id that is not the one of the files is refused`() {
        artifact.changeManifest { JsonObject(it + ("content_id" to JsonPrimitive("0".repeat(32)))) }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "content_id ${"0".repeat(32)} is not the one of the files that are listed")
    }

    @Test
    fun `a manifest with new facts and without those that no harness needs is run`() {
        val needed = Wire.json.encodeToJsonElement(Manifest.serializer(), Wire.readManifest(artifact.resolve("manifest.json"))).jsonObject
        artifact.changeManifest { written ->
            assertTrue((written.keys - needed.keys).containsAll(listOf("exporter", "observed", "gates", "toolchain")), written.keys.toString())
            val shape = JsonObject(written.getValue("shape").jsonObject + ("colour" to JsonPrimitive("blue")))
            JsonObject(needed + mapOf("carbon_grams" to JsonPrimitive(3), "shape" to shape))
        }
        assertEquals(Completed, RealRun.run(artifact, folder.toFile()).outcome)
    }

    @Test
    fun `a reference with new facts is run`() {
        val file = artifact.resolve("reference.json")
        val reference = Wire.json.parseToJsonElement(file.readText()).jsonObject
        val texts = JsonArray(reference.getValue("texts").jsonArray.map { JsonObject(it.jsonObject + ("language" to JsonPrimitive("none"))) })
        file.writeText(JsonObject(reference + mapOf("texts" to texts, "colour" to JsonPrimitive("blue"))).toString())
        artifact.seal()
        assertEquals(Completed, RealRun.run(artifact, folder.toFile()).outcome)
    }

    @ParameterizedTest
    @CsvSource(
        "384, 1, 'logit_sample has token 384; vocab_size is 384'", "-1, 1, 'logit_sample has token -1'", "0, 9999, 'logit_sample has 9999 rows'",
    )
    fun `a sample of logits that no text or vocabulary holds is refused before loading`(token: Int, rows: Int, message: String) {
        val hostile: Reference = RealRun.reference(artifact).copy(logitSample = LogitSample(listOf(token), List(rows) { listOf(0.0) }, 1.0))
        artifact.resolve("reference.json").writeText(Wire.json.encodeToString(Reference.serializer(), hostile))
        artifact.seal()
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, message)
    }

    @ParameterizedTest
    @ValueSource(strings = ["content_id", "files", "shape", "cost_per_token", "options"])
    fun `a manifest without what a harness needs is refused by the key's name`(key: String) {
        artifact.changeManifest { JsonObject(it - key) }
        assertFailed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "'$key'")
    }

    private fun assertParity(): RunRecord {
        val record = RealRun.run(artifact, folder.toFile())
        assertFailure(record, Stage.SELF_CHECK, FailureKind.PARITY, "text 0, step")
        assertNotNull(record.selfCheck!!.firstMismatch)
        return record
    }

    private fun assertFailed(stage: Stage, kind: FailureKind, message: String, runId: String = "real") =
        assertFailure(RealRun.run(artifact, folder.toFile(), RunRequest(runId = runId, protocol = RealRun.small)), stage, kind, message)

    private fun assertFailure(record: RunRecord, stage: Stage, kind: FailureKind, message: String) {
        val failed = record.outcome as? Failed ?: error("not failed: ${record.outcome}")
        assertEquals(stage to kind, failed.stage to failed.failure, failed.message)
        assertTrue(message in failed.message && '\n' !in failed.message, failed.message)
        assertEquals(emptyList<Any>(), record.prefill + record.decode)
        if (stage == Stage.ENVIRONMENT) assertNull(record.load)
        val written = folder.resolve("${record.request.runId}/record.json").toFile()
        assertEquals(record, Wire.readRecord(written))
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-record-1", written))
    }

    private fun rename(manifest: JsonObject, name: String, path: String): JsonObject {
        val files = manifest.getValue("files").jsonArray.map { entry ->
            if (entry.jsonObject["path"] == JsonPrimitive(name)) JsonObject(entry.jsonObject + ("path" to JsonPrimitive(path))) else entry
        }
        return named(JsonObject(manifest + ("files" to JsonArray(files))))
    }
}
