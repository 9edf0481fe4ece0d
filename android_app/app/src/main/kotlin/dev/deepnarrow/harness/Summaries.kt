package dev.deepnarrow.harness

import dev.deepnarrow.core.Arm
import dev.deepnarrow.core.ArtifactFacts
import dev.deepnarrow.core.Completed
import dev.deepnarrow.core.Concern
import dev.deepnarrow.core.DecodeSamples
import dev.deepnarrow.core.DeviceKind
import dev.deepnarrow.core.Failed
import dev.deepnarrow.core.RunRecord
import dev.deepnarrow.core.Running
import dev.deepnarrow.core.Severity
import dev.deepnarrow.core.Setup
import dev.deepnarrow.core.Skipped
import dev.deepnarrow.core.comparisonKey
import dev.deepnarrow.harness.ui.ContextSummary
import dev.deepnarrow.harness.ui.Ending
import dev.deepnarrow.harness.ui.Results
import dev.deepnarrow.harness.ui.RunSummary
import dev.deepnarrow.harness.ui.Side

/** What the screens show of a record. */
object Summaries {
    /**
     * @param finished whether `done.json` is there; a record without it is of a process that died.
     * @param death what Android says about that death.
     */
    fun of(record: RunRecord, finished: Boolean, death: String?): RunSummary {
        val (ending, message) = ending(record, finished, death)
        val artifact = record.artifact
        return RunSummary(
            runId = record.request.runId,
            startedUtc = record.startedUtc,
            side = artifact?.arm?.let(::side),
            shapeName = artifact?.shapeName ?: "no artifact",
            contentId = artifact?.contentId,
            results = results(record),
            place = record.request.plan?.run { "$campaign $block $repetition" },
            beforeItReported = comparisonKey(record)?.run { text(setup.copy(runtime = null, backends = emptyList(), charging = null)) },
            title = artifact?.let { title(it, record.request.protocol.numThreads) } ?: "no artifact",
            device = device(record),
            osBuild = record.device.osBuild,
            appBuild = record.harness.run { "$version ${build?.take(BUILD_DIGITS) ?: "unknown"}" + if (debug) " debug" else "" },
            phone = record.device.kind == DeviceKind.PHONE,
            ending = ending,
            message = message,
            invalid = record.concerns.filter { it.severity == Severity.INVALID }.map(::line) + listOfNotNull(CANARY.takeIf { record.request.plan?.canary == true }),
            warnings = record.concerns.filter { it.severity == Severity.WARNING }.map(::line),
            contexts = if (artifact == null) emptyList() else record.decode.map { context(it, artifact) },
            ceilingBytesPerS = record.bandwidth?.ceilingBytesPerS,
            highWaterBytes = record.memory.lastOrNull()?.highWaterBytes,
        )
    }

    fun side(arm: Arm): Side = if (arm == Arm.DEEP) Side.DEEP else Side.WIDE

    fun line(concern: Concern): String = "${concern.code.word}: ${concern.detail}"

    /** Only runs with equal setups stand together; the sides of a pair then differ in the network alone. */
    private fun results(record: RunRecord): Results {
        val name = record.artifact?.let { if (it.arm == null) it.shapeName else it.pair } ?: "no artifact"
        return Results(comparisonKey(record)?.let { text(it.setup) }.orEmpty(), name)
    }

    private fun text(setup: Setup) = setup.asJson().toString()

    private fun title(artifact: ArtifactFacts, numThreads: Int) =
        "${artifact.pair}, ${artifact.target.word} ${artifact.scheme.word}, $numThreads ${if (numThreads == 1) "thread" else "threads"}"

    private fun device(record: RunRecord): String = record.device.run {
        val name = listOfNotNull(manufacturer, model).joinToString(" ")
        if (kind == DeviceKind.PHONE) "$name, Android $osVersion" else "${kind.word}: $name, $os $osVersion"
    }

    /** Step i of n attends context + i + 1 positions, the middle one context + (n + 1) / 2. */
    private fun context(samples: DecodeSamples, artifact: ArtifactFacts): ContextSummary {
        val attended = samples.context + (samples.forwardNs.size + 1) / 2.0
        return ContextSummary(samples.context, samples.forwardNs.toLongArray(), artifact.weightBytesRead + attended * artifact.kvBytesPerPosition)
    }

    private const val BUILD_DIGITS = 8
    private const val CANARY = "canary: it tells whether the device is well and is never compared"

    private fun ending(record: RunRecord, finished: Boolean, death: String?): Pair<Ending, String?> = when (val outcome = record.outcome) {
        is Failed -> Ending.FAILED to "${outcome.failure.word} in stage ${outcome.stage.word}: ${outcome.message}"
        is Skipped -> Ending.SKIPPED to outcome.message
        is Running -> Ending.DIED to (death ?: "the process ended in stage ${outcome.stage.word}")
        Completed -> if (finished) Ending.COMPLETED to null else Ending.DIED to (death ?: "the process ended before done.json was written")
    }
}
