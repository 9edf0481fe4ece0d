@file:OptIn(ExperimentalSerializationApi::class) // prettyPrintIndent

package dev.deepnarrow.core

import java.io.File
import java.io.IOException
import java.security.MessageDigest
import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.KSerializer
import kotlinx.serialization.json.Json

/** Bad input; the message is one line for whoever gave it. */
class UserError(message: String) : Exception(message)

/**
 * JSON of the contract. Unknown keys are refused, except in artifacts, where a new fact must not lock out an app that is
 * installed. Unknown schema versions are refused, all keys are written, larger files are refused unread.
 */
object Wire {
    const val MAX_REQUEST_BYTES = 1L shl 20
    const val MAX_MANIFEST_BYTES = 4L shl 20
    const val MAX_REFERENCE_BYTES = 64L shl 20
    const val MAX_RECORD_BYTES = 64L shl 20

    val json = Json {
        encodeDefaults = true
        explicitNulls = true
        prettyPrint = true
        prettyPrintIndent = " "
    }

    private val artifactJson = Json(json) { ignoreUnknownKeys = true }

    fun readRequest(file: File): RunRequest = read(RunRequest.serializer(), file, MAX_REQUEST_BYTES)

    /** A request that did not come as a file; [name] says where it came from. */
    fun parseRequest(text: String, name: String): RunRequest {
        if (text.length > MAX_REQUEST_BYTES) throw UserError("$name: ${text.length} characters; at most $MAX_REQUEST_BYTES are read")
        return parse(RunRequest.serializer(), text, name)
    }

    fun readManifest(file: File): Manifest = read(Manifest.serializer(), file, MAX_MANIFEST_BYTES, artifactJson)

    fun readReference(file: File): Reference = read(Reference.serializer(), file, MAX_REFERENCE_BYTES, artifactJson)

    fun readRecord(file: File): RunRecord = read(RunRecord.serializer(), file, MAX_RECORD_BYTES)

    fun readDone(file: File): Done = read(Done.serializer(), file, MAX_REQUEST_BYTES)

    internal fun <T> read(serializer: KSerializer<T>, file: File, maxBytes: Long, format: Json = json): T {
        if (!file.isFile) throw UserError("$file: no such file")
        if (file.length() > maxBytes) throw UserError("$file: ${file.length()} bytes; at most $maxBytes are read")
        val text = try {
            file.readText()
        } catch (error: IOException) {
            throw UserError("$file: ${oneLine(error)}")
        }
        return parse(serializer, text, file.path, format)
    }

    /** Serialization errors are IllegalArgumentExceptions, and so are the rules in the classes' own `init`. */
    internal fun <T> parse(serializer: KSerializer<T>, text: String, name: String, format: Json = json): T = try {
        format.decodeFromString(serializer, text)
    } catch (error: IllegalArgumentException) {
        throw UserError("$name: ${error.message.orEmpty().lineSequence().first()}")
    }
}

/** Hex digest of a file, read in blocks. */
fun sha256(file: File): String = file.inputStream().use { stream ->
    val digest = MessageDigest.getInstance("SHA-256")
    val block = ByteArray(1 shl 20)
    generateSequence { stream.read(block).takeIf { it >= 0 } }.forEach { digest.update(block, 0, it) }
    hex(digest.digest())
}

internal fun sha256(bytes: ByteArray): String = hex(MessageDigest.getInstance("SHA-256").digest(bytes))

internal fun hex(bytes: ByteArray): String = bytes.joinToString("") { "%02x".format(it) }

internal fun oneLine(error: Throwable): String =
    error.message.orEmpty().split(Regex("\\s+")).filter { it.isNotEmpty() }.joinToString(" ").ifEmpty { error.javaClass.simpleName }
