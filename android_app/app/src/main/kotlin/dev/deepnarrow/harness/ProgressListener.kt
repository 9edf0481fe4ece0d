package dev.deepnarrow.harness

import dev.deepnarrow.core.RunListener
import dev.deepnarrow.core.RunRecord
import dev.deepnarrow.core.RunRequest
import dev.deepnarrow.core.Stage
import dev.deepnarrow.harness.ui.RunningState
import dev.deepnarrow.harness.ui.StepLatencies

/** Where a run is watched. */
interface RunScreen {
    /** A sign of life, cheap enough for the middle of a context. */
    fun status(stage: Stage, done: Int, total: Int) = Unit

    /** Something new to see, between stages and contexts only; returns once it is drawn. */
    fun draw(state: RunningState)
}

/** Turns what the protocol tells into what the screen shows, and leaves a note for the case that the process dies. */
internal class ProgressListener(
    private val request: RunRequest,
    private val readings: PhoneReadings,
    private val deaths: ProcessDeaths,
    private val screen: RunScreen,
) : RunListener {
    private var record: RunRecord? = null
    private var noted: Stage? = null
    private var drawn: Triple<Stage, Int, Int>? = null

    override fun onRecord(record: RunRecord) {
        this.record = record
    }

    override fun onProgress(stage: Stage, done: Int, total: Int) {
        val isNew = stage != noted
        if (isNew) deaths.doing(request.runId, stage.word)
        noted = stage
        screen.status(stage, done, total)
        val now = Triple(stage, done, total)
        if (isHeartbeat(now, isNew)) return
        drawn = now
        screen.draw(state(stage, done, total))
    }

    /** Between steps of one context or of the sustained phase: reading the phone and drawing would cost the next steps time. */
    private fun isHeartbeat(now: Triple<Stage, Int, Int>, isNew: Boolean): Boolean = when (now.first) {
        Stage.DECODE -> now == drawn
        Stage.SUSTAINED -> !isNew
        else -> false
    }

    private fun state(stage: Stage, done: Int, total: Int) = RunningState(
        title = record?.artifact?.shapeName ?: "Preparing",
        side = record?.artifact?.arm?.let(Summaries::side),
        stage = stage.word,
        done = done,
        total = total,
        phoneState = PhoneStateText.line(readings),
        concerns = record?.concerns.orEmpty().map(Summaries::line),
        latencies = record?.decode.orEmpty().map { StepLatencies(it.context, it.forwardNs.toLongArray()) },
    )
}
