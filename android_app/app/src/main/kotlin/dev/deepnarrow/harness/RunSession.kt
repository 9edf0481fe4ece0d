package dev.deepnarrow.harness

import android.content.Context
import dev.deepnarrow.core.Completed
import dev.deepnarrow.core.Failed
import dev.deepnarrow.core.MemoryBandwidthProbe
import dev.deepnarrow.core.RunListener
import dev.deepnarrow.core.RunProtocol
import dev.deepnarrow.core.RunRecord
import dev.deepnarrow.core.RunRequest
import dev.deepnarrow.core.RunStore
import dev.deepnarrow.core.Running
import dev.deepnarrow.core.Skipped
import dev.deepnarrow.core.Stage
import dev.deepnarrow.harness.ui.RunningState
import dev.deepnarrow.harness.ui.StepLatencies
import java.io.File
import java.io.IOException

/** How a run ended: [outcome] and [message] as `am instrument` reports them. */
class RunEnd(val runId: String, val outcome: String, val message: String?, val record: File)

/** One run in this process, from the lock to `done.json`. */
class RunSession(private val context: Context, private val folders: AllowedFolders) {
    /** [show] is called outside the timed regions, on the calling thread. Throws [Refused] if nothing was recorded. */
    fun run(artifact: File, request: RunRequest, show: (RunningState) -> Unit): RunEnd = RunLock.acquire(context.noBackupFilesDir).use {
        val store = refusing { RunStore.create(folders.runs, request.runId) }
        val listener = Listener(request, PhoneReadings(context), ProcessDeaths(context), show)
        val protocol = RunProtocol(
            engines = Engines.of(context),
            device = AndroidDeviceProbe(context, { StageActivity.foreground }),
            bandwidth = MemoryBandwidthProbe(SharedProbeMemory, Engines.graphReader()),
            clock = AndroidClock,
            listener = listener,
        )
        val record = try {
            protocol.run(artifact, request, store)
        } catch (error: IOException) {
            throw Refused("${store.folder}: the record cannot be written: ${error.message}")
        }
        end(record, store)
    }

    private fun end(record: RunRecord, store: RunStore): RunEnd {
        val (word, message) = when (val outcome = record.outcome) {
            Completed -> "completed" to null
            is Failed -> "failed" to "${outcome.failure.word} in stage ${outcome.stage.word}: ${outcome.message}"
            is Skipped -> "skipped" to outcome.message
            is Running -> error("the protocol returned while running: ${outcome.stage.word}")
        }
        return RunEnd(record.request.runId, word, message, store.recordFile)
    }
}

/** Turns what the protocol tells into what the screen shows, and leaves a note for the case that the process dies. */
private class Listener(
    private val request: RunRequest,
    private val readings: PhoneReadings,
    private val deaths: ProcessDeaths,
    private val show: (RunningState) -> Unit,
) : RunListener {
    private var record: RunRecord? = null
    private var noted: Stage? = null

    override fun onRecord(record: RunRecord) {
        this.record = record
    }

    override fun onProgress(stage: Stage, done: Int, total: Int) {
        if (stage != noted) deaths.doing(request.runId, stage.word)
        noted = stage
        val record = record
        show(
            RunningState(
                title = record?.artifact?.shapeName ?: "Preparing",
                side = record?.artifact?.arm?.let(Summaries::side),
                stage = stage.word,
                done = done,
                total = total,
                conditions = Conditions.line(readings),
                concerns = record?.concerns.orEmpty().map(Summaries::line),
                latencies = record?.decode.orEmpty().map { StepLatencies(it.depth, it.forwardNs.toLongArray()) },
            ),
        )
    }
}
