package dev.deepnarrow.harness

import android.app.Activity
import android.app.Instrumentation
import android.content.Intent
import android.os.Bundle
import dev.deepnarrow.core.Stage
import dev.deepnarrow.harness.ui.RunningState

/**
 * The headless door:
 *
 *     am instrument -w -r -e op prepare dev.deepnarrow.harness/.HarnessInstrumentation
 *     am instrument -w -r -e artifact DIR -e request <path or base64> dev.deepnarrow.harness/.HarnessInstrumentation
 *
 * `am instrument` ends whatever process of the package there is, a run's too, and starts a new one, which is the run's. Result code -1: a record was finished, or the folders are there; 0: refused, with the reason's code in `refusal`.
 */
open class HarnessInstrumentation : Instrumentation() {
    private var arguments = Bundle()

    override fun onCreate(arguments: Bundle?) {
        super.onCreate(arguments)
        this.arguments = arguments ?: Bundle()
        start()
    }

    override fun onStart() {
        super.onStart()
        try {
            finish(Activity.RESULT_OK, answer(AllowedFolders.of(targetContext)))
        } catch (error: Refused) {
            finish(Activity.RESULT_CANCELED, refusal(error))
        }
    }

    private fun refusal(error: Refused) = Bundle().apply {
        putString("refusal", error.code.word)
        putString("message", error.message)
    }

    private fun answer(folders: AllowedFolders): Bundle = when (val op = arguments.getString("op", "run")) {
        "prepare" -> prepare(folders)
        "run" -> run(folders)
        else -> throw Refused("op $op: choose from prepare, run")
    }

    private fun prepare(folders: AllowedFolders): Bundle {
        folders.prepare()
        return Bundle().apply { putString("media_dir", folders.media.path) }
    }

    private fun run(folders: AllowedFolders): Bundle {
        folders.prepare()
        val artifact = folders.artifact(argument("artifact"))
        val request = Requests.parse(argument("request"), folders)
        openScreen()
        val end = RunSession(targetContext, folders).run(artifact, request, Screen())
        return Bundle().apply {
            putString("run_id", end.runId)
            putString("outcome", end.outcome)
            putString("record", end.record.path)
            putString("message", end.message)
        }
    }

    private inner class Screen : RunScreen {
        override fun status(stage: Stage, done: Int, total: Int) = sendStatus(1, Bundle().apply {
            putString("stage", stage.word)
            putString("done", done.toString())
            putString("total", total.toString())
        })

        override fun draw(state: RunningState) {
            FullScreenActivity.current?.show(state)
        }
    }

    private fun argument(name: String): String =
        arguments.getString(name) ?: throw Refused("-e $name is missing; give -e op prepare, or -e artifact DIR -e request PATH_OR_BASE64")

    /** Brings the full screen to the front; without it the process would be scheduled as a background one. */
    protected open fun openScreen(): FullScreenActivity =
        startActivitySync(Intent(targetContext, FullScreenActivity::class.java).addFlags(Intent.FLAG_ACTIVITY_NEW_TASK)) as FullScreenActivity
}
