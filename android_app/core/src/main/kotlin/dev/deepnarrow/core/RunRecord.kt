@file:OptIn(ExperimentalSerializationApi::class) // JsonClassDiscriminator

package dev.deepnarrow.core

import kotlinx.serialization.ExperimentalSerializationApi
import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonClassDiscriminator

const val RECORD_SCHEMA = "deepnarrow/run-record/1"
const val DONE_SCHEMA = "deepnarrow/done/1"

/**
 * Everything that happened in a run; raw. `scripts/records/record.py` is the truth of these classes and describes each field.
 * Parts that the run did not reach are null or empty: null is not measured, 0 is a measurement.
 */
@Serializable
data class RunRecord(
    val schema: String = RECORD_SCHEMA,
    val request: RunRequest,
    val outcome: Outcome,
    val harness: HarnessInfo,
    val device: Device,
    val artifact: ArtifactFacts?,
    @SerialName("started_utc") val startedUtc: String,
    @SerialName("duration_ns") val durationNs: Long?,
    @SerialName("start_wait_ns") val startWaitNs: Long?,
    @SerialName("environment_before") val environmentBefore: Environment?,
    @SerialName("environment_after") val environmentAfter: Environment?,
    val bandwidth: Bandwidth?,
    val load: Load?,
    val observed: ObservedRuntime?,
    @SerialName("self_check") val selfCheck: SelfCheck?,
    val prefill: List<PrefillSamples>,
    val decode: List<DecodeSamples>,
    val sustained: SustainedSamples?,
    val memory: List<MemoryPoint>,
    val concerns: List<Concern>,
    val evidence: Evidence?,
) {
    init {
        requireSchema(schema, RECORD_SCHEMA)
    }

    /** Completed, and nothing makes its numbers unusable. */
    val valid: Boolean get() = outcome is Completed && concerns.all { it.severity == Severity.WARNING }
}

/** How a run stands or ended. */
@Serializable
@JsonClassDiscriminator("kind")
sealed interface Outcome

/** Not over. In a record found later: the process was killed in this stage. */
@Serializable
@SerialName("running")
data class Running(val stage: Stage) : Outcome

@Serializable
@SerialName("completed")
data object Completed : Outcome

@Serializable
@SerialName("failed")
data class Failed(val stage: Stage, val failure: FailureKind, val message: String) : Outcome

/** A start limit did not hold in time; [message] names the limit and the value. */
@Serializable
@SerialName("skipped")
data class Skipped(val message: String) : Outcome

/** The program that ran; [build] is a commit or a hash of the package. */
@Serializable
data class HarnessInfo(val name: String, val version: String, val build: String?, val debug: Boolean)

@Serializable
data class Core(val id: Int, @SerialName("max_khz") val maxKhz: Int?)

@Serializable
data class Device(
    val kind: DeviceKind,
    val os: String,
    @SerialName("os_version") val osVersion: String,
    @SerialName("os_build") val osBuild: String,
    val manufacturer: String?,
    val model: String,
    val soc: String?,
    val abi: String,
    val cores: List<Core>,
    @SerialName("ram_bytes") val ramBytes: Long?,
)

/**
 * What the manifest says of the artifact, so that a record can be understood without it.
 *
 * @property jobId what was asked of the exporter; tells nothing about what was measured.
 * @property contentId the network that was measured, by the content of its model files.
 */
@Serializable
data class ArtifactFacts(
    @SerialName("job_id") val jobId: String,
    @SerialName("content_id") val contentId: String,
    @SerialName("manifest_sha256") val manifestSha256: String,
    val pair: String,
    val arm: Arm?,
    @SerialName("shape_name") val shapeName: String,
    val shape: Shape,
    val target: TargetName,
    val scheme: Scheme,
    @SerialName("max_context") val maxContext: Int,
    @SerialName("prefill_chunk") val prefillChunk: Int,
    @SerialName("model_bytes") val modelBytes: Long,
    @SerialName("bytes_by_role") val bytesByRole: RoleBytes,
    @SerialName("weight_bytes_read") val weightBytesRead: Long,
    @SerialName("kv_bytes_per_position") val kvBytesPerPosition: Long,
)

/** The device at one moment. */
@Serializable
data class Environment(
    @SerialName("time_utc") val timeUtc: String,
    @SerialName("monotonic_ns") val monotonicNs: Long,
    @SerialName("boot_ns") val bootNs: Long?,
    @SerialName("thermal_status") val thermalStatus: Int?,
    @SerialName("thermal_headroom") val thermalHeadroom: Double?,
    @SerialName("battery_percent") val batteryPercent: Int?,
    @SerialName("battery_celsius") val batteryCelsius: Double?,
    @SerialName("battery_current_ua") val batteryCurrentUa: Int?,
    val plugged: Boolean?,
    @SerialName("power_save") val powerSave: Boolean?,
    val foreground: Boolean?,
    @SerialName("core_khz") val coreKhz: List<Int?>,
    @SerialName("available_ram_bytes") val availableRamBytes: Long?,
    @SerialName("load_average") val loadAverage: Double?,
)

/** The bandwidth probe; [best] is the method with the highest median. */
@Serializable
data class Bandwidth(
    val passes: List<ProbePasses>,
    val best: ProbeMethod,
    @SerialName("ceiling_bytes_per_s") val ceilingBytesPerS: Double,
)

/** Raw passes of one method: each read [bytes]. */
@Serializable
data class ProbePasses(
    val method: ProbeMethod,
    @SerialName("num_threads") val numThreads: Int,
    val bytes: Long,
    @SerialName("pass_ns") val passNs: List<Long>,
)

@Serializable
data class Load(@SerialName("load_ns") val loadNs: Long, @SerialName("first_forward_ns") val firstForwardNs: Long)

/** What the runtime says it did, beside what was asked; null where it does not say. */
@Serializable
data class ObservedRuntime(
    val name: String,
    val version: String,
    @SerialName("num_threads") val numThreads: Int?,
    @SerialName("load_mode") val loadMode: LoadMode?,
    val backends: List<String>,
)

@Serializable
data class SelfCheck(
    val steps: Int,
    @SerialName("decisive_steps") val decisiveSteps: Int,
    @SerialName("decisive_matches") val decisiveMatches: Int,
    @SerialName("ambiguous_steps") val ambiguousSteps: Int,
    @SerialName("ambiguous_matches") val ambiguousMatches: Int,
    @SerialName("first_mismatch") val firstMismatch: Mismatch?,
)

@Serializable
data class Mismatch(val text: Int, val step: Int, val expected: Int, val actual: Int)

@Serializable
data class PrefillSamples(
    @SerialName("prompt_length") val promptLength: Int,
    @SerialName("prefill_ns") val prefillNs: List<Long>,
)

/** Single-token steps from [context] on; step i attends context + i + 1 positions. */
@Serializable
data class DecodeSamples(
    val context: Int,
    @SerialName("forward_ns") val forwardNs: List<Long>,
    @SerialName("step_ns") val stepNs: List<Long>,
) {
    init {
        require(forwardNs.size == stepNs.size) { "forward_ns and step_ns must have one entry per step" }
        require(forwardNs.all { it > 0 }) { "forward_ns: no call takes 0 ns or less" }
    }
}

/** The sustained phase; each entry of [thermal] is [nanoseconds after the start, thermal status, battery in Celsius]. */
@Serializable
data class SustainedSamples(
    val context: Int,
    @SerialName("start_ns") val startNs: List<Long>,
    @SerialName("forward_ns") val forwardNs: List<Long>,
    val thermal: List<@Serializable(with = ThermalPointSerializer::class) ThermalPoint>,
)

/** Memory of the process once a stage was over. */
@Serializable
data class MemoryPoint(
    val after: Stage,
    @SerialName("rss_bytes") val rssBytes: Long?,
    @SerialName("anonymous_bytes") val anonymousBytes: Long?,
    @SerialName("file_bytes") val fileBytes: Long?,
    @SerialName("swap_bytes") val swapBytes: Long?,
    @SerialName("high_water_bytes") val highWaterBytes: Long?,
)

@Serializable
data class Concern(val code: ConcernCode, val severity: Severity, val detail: String)

/** What was found after a crash. */
@Serializable
data class Evidence(
    @SerialName("exit_info") val exitInfo: String?,
    @SerialName("crash_log") val crashLog: String?,
    val output: String?,
)

/** `done.json`, written last: the record is complete and has this hash. */
@Serializable
data class Done(
    val schema: String = DONE_SCHEMA,
    @SerialName("run_id") val runId: String,
    @SerialName("record_sha256") val recordSha256: String,
) {
    init {
        requireSchema(schema, DONE_SCHEMA)
        requireRunId("run_id", runId)
    }
}
