package dev.deepnarrow.core

import kotlinx.serialization.SerialName
import kotlinx.serialization.Serializable

/** How model files come into memory. */
@Serializable
enum class LoadMode(val word: String) {
    @SerialName("default") DEFAULT("default"),
    @SerialName("file") FILE("file"),
    @SerialName("mmap") MMAP("mmap"),
    @SerialName("mlock") MLOCK("mlock"),
}

/** What computes. ExecuTorch and ONNX artifacts fix it when they are written. */
@Serializable
enum class Backend(val word: String) {
    @SerialName("default") DEFAULT("default"),
    @SerialName("cpu") CPU("cpu"),
    @SerialName("xnnpack") XNNPACK("xnnpack"),
    @SerialName("cpu-and-gpu") CPU_AND_GPU("cpu-and-gpu"),
    @SerialName("cpu-and-neural-engine") CPU_AND_NEURAL_ENGINE("cpu-and-neural-engine"),
    @SerialName("all") ALL("all"),
}

/** The stages of a run, in order. */
@Serializable
enum class Stage(val word: String) {
    @SerialName("environment") ENVIRONMENT("environment"),
    @SerialName("bandwidth") BANDWIDTH("bandwidth"),
    @SerialName("load") LOAD("load"),
    @SerialName("self-check") SELF_CHECK("self-check"),
    @SerialName("warm-up") WARM_UP("warm-up"),
    @SerialName("prefill") PREFILL("prefill"),
    @SerialName("decode") DECODE("decode"),
    @SerialName("sustained") SUSTAINED("sustained"),
    @SerialName("finish") FINISH("finish"),
}

/** Why a run failed; `scripts/records/vocabulary.py` says what each one means. */
@Serializable
enum class FailureKind(val word: String) {
    @SerialName("artifact") ARTIFACT("artifact"),
    @SerialName("load") LOAD("load"),
    @SerialName("parity") PARITY("parity"),
    @SerialName("runtime") RUNTIME("runtime"),
    @SerialName("out-of-memory") OUT_OF_MEMORY("out-of-memory"),
    @SerialName("request") REQUEST("request"),
    @SerialName("internal") INTERNAL("internal"),
    @SerialName("crashed") CRASHED("crashed"),
    @SerialName("hung") HUNG("hung"),
    @SerialName("storage") STORAGE("storage"),
    @SerialName("device") DEVICE("device"),
}

/** Why the app began no run: sent beside a message for people. */
@Serializable
enum class RefusalCode(val word: String) {
    /** What was asked cannot be read or done. */
    @SerialName("request") REQUEST("request"),

    /** The app is measuring already. */
    @SerialName("active-run") ACTIVE_RUN("active-run"),

    /** Not mounted, or nothing can be made or written in it. */
    @SerialName("shared-storage") SHARED_STORAGE("shared-storage"),

    /** The app cannot read a file of the artifact's folder. */
    @SerialName("unreadable-artifact") UNREADABLE_ARTIFACT("unreadable-artifact"),
}

/** What the run ran on. Only [PHONE] rows may be shown as phone numbers. */
@Serializable
enum class DeviceKind(val word: String) {
    @SerialName("phone") PHONE("phone"),
    @SerialName("emulator") EMULATOR("emulator"),
    @SerialName("host") HOST("host"),
    @SerialName("desktop") DESKTOP("desktop"),
    @SerialName("fake") FAKE("fake"),
}

/** What a concern does to a run: shown beside the number, or the number is never used. */
@Serializable
enum class Severity(val word: String) {
    @SerialName("warning") WARNING("warning"),
    @SerialName("invalid") INVALID("invalid"),
}

/** Everything that can be wrong with a run that ran. */
@Serializable
enum class ConcernCode(val word: String) {
    @SerialName("debug-build") DEBUG_BUILD("debug-build"),
    @SerialName("emulator") EMULATOR("emulator"),
    @SerialName("low-battery") LOW_BATTERY("low-battery"),
    @SerialName("power-save") POWER_SAVE("power-save"),
    @SerialName("charging") CHARGING("charging"),
    @SerialName("background") BACKGROUND("background"),
    @SerialName("thermal-status") THERMAL_STATUS("thermal-status"),
    @SerialName("battery-temperature") BATTERY_TEMPERATURE("battery-temperature"),
    @SerialName("clock-jump") CLOCK_JUMP("clock-jump"),
    @SerialName("threads-differ") THREADS_DIFFER("threads-differ"),
    @SerialName("load-mode-differs") LOAD_MODE_DIFFERS("load-mode-differs"),
    @SerialName("backend-differs") BACKEND_DIFFERS("backend-differs"),
    @SerialName("not-checked") NOT_CHECKED("not-checked"),
    @SerialName("busy-machine") BUSY_MACHINE("busy-machine"),
    @SerialName("frequency-drop") FREQUENCY_DROP("frequency-drop"),
    @SerialName("not-prepared") NOT_PREPARED("not-prepared"),
}

/** What read the memory in the bandwidth probe. */
@Serializable
enum class ProbeMethod(val word: String) {
    @SerialName("array-sum") ARRAY_SUM("array-sum"),
    @SerialName("runtime-graph") RUNTIME_GRAPH("runtime-graph"),
    @SerialName("blas-dot") BLAS_DOT("blas-dot"),
}

/** The role of a shape in a pair. */
@Serializable
enum class Arm(val word: String) {
    @SerialName("deep") DEEP("deep"),
    @SerialName("wide") WIDE("wide"),
}

/** The runtimes an artifact can be written for. */
@Serializable
enum class TargetName(val word: String) {
    @SerialName("executorch") EXECUTORCH("executorch"),
    @SerialName("onnx") ONNX("onnx"),
    @SerialName("coreml") COREML("coreml"),
}

/** Quantization: the same names and bits on every target. */
@Serializable
enum class Scheme(val word: String) {
    @SerialName("fp32") FP32("fp32"),
    @SerialName("int8") INT8("int8"),
    @SerialName("int4") INT4("int4"),
    @SerialName("mixed") MIXED("mixed"),
}
