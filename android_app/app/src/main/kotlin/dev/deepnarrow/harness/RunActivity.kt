package dev.deepnarrow.harness

import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.os.Process
import dev.deepnarrow.harness.ui.RunningState
import kotlin.concurrent.thread

/**
 * One run in the process `:run`. The process is new when the activity starts and ends with it, so that one run is one process:
 * no warm cache, no leftover thread pool, no heap of an earlier model. [HarnessActivity] waits until it is gone before it starts the next.
 */
class RunActivity : FullScreenActivity() {
    private var refused = false

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        if (refused) return refuse()
        if (started) return // Made again, while its run goes on.
        started = true
        thread(name = "run") {
            awaitFront()
            val answer = answer(intent)
            Handler(Looper.getMainLooper()).post {
                val screen = current ?: this
                screen.setResult(RESULT_OK, answer)
                screen.finish()
            }
        }
    }

    /** Started a second time; a screen that Android makes again has a saved state. */
    override fun isRefused(savedInstanceState: Bundle?): Boolean {
        refused = started && savedInstanceState == null
        return refused
    }

    private fun refuse() {
        setResult(RESULT_OK, Intent().putExtra(EXTRA_MESSAGE, RunLock.ANOTHER_RUN))
        finish()
    }

    private fun answer(intent: Intent): Intent = try {
        val folders = AllowedFolders.of(this)
        val artifact = folders.artifact(intent.getStringExtra(EXTRA_ARTIFACT) ?: throw Refused("$EXTRA_ARTIFACT is missing"))
        val request = Requests.parse(intent.getStringExtra(EXTRA_REQUEST) ?: throw Refused("$EXTRA_REQUEST is missing"), folders)
        val end = RunSession(this, folders).run(artifact, request, Screen)
        Intent().putExtra(EXTRA_RUN_ID, end.runId).putExtra(EXTRA_OUTCOME, end.outcome).putExtra(EXTRA_MESSAGE, end.message)
    } catch (error: Refused) {
        Intent().putExtra(EXTRA_MESSAGE, error.message)
    }

    private object Screen : RunScreen {
        override fun draw(state: RunningState) {
            current?.show(state)
        }
    }

    override fun stop() {
        setResult(RESULT_CANCELED)
        finish()
    }

    override fun onDestroy() {
        super.onDestroy()
        if (isFinishing && !refused) Process.killProcess(Process.myPid())
    }

    companion object {
        const val EXTRA_ARTIFACT = "artifact"
        const val EXTRA_REQUEST = "request"
        const val EXTRA_RUN_ID = "run_id"
        const val EXTRA_OUTCOME = "outcome"
        const val EXTRA_MESSAGE = "message"

        /** Of this process; tests, which have one process for all, clear it. */
        @Volatile
        internal var started = false
    }
}
