@file:OptIn(ExperimentalSerializationApi::class) // JsonClassDiscriminator

package dev.deepnarrow.core

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonClassDiscriminator
import kotlinx.serialization.json.JsonPrimitive

const val MANIFEST_SCHEMA = "deepnarrow/manifest/1"

/** `manifest.json`: the contract between exporters and apps. `export/manifest.py` is its truth and describes each field. */
@Serializable
data class Manifest(
    val schema: String,
    @SerialName("job_id") val jobId: String,
    val pair: String,
    val arm: Arm?,
    @SerialName("shape_name") val shapeName: String,
    val shape: Shape,
    val target: TargetName,
    val scheme: Scheme,
    val options: ExportOptions,
    @SerialName("token_ids") val tokenIds: TokenIds,
    val observed: ObservedGraph,
    val files: List<FileEntry>,
    @SerialName("bytes_by_role") val bytesByRole: RoleBytes,
    @SerialName("bits_per_weight") val bitsPerWeight: BitsPerWeight,
    @SerialName("cost_per_token") val costPerToken: TokenCost,
    val weights: WeightSource,
    val toolchain: Map<String, String>,
    @SerialName("verified_by") val verifiedBy: String,
    val thoroughness: String,
    val gates: List<GateResult>,
    val export: ExportEffort,
) {
    init {
        requireSchema(schema, MANIFEST_SCHEMA)
    }

    /** Files of the model itself. */
    val modelFiles: List<FileEntry> get() = files.filter { it.kind == FileKind.MODEL }

    val modelBytes: Long get() = modelFiles.sumOf { it.bytes }
}

@Serializable
data class ExportOptions(
    @SerialName("max_context") val maxContext: Int,
    @SerialName("prefill_chunk") val prefillChunk: Int,
    @SerialName("coreml_attention") val coremlAttention: String,
) {
    init {
        require(maxContext >= 1) { "max_context must be at least 1, got $maxContext" }
        require(prefillChunk in 1..maxContext) { "prefill_chunk must be 1 to max_context $maxContext, got $prefillChunk" }
    }
}

@Serializable
data class TokenIds(val bos: Int?, val eos: List<Int>)

/** Facts that the exporter read from the written files. */
@Serializable
data class ObservedGraph(
    val operators: Map<String, Int>,
    @SerialName("delegated_share") val delegatedShare: Double?,
    @SerialName("delegate_calls") val delegateCalls: Int?,
    val backends: List<String>,
    @SerialName("attention_operator") val attentionOperator: String,
    @SerialName("cache_operator") val cacheOperator: String,
    val inputs: List<TensorFacts>,
    val outputs: List<TensorFacts>,
    val states: List<TensorFacts>,
)

/** A dimension is a number or the name of a range such as `sequence_length`. */
@Serializable
data class TensorFacts(val name: String, val dtype: String, val shape: List<JsonPrimitive>)

@Serializable
enum class FileKind {
    @SerialName("model") MODEL,
    @SerialName("reference") REFERENCE,
    @SerialName("tokenizer") TOKENIZER,
}

/** [path] is relative to the folder, with forward slashes. */
@Serializable
data class FileEntry(val path: String, val kind: FileKind, val sha256: String, val bytes: Long)

@Serializable
data class BitsPerWeight(val embedding: Double?, val head: Double?, val linear: Double, val average: Double)

@Serializable
data class TokenCost(
    val context: Int,
    @SerialName("weight_bytes_read") val weightBytesRead: Long,
    @SerialName("kv_bytes_per_position") val kvBytesPerPosition: Long,
    @SerialName("kv_bytes_read") val kvBytesRead: Long,
    @SerialName("activation_bytes") val activationBytes: ActivationBytes,
    @SerialName("decode_flops") val decodeFlops: Long,
    @SerialName("prefill_flops_per_token") val prefillFlopsPerToken: Double,
)

@Serializable
data class ActivationBytes(val sum: Long, @SerialName("peak_live") val peakLive: Long)

/** Where the weights came from. */
@Serializable
@JsonClassDiscriminator("kind")
sealed interface WeightSource

@Serializable
@SerialName("random")
data class RandomSource(val seed: Long) : WeightSource

@Serializable
@SerialName("checkpoint")
data class CheckpointSource(val name: String, val sha256: String) : WeightSource

@Serializable
data class GateResult(val gate: String, val measured: Map<String, Double>, val thresholds: Map<String, Double>, val note: String)

@Serializable
data class ExportEffort(
    @SerialName("wall_ns") val wallNs: Long,
    @SerialName("peak_memory_bytes") val peakMemoryBytes: Long,
    @SerialName("import_memory_bytes") val importMemoryBytes: Long?,
)
