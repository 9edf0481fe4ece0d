package dev.deepnarrow.core

import java.io.File

/** One run of the real protocol on scripted parts; [events] is everything that happened, in order. */
internal class ScriptedRun(private val folder: File, text: GreedyText = ScriptedArtifact.text(3), sample: LogitSample? = null) {
    val events = ArrayList<String>()
    val clock = ScriptedClock()
    val device = ScriptedDevice(clock, events)
    val runtime = ScriptedRuntime(ScriptedArtifact.VOCAB, clock, events)
    val engine = ScriptedEngine(runtime, events)
    val artifact = ScriptedArtifact.write(folder.resolve("artifact"), text, sample)
    val store = RunStore.create(folder.resolve("runs"), "run-1")
    var request = RunRequest(
        runId = "run-1",
        protocol = Protocol(
            numThreads = 2, promptLengths = listOf(3, 6), prefillRepetitions = 2, contexts = listOf(0, 5), decodeSteps = 3, warmUpSteps = 2,
            probe = ProbeProtocol(1L shl 20, 3),
        ),
    )
    var stage = Stage.ENVIRONMENT
    var onStage: (Stage) -> Unit = {}
    var onProgress: (Stage, Int, Int) -> Unit = { _, _, _ -> }
    var graph: GraphReaderFactory? = null

    fun protocol(change: Protocol.() -> Protocol) = apply { request = request.copy(protocol = request.protocol.change()) }

    fun run(): RunRecord = RunProtocol(listOf(engine), device, MemoryBandwidthProbe(::memory, graph), clock, Listener()).run(artifact, request, store)

    /** What the runtime was told from the start of [stage] on until the next one. */
    fun calls(stage: Stage): List<String> = events.dropWhile { it != "stage ${stage.word}" }.drop(1).takeWhile { !it.startsWith("stage ") }
        .filter { it.startsWith("write") || it == "forward" }

    private fun memory(bytes: Long): ProbeMemory {
        events += "allocate $bytes"
        return HeapMemory(bytes)
    }

    private inner class Listener : RunListener {
        override fun onProgress(stage: Stage, done: Int, total: Int) {
            if (stage != this@ScriptedRun.stage || events.none { it.startsWith("stage ") }) {
                this@ScriptedRun.stage = stage
                events += "stage ${stage.word}"
                onStage(stage)
            }
            this@ScriptedRun.onProgress(stage, done, total)
        }
    }
}
