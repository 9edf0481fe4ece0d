package dev.deepnarrow.core

import java.io.IOException
import java.time.Instant

/** The harness looked and says no, with the kind of failure it is. */
internal class Refusal(val failure: FailureKind, message: String) : Exception(message)

/** The run is over before its last stage; the record says why. */
internal class RunEnded : Exception()

/** One run's record while it grows: a shell first, whole again after each stage, `done.json` last. */
internal class Journal(
    private val store: RunStore,
    request: RunRequest,
    device: DeviceProbe,
    private val clock: Clock,
    private val listener: RunListener,
) {
    private val probe = device
    private val startedNs = clock.monotonicNs()
    private var stage = Stage.ENVIRONMENT

    /** Whether the peak of memory began anew after the bandwidth probe; if not, it is no number of the model's. */
    var peakIsTheModels = false

    var record = RunRecord(
        request = request, outcome = Running(Stage.ENVIRONMENT), harness = device.harness(), device = device.device(),
        artifact = null, startedUtc = Instant.ofEpochMilli(clock.wallMs()).toString(), durationNs = null, startWaitNs = null,
        environmentBefore = null, environmentAfter = null, bandwidth = null, load = null, observed = null, selfCheck = null,
        prefill = emptyList(), decode = emptyList(), sustained = null, memory = emptyList(), concerns = emptyList(), evidence = null,
    )
        private set

    init {
        store.writeRecord(record)
    }

    /** Puts measured parts into the record, in memory; they are written when the stage ends. */
    fun note(change: RunRecord.() -> RunRecord) {
        record = record.change()
        listener.onRecord(record)
    }

    fun progress(done: Int, total: Int) = listener.onProgress(stage, done, total)

    /** Runs a stage. Whatever it throws becomes a failed record, of kind [onError] where the runtime failed. */
    fun <T> stage(stage: Stage, onError: FailureKind, block: () -> T): T {
        this.stage = stage
        return try {
            enter()
            block().also { leave() }
        } catch (ended: RunEnded) {
            throw ended
        } catch (error: OutOfMemoryError) {
            fail(FailureKind.OUT_OF_MEMORY, "the heap is full: ${oneLine(error)}", error)
        } catch (error: IOException) {
            fail(FailureKind.STORAGE, oneLine(error), error)
        } catch (error: Exception) { // A record must say why the run ended, whatever the reason is.
            fail(kindOf(error, onError), messageOf(error), error)
        }
    }

    /** Writes the final record and declares it complete. */
    fun end(outcome: Outcome): RunRecord {
        note { copy(outcome = outcome, durationNs = clock.monotonicNs() - startedNs) }
        store.writeRecord(record)
        store.writeDone(record.request.runId)
        return record
    }

    private fun enter() {
        note { copy(outcome = Running(stage)) }
        store.writeRecord(record)
        progress(0, 1)
    }

    private fun leave() {
        if (stage >= Stage.LOAD) note { copy(memory = memory + memoryNow()) }
        store.writeRecord(record)
        progress(1, 1)
    }

    private fun memoryNow(): MemoryPoint = probe.memory(stage).let { if (peakIsTheModels) it else it.copy(highWaterBytes = null) }

    private fun fail(kind: FailureKind, message: String, cause: Throwable): Nothing {
        end(Failed(stage, kind, message))
        throw RunEnded().apply { initCause(cause) }
    }

    private fun kindOf(error: Exception, onError: FailureKind): FailureKind = when (error) {
        is Refusal -> error.failure
        is UserError -> FailureKind.ARTIFACT
        is RuntimeFailure -> if (error.outOfMemory) FailureKind.OUT_OF_MEMORY else onError
        else -> FailureKind.INTERNAL
    }

    private fun messageOf(error: Exception): String = when (error) {
        is Refusal, is UserError, is RuntimeFailure -> oneLine(error)
        else -> "${error.javaClass.simpleName}: ${oneLine(error)}"
    }
}
