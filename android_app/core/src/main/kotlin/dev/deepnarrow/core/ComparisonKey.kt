package dev.deepnarrow.core

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

/**
 * All that two runs must share to be compared, the network apart. `scripts/records/comparable.py` is the truth of
 * these fields; docs/comparability.md gives the reason of each one.
 *
 * @property campaign runs of a campaign are pooled within it; [session] stands for those of none.
 * @property deviceId the farm's, else the device's model: an app's record knows no serial number.
 * @property runtime name and version as it reported them; null where the run ended before it did.
 * @property backends what computed, as the runtime reported it; empty where it did not.
 * @property charging null where the device does not say.
 */
@Serializable
data class Setup(
    val campaign: String?,
    val session: String?,
    @SerialName("device_id") val deviceId: String,
    @SerialName("device_kind") val deviceKind: DeviceKind,
    @SerialName("device_model") val deviceModel: String,
    @SerialName("os_build") val osBuild: String,
    @SerialName("harness_name") val harnessName: String,
    @SerialName("harness_version") val harnessVersion: String,
    @SerialName("harness_build") val harnessBuild: String?,
    @SerialName("harness_debug") val harnessDebug: Boolean,
    val runtime: String?,
    val backends: List<String>,
    val charging: Boolean?,
    val target: TargetName,
    val scheme: Scheme,
    val protocol: ProtocolKey,
) {
    internal constructor(record: RunRecord, artifact: ArtifactFacts) : this(
        campaign = record.request.plan?.campaign,
        session = if (record.request.plan == null) record.request.session else null,
        deviceId = record.request.plan?.deviceId ?: record.device.model,
        deviceKind = record.device.kind,
        deviceModel = record.device.model,
        osBuild = record.device.osBuild,
        harnessName = record.harness.name,
        harnessVersion = record.harness.version,
        harnessBuild = record.harness.build,
        harnessDebug = record.harness.debug,
        runtime = record.observed?.let { "${it.name} ${it.version}" },
        backends = record.observed?.backends.orEmpty(),
        charging = record.environmentBefore?.plugged,
        target = artifact.target,
        scheme = artifact.scheme,
        protocol = ProtocolKey(record.request.protocol, artifact),
    )

    /** Flat, with the names that every language uses. */
    fun asJson(): JsonObject {
        val fields = Wire.json.encodeToJsonElement(serializer(), this).jsonObject
        return JsonObject(fields - "protocol" + fields.getValue("protocol").jsonObject)
    }
}

/** The part of a protocol that changes the value of a cell, with what the artifact fixes of it. */
@Serializable
data class ProtocolKey(
    @SerialName("num_threads") val numThreads: Int,
    val backend: Backend,
    @SerialName("load_mode") val loadMode: LoadMode,
    @SerialName("prompt_lengths") val promptLengths: List<Int>,
    @SerialName("prefill_repetitions") val prefillRepetitions: Int,
    val contexts: List<Int>,
    @SerialName("decode_steps") val decodeSteps: Int,
    @SerialName("warm_up_steps") val warmUpSteps: Int,
    @SerialName("sustained_s") val sustainedS: Int?,
    @SerialName("token_seed") val tokenSeed: Long,
    @SerialName("probe_buffer_bytes") val probeBufferBytes: Long,
    @SerialName("probe_passes") val probePasses: Int,
    @SerialName("max_context") val maxContext: Int,
    @SerialName("prefill_chunk") val prefillChunk: Int,
) {
    internal constructor(protocol: Protocol, artifact: ArtifactFacts) : this(
        numThreads = protocol.numThreads,
        backend = protocol.backend,
        loadMode = protocol.loadMode,
        promptLengths = protocol.promptLengths,
        prefillRepetitions = protocol.prefillRepetitions,
        contexts = protocol.contexts,
        decodeSteps = protocol.decodeSteps,
        warmUpSteps = protocol.warmUpSteps,
        sustainedS = protocol.sustainedS,
        tokenSeed = protocol.tokenSeed,
        probeBufferBytes = protocol.probe.bufferBytes,
        probePasses = protocol.probe.passes,
        maxContext = artifact.maxContext,
        prefillChunk = artifact.prefillChunk,
    )
}

/** A network, by the content of its model files, in a setup. Runs with equal keys repeat each other. */
data class ComparisonKey(val contentId: String, val setup: Setup) {
    /** Flat, with the names that every language uses. */
    fun asJson(): JsonObject = JsonObject(mapOf("content_id" to JsonPrimitive(contentId)) + setup.asJson())
}

/** The record's key; null where the run ended before it had an artifact. Two networks may be compared if their setups are equal. */
fun comparisonKey(record: RunRecord): ComparisonKey? =
    record.artifact?.let { ComparisonKey(it.contentId, Setup(record, it)) }
