package dev.deepnarrow.core

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

const val MANIFEST_SCHEMA = "deepnarrow/manifest/1"
private const val CONTENT_ID_DIGITS = 32

/**
 * The part of `manifest.json` that a harness needs; `export/manifest.py` is its truth and describes each field. All other keys are
 * ignored, so that a new fact in a manifest does not lock out the apps that are installed.
 *
 * @property contentId hash of the model files' hashes: says which network a run has measured.
 */
@Serializable
data class Manifest(
    val schema: String,
    @SerialName("job_id") val jobId: String,
    @SerialName("content_id") val contentId: String,
    val pair: String,
    val arm: Arm? = null,
    @SerialName("shape_name") val shapeName: String,
    val shape: Shape,
    val target: TargetName,
    val scheme: Scheme,
    val options: ExportOptions,
    val files: List<FileEntry>,
    @SerialName("bytes_by_role") val bytesByRole: RoleBytes,
    @SerialName("cost_per_token") val costPerToken: TokenCost,
) {
    init {
        requireSchema(schema, MANIFEST_SCHEMA)
        require(contentId == contentIdOf(files)) { "content_id $contentId is not the one of the files that are listed" }
    }

    /** Files of the model itself. */
    val modelFiles: List<FileEntry> get() = files.filter { it.kind == FileKind.MODEL }

    val modelBytes: Long get() = modelFiles.sumOf { it.bytes }
}

/**
 * Identity of a network: the first 32 hex digits of the SHA-256 of its model files' lines `<sha256>  <path>`, in the order of
 * paths, as `sha256sum` prints them, each with a newline.
 */
fun contentIdOf(files: List<FileEntry>): String {
    val model = files.filter { it.kind == FileKind.MODEL }.sortedBy { it.path }
    return sha256(model.joinToString("") { "${it.sha256}  ${it.path}\n" }.encodeToByteArray()).take(CONTENT_ID_DIGITS)
}

@Serializable
data class ExportOptions(
    @SerialName("max_context") val maxContext: Int,
    @SerialName("prefill_chunk") val prefillChunk: Int,
) {
    init {
        require(maxContext >= 1) { "max_context must be at least 1, got $maxContext" }
        require(prefillChunk in 1..maxContext) { "prefill_chunk must be 1 to max_context $maxContext, got $prefillChunk" }
    }
}

@Serializable
enum class FileKind {
    @SerialName("model") MODEL,
    @SerialName("reference") REFERENCE,
    @SerialName("tokenizer") TOKENIZER,
}

/** [path] is relative to the folder, with forward slashes. */
@Serializable
data class FileEntry(val path: String, val kind: FileKind, val sha256: String, val bytes: Long)

/** With a full cache of `max_context` positions. */
@Serializable
data class TokenCost(
    @SerialName("weight_bytes_read") val weightBytesRead: Long,
    @SerialName("kv_bytes_per_position") val kvBytesPerPosition: Long,
)
