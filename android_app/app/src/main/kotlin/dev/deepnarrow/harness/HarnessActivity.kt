package dev.deepnarrow.harness

import android.app.Activity
import android.content.Intent
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.View
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_ARTIFACT
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_MESSAGE
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_OUTCOME
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_REQUEST
import dev.deepnarrow.harness.ui.Choice
import dev.deepnarrow.harness.ui.MessageScreen
import dev.deepnarrow.harness.ui.PickActions
import dev.deepnarrow.harness.ui.PickScreen
import dev.deepnarrow.harness.ui.ResultScreen
import dev.deepnarrow.harness.ui.RunSummary
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/**
 * Pick a pair, run it, read the result. With the extras `artifact` and `request` it starts that run at once:
 *
 *     am start -n dev.deepnarrow.harness/.HarnessActivity --es artifact DIR --es request <path or base64>
 */
class HarnessActivity : Activity(), PickActions {
    private val main = Handler(Looper.getMainLooper())
    private val desk by lazy { Desk(this, AllowedFolders.of(this)) }
    private var choice = Choice(null, DEFAULT_THREADS, listOf(0, 512), runsPerSide = 1)
    private var resultsOf: String? = null
    private var series: Series? = null

    /** A run's screen is open and has not answered. */
    private var awaiting = false

    /** The run that the intent asks for was started. */
    private var startedAsked = false
    private val busy: Boolean get() = awaiting || series != null

    override fun onCreate(savedInstanceState: Bundle?) {
        applyTheme()
        super.onCreate(savedInstanceState)
        if (savedInstanceState != null) restore(savedInstanceState)
        guarded {
            desk.folders.prepare()
            if (intent.hasExtra(EXTRA_ARTIFACT) && !startedAsked) startAsked(intent) else refresh()
            if (!awaiting) startNext() // The activity was made again while it waited for the process of the run before.
        }
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        if (!intent.hasExtra(EXTRA_ARTIFACT)) return
        guarded {
            if (busy) throw Refused(RunLock.ANOTHER_RUN)
            setIntent(intent)
            startedAsked = false
            startAsked(intent)
        }
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString("chosen", choice.pairKey)
        outState.putInt("chosen_threads", choice.numThreads)
        outState.putIntArray("chosen_contexts", choice.contexts.toIntArray())
        outState.putInt("chosen_runs", choice.runsPerSide)
        outState.putString("results", resultsOf)
        outState.putBoolean("awaiting", awaiting)
        outState.putBoolean("started_asked", startedAsked)
        series?.save(outState)
    }

    private fun restore(state: Bundle) {
        val contexts = state.getIntArray("chosen_contexts")?.toList() ?: choice.contexts
        choice = Choice(state.getString("chosen"), state.getInt("chosen_threads"), contexts, state.getInt("chosen_runs"))
        resultsOf = state.getString("results")
        awaiting = state.getBoolean("awaiting")
        startedAsked = state.getBoolean("started_asked")
        series = Series.restore(state)
    }

    /** Reads the folders away from the main thread and shows what is there. */
    override fun refresh(): Unit = worker.execute {
        try {
            val snapshot = desk.look()
            main.post { if (!isDestroyed) show(snapshot) }
        } catch (error: Refused) {
            main.post { if (!isDestroyed) message(error) }
        }
    }

    private fun show(snapshot: Snapshot) {
        if (choice.pairKey !in snapshot.pairs.map { it.key }) choice = choice.copy(pairKey = snapshot.pairs.firstOrNull()?.key)
        val runs = resultsOf?.let { key -> snapshot.history.filter { it.pairKey == key } }.orEmpty()
        showScreen(
            if (runs.isNotEmpty()) ResultScreen(this, runs, ::share, ::closeResults).view
            else PickScreen(this, desk.pickState(snapshot, choice, busy), this).view,
        )
    }

    private fun showScreen(view: View) = setContentView(view)

    private fun message(error: Refused): Unit = showScreen(MessageScreen(this, error.message.orEmpty()) { refresh() }.view)

    private fun guarded(action: () -> Unit): Unit = try {
        action()
    } catch (error: Refused) {
        message(error)
    }

    override fun choose(choice: Choice) {
        val repaint = choice.pairKey != this.choice.pairKey
        this.choice = choice
        if (repaint) refresh()
    }

    override fun run() {
        if (!busy) guarded(::startSeries)
    }

    private fun startSeries() {
        val key = choice.pairKey ?: throw Refused("no pair is chosen")
        series = Series(desk.newCampaign(), key, choice.numThreads, choice.contexts, choice.runsPerSide)
        startNext()
    }

    override fun results(pairKey: String) {
        resultsOf = pairKey
        refresh()
    }

    private fun closeResults() {
        resultsOf = null
        refresh()
    }

    override fun share(run: RunSummary) {
        val uri = RecordProvider.uri(this, run.runId)
        val send = Intent(Intent.ACTION_SEND).setType("application/json").putExtra(Intent.EXTRA_STREAM, uri)
            .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        send.clipData = android.content.ClipData.newRawUri(run.runId, uri) // The grant follows the clip through the chooser.
        startActivity(Intent.createChooser(send, "Share the record"))
    }

    private fun startAsked(intent: Intent) {
        val artifact = desk.folders.readable(intent.getStringExtra(EXTRA_ARTIFACT).orEmpty())
        val request = intent.getStringExtra(EXTRA_REQUEST) ?: throw Refused("the extra $EXTRA_REQUEST is missing")
        Requests.parse(request, desk.folders)
        if (desk.isRunProcessAlive()) refresh() // Something to look at while it waits.
        whenRunProcessIsGone {
            startedAsked = true
            start(artifact.path, request)
        }
    }

    private fun startNext() {
        val series = series ?: return
        worker.execute {
            try {
                val (artifact, request) = desk.planned(series)
                main.post { whenRunProcessIsGone { start(artifact.path, request) } }
            } catch (error: Refused) {
                main.post {
                    this.series = null
                    message(error)
                }
            }
        }
    }

    /** The process of the run before may still be ending, and a run in it would not be a fresh one. */
    private fun whenRunProcessIsGone(action: () -> Unit) {
        if (isDestroyed) return
        if (desk.isRunProcessAlive()) main.postDelayed({ whenRunProcessIsGone(action) }, PROCESS_POLL_MS) else action()
    }

    private fun start(artifact: String, request: String) {
        awaiting = true
        startActivityForResult(Intent(this, RunActivity::class.java).putExtra(EXTRA_ARTIFACT, artifact).putExtra(EXTRA_REQUEST, request), RUN)
    }

    /** A run that did not complete ends the series: going on would only repeat it, on a phone that grows warmer. */
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        super.onActivityResult(requestCode, resultCode, data)
        if (requestCode != RUN) return
        awaiting = false
        val completed = data?.getStringExtra(EXTRA_OUTCOME) == COMPLETED
        val before = series
        series = before?.copy(next = before.next + 1)?.takeUnless { it.isOver || !completed }
        if (data != null && data.getStringExtra(EXTRA_OUTCOME) == null) return message(Refused(data.getStringExtra(EXTRA_MESSAGE).orEmpty()))
        if (series != null) return startNext()
        guarded {
            resultsOf = desk.resultsKey(data?.getStringExtra(RunActivity.EXTRA_RUN_ID))
            refresh()
        }
    }

    companion object {
        private const val RUN = 1
        private const val DEFAULT_THREADS = 4
        private const val PROCESS_POLL_MS = 100L
        private const val COMPLETED = "completed"

        /** Reads folders; tests put one here that runs at once. */
        internal var worker: Executor = Executors.newSingleThreadExecutor()
    }
}
