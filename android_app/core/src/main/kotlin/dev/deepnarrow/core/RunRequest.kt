package dev.deepnarrow.core

import java.security.SecureRandom
import java.time.Instant
import java.time.ZoneOffset
import java.time.format.DateTimeFormatter
import java.util.Locale
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

const val REQUEST_SCHEMA = "deepnarrow/run-request/1"
private val RUN_ID = Regex("[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
private const val SESSION_SUFFIX_BYTES = 3
private val SESSION_TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC)

/**
 * What a run is asked to do. `scripts/records/request.py` is the truth of these classes and describes each field.
 *
 * @property session one farm run, or one press of the app's button, that the run belongs to; null for a run by hand.
 * @property contentId of the artifact that the run must find in its folder; null takes any.
 */
@Serializable
data class RunRequest(
    val schema: String = REQUEST_SCHEMA,
    @SerialName("run_id") val runId: String,
    val session: String? = null,
    @SerialName("content_id") val contentId: String? = null,
    val protocol: Protocol = Protocol(),
    @SerialName("start_limits") val startLimits: StartLimits = StartLimits(),
    val plan: PlanPosition? = null,
) {
    init {
        requireSchema(schema, REQUEST_SCHEMA)
        requireRunId("run_id", runId)
        session?.let { requireRunId("session", it) }
    }
}

/** What is measured. */
@Serializable
data class Protocol(
    @SerialName("num_threads") val numThreads: Int = 4,
    val backend: Backend = Backend.DEFAULT,
    @SerialName("load_mode") val loadMode: LoadMode = LoadMode.DEFAULT,
    @SerialName("prompt_lengths") val promptLengths: List<Int> = listOf(64, 512),
    @SerialName("prefill_repetitions") val prefillRepetitions: Int = 3,
    val contexts: List<Int> = listOf(0, 512),
    @SerialName("decode_steps") val decodeSteps: Int = 128,
    @SerialName("warm_up_steps") val warmUpSteps: Int = 8,
    @SerialName("sustained_s") val sustainedS: Int? = null,
    @SerialName("token_seed") val tokenSeed: Long = 7,
    val probe: ProbeProtocol = ProbeProtocol(),
) {
    init {
        requireAtLeast("num_threads", numThreads.toLong(), 1)
        requireAscending("prompt_lengths", promptLengths, 1)
        requireAtLeast("prefill_repetitions", prefillRepetitions.toLong(), 1)
        requireAscending("contexts", contexts, 0)
        requireAtLeast("decode_steps", decodeSteps.toLong(), 2)
        requireAtLeast("warm_up_steps", warmUpSteps.toLong(), 0)
        sustainedS?.let { requireAtLeast("sustained_s", it.toLong(), 1) }
        requireAtLeast("token_seed", tokenSeed, 0)
    }

    /** Positions a cache must hold; a Long because two numbers of a request may add up to more than an Int. */
    val positions: Long get() = maxOf(promptLengths.last().toLong(), contexts.last().toLong() + decodeSteps)
}

/** The memory-bandwidth probe: every thread reads its part of one buffer; the median pass counts. */
@Serializable
data class ProbeProtocol(@SerialName("buffer_bytes") val bufferBytes: Long = 256L shl 20, val passes: Int = 9) {
    init {
        requireAtLeast("buffer_bytes", bufferBytes, 1L shl 20)
        requireAtLeast("passes", passes.toLong(), 3)
    }
}

/** Limits that must hold before anything is timed; null switches one off. Devices without a sensor pass. */
@Serializable
data class StartLimits(
    @SerialName("max_battery_celsius") val maxBatteryCelsius: Double? = 37.0,
    @SerialName("max_thermal_status") val maxThermalStatus: Int? = 0,
    @SerialName("min_battery_percent") val minBatteryPercent: Int? = null,
    @SerialName("wait_s") val waitS: Int = 300,
) {
    init {
        requireAtLeast("wait_s", waitS.toLong(), 0)
    }
}

/** Where a run stands in a campaign. */
@Serializable
data class PlanPosition(
    val campaign: String,
    val cell: String,
    val block: String,
    val repetition: Int,
    val order: Int,
    @SerialName("device_id") val deviceId: String,
    val attempt: Int = 0,
    val canary: Boolean = false,
) {
    init {
        requireRunId("campaign", campaign)
    }
}

/** A session's name that no other one has, in the order of time, such as `20261201T123000Z-0a1b2c`. */
fun newSession(nowMs: Long, random: SecureRandom = SecureRandom()): String {
    val suffix = ByteArray(SESSION_SUFFIX_BYTES).also(random::nextBytes)
    return SESSION_TIME.format(Instant.ofEpochMilli(nowMs)) + "-" + hex(suffix)
}

/** Token [index] of the synthetic text: SplitMix64 (Steele et al. 2014) of the counter, modulo the vocabulary. */
fun syntheticToken(seed: Long, index: Int, vocabSize: Int): Long {
    var z = seed.toULong() + (index.toULong() + 1u) * 0x9E3779B97F4A7C15u
    z = (z xor (z shr 30)) * 0xBF58476D1CE4E5B9u
    z = (z xor (z shr 27)) * 0x94D049BB133111EBu
    return (((z xor (z shr 31)) shr 1) % vocabSize.toULong()).toLong()
}

internal fun requireSchema(found: String, known: String) =
    require(found == known) { "schema '$found' is not known here; this version reads '$known'" }

internal fun requireRunId(key: String, value: String) =
    require(RUN_ID.matches(value)) { "$key '${value.take(130)}' must be 1 to 120 letters, digits, '.', '_' or '-', the first a letter or digit" }

private fun requireAtLeast(key: String, value: Long, least: Long) = require(value >= least) { "$key must be at least $least, got $value" }

private fun requireAscending(key: String, values: List<Int>, least: Int) {
    require(values.isNotEmpty() && values.zipWithNext().all { (a, b) -> a < b }) {
        "$key must be one or more numbers in ascending order, each once, got $values"
    }
    requireAtLeast(key, values.first().toLong(), least.toLong())
}
