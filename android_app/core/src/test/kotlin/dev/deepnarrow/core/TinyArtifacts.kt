package dev.deepnarrow.core

import java.io.File
import java.util.concurrent.TimeUnit
import kotlinx.serialization.builtins.ListSerializer
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** The pair `tiny` as the Python exporter writes it: in DEEPNARROW_ARTIFACTS, or exported here on first use. */
internal object TinyArtifacts {
    const val DEEP = "deep-8x64"
    const val WIDE = "wide-2x128"
    private val root: File by lazy { System.getenv("DEEPNARROW_ARTIFACTS")?.let(::File) ?: export() }

    fun folder(shape: String): File = root.resolve("tiny/$shape/onnx-int4").also { check(it.isDirectory) { "$it: no such artifact; see DEEPNARROW_ARTIFACTS" } }

    /** A copy that a test may damage. */
    fun copy(shape: String, to: File): File {
        check(folder(shape).copyRecursively(to)) { "$to: not copied" }
        return to
    }

    private fun export(): File {
        val out = Repository.root.resolve("android_app/core/target/artifacts")
        if (out.resolve("index.json").isFile) return out
        val python = Repository.root.resolve(".venv/bin/python")
        check(python.canExecute()) { "$python is needed to export the artifacts of these tests; or name a folder that has them in DEEPNARROW_ARTIFACTS" }
        val words = listOf("-m", "export", "all", "--pair", "tiny", "--scheme", "int4", "--target", "onnx", "--out", out.path)
        val process = ProcessBuilder(listOf(python.path) + words).directory(Repository.root).redirectErrorStream(true).start()
        val said = process.inputStream.bufferedReader().readText()
        check(process.waitFor(5, TimeUnit.MINUTES) && process.exitValue() == 0) { "the export of the tiny artifacts failed:\n$said" }
        return out
    }
}

/** Changes one file of an artifact, whose manifest then no longer fits it. */
internal fun File.change(name: String, change: (ByteArray) -> ByteArray): File = apply { resolve(name).run { writeBytes(change(readBytes())) } }

internal fun File.changeManifest(change: (JsonObject) -> JsonObject): File = apply {
    resolve("manifest.json").run { writeText(Wire.json.encodeToString(JsonObject.serializer(), change(Wire.json.parseToJsonElement(readText()).jsonObject))) }
}

/** Puts the size and hash that the files now have into the manifest: damage that no hash can find. */
internal fun File.seal(): File = changeManifest { manifest ->
    val files = manifest.getValue("files").jsonArray.map { entry ->
        val file = resolve(entry.jsonObject.getValue("path").jsonPrimitive.content)
        JsonObject(entry.jsonObject + mapOf("sha256" to JsonPrimitive(sha256(file)), "bytes" to JsonPrimitive(file.length())))
    }
    named(JsonObject(manifest + ("files" to JsonArray(files))))
}

/** With the content_id that its files have: damage that only the harness's own checks can find. */
internal fun named(manifest: JsonObject): JsonObject {
    val files = Wire.json.decodeFromJsonElement(ListSerializer(FileEntry.serializer()), manifest.getValue("files"))
    return JsonObject(manifest + ("content_id" to JsonPrimitive(contentIdOf(files))))
}

/** Replaces every occurrence of an ASCII word by one of the same length. */
internal fun ByteArray.replaceWord(old: String, new: String): ByteArray {
    require(old.length == new.length)
    val text = toString(Charsets.ISO_8859_1)
    check(old in text) { "no $old in the file" }
    return text.replace(old, new).toByteArray(Charsets.ISO_8859_1)
}
