package dev.deepnarrow.harness

import android.app.Activity
import android.app.AlertDialog
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.View
import dev.deepnarrow.core.newSession
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_ARTIFACT
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_MESSAGE
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_OUTCOME
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_REQUEST
import dev.deepnarrow.harness.RunActivity.Companion.EXTRA_RUN_ID
import dev.deepnarrow.harness.ui.Choice
import dev.deepnarrow.harness.ui.HistoryFilter
import dev.deepnarrow.harness.ui.MessageScreen
import dev.deepnarrow.harness.ui.PairComparison
import dev.deepnarrow.harness.ui.PickActions
import dev.deepnarrow.harness.ui.PickScreen
import dev.deepnarrow.harness.ui.ResultScreen
import dev.deepnarrow.harness.ui.Results
import dev.deepnarrow.harness.ui.RunSummary
import dev.deepnarrow.harness.ui.Side
import java.security.SecureRandom
import java.util.concurrent.Executor
import java.util.concurrent.Executors

/** Pick a pair or one model, run it, read the result. Other apps can open it and nothing more: what an intent carries is not read. */
class HarnessActivity : Activity(), PickActions {
    private val main = Handler(Looper.getMainLooper())
    private val desk by lazy { Desk(this, AllowedFolders.of(this)) }
    private var choice = Choice(null, DEFAULT_THREADS, listOf(0, 512), PairComparison.DEFAULT_RUNS)
    private var resultsOf: Results? = null
    private var series: Series? = null
    private var filter = HistoryFilter()

    /** A run's screen is open and has not answered. */
    private var awaiting = false
    private val busy: Boolean get() = awaiting || series != null

    override fun onCreate(savedInstanceState: Bundle?) {
        applyTheme()
        super.onCreate(savedInstanceState)
        if (savedInstanceState != null) restore(savedInstanceState)
        guarded {
            desk.folders.prepare()
            refresh()
            if (!awaiting) startNext() // The activity was made again while it waited for the process of the run before.
        }
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putString("chosen", choice.key)
        outState.putInt("chosen_threads", choice.numThreads)
        outState.putIntArray("chosen_contexts", choice.contexts.toIntArray())
        outState.putInt("chosen_runs", choice.runsPerSide)
        resultsOf?.let { outState.putStringArray("results", arrayOf(it.pool, it.name)) }
        outState.putStringArray("filter", filter.run { arrayOf(name, osBuild, appBuild) })
        outState.putBoolean("awaiting", awaiting)
        series?.save(outState)
    }

    private fun restore(state: Bundle) {
        val contexts = state.getIntArray("chosen_contexts")?.toList() ?: choice.contexts
        choice = Choice(state.getString("chosen"), state.getInt("chosen_threads"), contexts, state.getInt("chosen_runs"))
        resultsOf = state.getStringArray("results")?.let { (pool, name) -> Results(pool, name) }
        state.getStringArray("filter")?.let { (name, osBuild, appBuild) -> filter = HistoryFilter(name, osBuild, appBuild) }
        awaiting = state.getBoolean("awaiting")
        series = Series.restore(state)
    }

    /** Reads the folders away from the main thread and shows what is there. */
    override fun refresh(): Unit = onWorker(desk::look, ::show)

    private fun show(snapshot: Snapshot) {
        if (choice.key !in snapshot.choices.map { it.key }) choice = choice.copy(key = snapshot.choices.firstOrNull()?.key)
        val pool = snapshot.history.filter { it.results.pool == resultsOf?.pool }
        val shown = resultsOf?.takeIf { pool.any { run -> run.results == it } }
        showScreen(
            if (shown != null) ResultScreen(this, PairComparison(pool, shown.name), ::share, ::closeResults).view
            else PickScreen(this, desk.pickState(snapshot, choice, filter, busy), this).view,
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
        val repaint = choice.key != this.choice.key
        this.choice = choice
        if (repaint) refresh()
    }

    override fun run() {
        if (!busy) guarded(::startSeries)
    }

    private fun startSeries() {
        val key = choice.key ?: throw Refused("nothing is chosen")
        val first = if (drawn()) Side.DEEP else Side.WIDE
        series = Series(newSession(System.currentTimeMillis()), key, choice.numThreads, choice.contexts, choice.runsPerSide, first)
        startNext()
    }

    override fun results(of: Results) {
        resultsOf = of
        refresh()
    }

    private fun closeResults() {
        resultsOf = null
        refresh()
    }

    override fun share(run: RunSummary) = send(RecordProvider.uri(this, run.runId), "application/json", "Share the record")

    override fun shareAll(runs: List<RunSummary>): Unit = onWorker({ desk.archive(runs) }) { name ->
        send(RecordProvider.archiveUri(this, name), "application/zip", "Share ${runs.size} records")
    }

    private fun send(uri: Uri, type: String, title: String) {
        val send = Intent(Intent.ACTION_SEND).setType(type).putExtra(Intent.EXTRA_STREAM, uri).addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        send.clipData = ClipData.newRawUri(title, uri) // The grant follows the clip through the chooser.
        startActivity(Intent.createChooser(send, title))
    }

    override fun delete(runs: List<RunSummary>) {
        AlertDialog.Builder(this).setMessage("Delete ${runs.size} runs of ${runs.first().title} from this phone? Their records are gone then.")
            .setPositiveButton("Delete") { _, _ -> if (!busy) onWorker({ desk.delete(runs) }) { refresh() } }
            .setNegativeButton("Keep", null).show()
    }

    override fun filter(filter: HistoryFilter) {
        this.filter = filter
        refresh()
    }

    /** [work] away from the main thread, then [done] on it. */
    private fun <T> onWorker(work: () -> T, done: (T) -> Unit): Unit = worker.execute {
        try {
            val result = work()
            main.post { if (!isDestroyed) done(result) }
        } catch (error: Refused) {
            main.post { if (!isDestroyed) message(error) }
        }
    }

    private fun startNext() {
        val series = series ?: return
        worker.execute {
            try {
                val next = desk.planned(series)
                main.post { if (next == null) end(null) else whenRunProcessIsGone { start(next.first.path, next.second) } }
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
        series = series?.let { it.copy(next = it.next + 1, last = data?.getStringExtra(EXTRA_RUN_ID)) }?.takeIf { completed }
        if (data != null && data.getStringExtra(EXTRA_OUTCOME) == null) return message(Refused(data.getStringExtra(EXTRA_MESSAGE).orEmpty()))
        if (series != null) startNext() else end(data?.getStringExtra(EXTRA_RUN_ID))
    }

    /** The series is over, or its run [runId] did not complete: shows the results that this run belongs to. */
    private fun end(runId: String?) {
        val last = runId ?: series?.last
        series = null
        guarded {
            resultsOf = desk.resultsOf(last)
            refresh()
        }
    }

    companion object {
        private const val RUN = 1
        private const val DEFAULT_THREADS = 4
        private const val PROCESS_POLL_MS = 100L
        private const val COMPLETED = "completed"

        /** Whether the deep side begins; tests put a known draw here. */
        internal var drawn: () -> Boolean = SecureRandom()::nextBoolean

        /** Reads folders; tests put one here that runs at once. */
        internal var worker: Executor = Executors.newSingleThreadExecutor()
    }
}
