package dev.deepnarrow.core

import java.io.File
import java.nio.FloatBuffer

/** Time that passes only when a script says so. */
internal class ScriptedClock : Clock {
    var nowNs = 1_000_000_000L
    var sleptNs = 0L
    var wallJumpMs = 0L
    val sleepsMs = ArrayList<Long>()

    override fun monotonicNs(): Long = nowNs

    override fun bootNs(): Long = nowNs + sleptNs

    override fun wallMs(): Long = 1_700_000_000_000L + nowNs / 1_000_000 + wallJumpMs

    override fun sleep(ms: Long) {
        sleepsMs += ms
        nowNs += ms * 1_000_000
    }
}

/** A healthy device, until a test changes what it says. */
internal class ScriptedDevice(private val clock: Clock, private val events: MutableList<String>) : DeviceProbe {
    var harness = HarnessInfo("deepnarrow-test", "0", null, debug = false)
    var kind = DeviceKind.PHONE
    var foreignNs: Long? = 0L

    /** Environments in the order they are asked for; the last one stays. */
    var environments: List<Environment> = listOf(healthy(clock))
    private var asked = 0

    override fun harness() = harness

    override fun device() = Device(kind, "android", "15", "build", null, "Phone", null, "arm64-v8a", listOf(Core(0, 2_000_000), Core(1, 2_000_000)), null)

    override fun environment(): Environment {
        events += "environment"
        return environments[minOf(asked++, environments.size - 1)]
    }

    override fun memory(after: Stage): MemoryPoint {
        events += "memory ${after.word}"
        return MemoryPoint(after, 1, 1, 0, 0, 1)
    }

    override fun usableCores() = 2

    override fun foreignCpuNs() = foreignNs

    /** Highest clocks in the order they are asked for; the last one stays. */
    var capsKhz: List<List<Int?>> = listOf(listOf(2_000_000, 2_000_000))
    private var capsAsked = 0

    override fun coreCapsKhz() = capsKhz[minOf(capsAsked++, capsKhz.size - 1)]

    var canResetPeak = true

    override fun resetPeakMemory(): Boolean {
        events += "reset peak"
        return canResetPeak
    }

    companion object {
        fun healthy(clock: Clock) = Environment(
            timeUtc = "2026-01-01T00:00:00Z", monotonicNs = clock.monotonicNs(), bootNs = clock.bootNs(), thermalStatus = 0, thermalHeadroom = 0.5,
            batteryPercent = 80, batteryCelsius = 30.0, batteryCurrentUa = null, plugged = false, powerSave = false, foreground = true,
            coreKhz = listOf(2_000_000, 2_000_000), availableRamBytes = null, loadAverage = null,
        )
    }
}

/** A model whose greedy continuation is [next]; each call takes [forwardNs], each write [writeNs]. */
internal class ScriptedRuntime(private val vocabSize: Int, private val clock: ScriptedClock, private val events: MutableList<String>) : LlmRuntime {
    var forwardNs = 1_000_000L
    var writeNs = 1_000L
    var onForward: () -> Unit = {}
    private val logits = FloatBuffer.allocate(vocabSize)

    /** The logit of the last id. */
    var last = 0f
    private var chosen = 0
    private var lastToken = 0L
    private var lastPosition = 0
    override var observed = ObservedRuntime("scripted", "1", 2, LoadMode.MMAP, listOf("CPUExecutionProvider"))

    override fun write(token: Long, position: Int) {
        events += "write $token@$position"
        wrote(token, position)
    }

    override fun write(tokens: LongArray, from: Int, count: Int, position: Int) {
        events += "write ${tokens.slice(from until from + count).joinToString(" ")}@$position"
        wrote(tokens[from + count - 1], position + count - 1)
    }

    override fun forward(): FloatBuffer {
        onForward()
        events += "forward"
        clock.nowNs += forwardNs
        logits.put(chosen, 0f)
        chosen = next(lastToken, lastPosition, vocabSize)
        logits.put(vocabSize - 1, last)
        logits.put(chosen, 1f)
        return logits
    }

    override fun close() {
        events += "close"
    }

    private fun wrote(token: Long, position: Int) {
        lastToken = token
        lastPosition = position
        clock.nowNs += writeNs
    }

    companion object {
        fun next(token: Long, position: Int, vocabSize: Int): Int = ((token * 31 + position * 7 + 1) % vocabSize).toInt()
    }
}

internal class ScriptedEngine(private val runtime: LlmRuntime, private val events: MutableList<String>) : LlmEngine {
    var onPrepare: () -> Unit = {}
    var onLoad: () -> Unit = {}
    var options: LoadOptions? = null
    override val target = TargetName.ONNX
    override val backends = setOf(Backend.DEFAULT, Backend.CPU)
    override val loadModes = setOf(LoadMode.DEFAULT, LoadMode.MMAP, LoadMode.FILE)
    override var unfit: String? = null

    override fun prepare() {
        events += "prepare"
        onPrepare()
    }

    override fun load(artifact: Artifact, options: LoadOptions): LlmRuntime {
        events += "load"
        onLoad()
        this.options = options
        return runtime
    }
}

/** Writes an artifact of the golden manifest's shape, with `prefill_chunk` 4, whose reference is what [ScriptedRuntime] answers. */
internal object ScriptedArtifact {
    const val VOCAB = 384
    const val MAX_CONTEXT = 64
    const val CHUNK = 4
    val PROMPT = listOf(5, 6, 7, 8, 9)

    fun greedy(steps: Int): List<Int> {
        val ids = ArrayList<Int>()
        var token = PROMPT.last()
        for (step in 0 until steps) {
            token = ScriptedRuntime.next(token.toLong(), PROMPT.size - 1 + step, VOCAB)
            ids += token
        }
        return ids
    }

    fun write(folder: File, text: GreedyText = text(3), sample: LogitSample? = null): File {
        folder.mkdirs()
        folder.resolve("model.bin").writeText("weights")
        val reference: Reference = TextReference(REFERENCE_SCHEMA, 0.1, listOf(text), sample)
        folder.resolve("reference.json").writeText(Wire.json.encodeToString(Reference.serializer(), reference))
        val golden = Wire.readManifest(Repository.golden("manifest"))
        val files = listOf("model.bin" to FileKind.MODEL, "reference.json" to FileKind.REFERENCE).map { (path, kind) ->
            folder.resolve(path).let { FileEntry(path, kind, sha256(it), it.length()) }
        }
        val manifest = golden.copy(options = golden.options.copy(maxContext = MAX_CONTEXT, prefillChunk = CHUNK), files = files, contentId = contentIdOf(files))
        folder.resolve("manifest.json").writeText(Wire.json.encodeToString(Manifest.serializer(), manifest))
        return folder
    }

    /** Two rows of what [ScriptedRuntime] answers: 1 for the id that it chooses, else 0. */
    fun sample(tolerance: Double): LogitSample {
        val ids = greedy(2).distinct() + (VOCAB - 1)
        return LogitSample(ids, greedy(2).map { chosen -> ids.map { if (it == chosen) 1.0 else 0.0 } }, tolerance)
    }

    fun text(steps: Int, decisive: Boolean = true) = GreedyText(PROMPT, greedy(steps), List(steps) { 1.0 }, List(steps) { decisive })
}
