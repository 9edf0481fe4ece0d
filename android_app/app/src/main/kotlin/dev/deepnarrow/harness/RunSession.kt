package dev.deepnarrow.harness

import android.content.Context
import dev.deepnarrow.core.Completed
import dev.deepnarrow.core.Failed
import dev.deepnarrow.core.FailureKind
import dev.deepnarrow.core.MemoryBandwidthProbe
import dev.deepnarrow.core.RefusalCode
import dev.deepnarrow.core.RunListener
import dev.deepnarrow.core.RunProtocol
import dev.deepnarrow.core.RunRecord
import dev.deepnarrow.core.RunRequest
import dev.deepnarrow.core.RunStore
import dev.deepnarrow.core.Running
import dev.deepnarrow.core.Skipped
import dev.deepnarrow.core.UserError
import java.io.File
import java.io.IOException

/** How a run ended: [outcome] and [message] as `am instrument` reports them. */
class RunEnd(val runId: String, val outcome: String, val message: String?, val record: File)

/** One run in this process, from the lock to `done.json`. */
class RunSession(private val context: Context, private val folders: AllowedFolders) {
    /** [screen] is called outside the timed regions, on the calling thread. Throws [Refused] if nothing was recorded. */
    fun run(artifact: File, request: RunRequest, screen: RunScreen): RunEnd = RunLock.acquire(context.noBackupFilesDir).use {
        val store = create(request.runId)
        val readings = PhoneReadings(context)
        FullScreenActivity.beginRun()
        val protocol = RunProtocol(
            engines = Engines.of(context),
            device = AndroidDeviceProbe(context, readings, FullScreenActivity::stayedInForeground),
            bandwidth = MemoryBandwidthProbe(SharedProbeMemory, Engines.graphReader()),
            clock = AndroidClock,
            listener = ProgressListener(request, readings, ProcessDeaths(context), screen),
        )
        try {
            end(protocol.run(artifact, request, store), store)
        } catch (error: IOException) {
            unwritten(request, store, error)
        }
    }

    /** A folder that is there already is the request's fault; one that cannot be made is the disk's. */
    private fun create(runId: String): RunStore = try {
        RunStore.create(folders.runs, runId)
    } catch (error: UserError) {
        val code = if (folders.runs.resolve(runId).exists()) RefusalCode.REQUEST else RefusalCode.SHARED_STORAGE
        throw Refused(error.message.orEmpty(), code)
    }

    /** The disk failed. Once the shell of the record is there, a run has begun and did not end well, which is no bad input. */
    private fun unwritten(request: RunRequest, store: RunStore, error: IOException): RunEnd {
        val message = "${FailureKind.STORAGE.word}: ${store.folder}: the record cannot be written: ${error.message.orEmpty().lineSequence().first()}"
        if (store.recordFile.isFile) return RunEnd(request.runId, "failed", message, store.recordFile)
        store.folder.delete()
        throw Refused(message, RefusalCode.SHARED_STORAGE)
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
