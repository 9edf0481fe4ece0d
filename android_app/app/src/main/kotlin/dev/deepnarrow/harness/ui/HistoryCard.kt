package dev.deepnarrow.harness.ui

import android.view.View
import android.widget.LinearLayout

/** Which earlier runs are shown; null is all. */
data class HistoryFilter(val name: String? = null, val osBuild: String? = null, val appBuild: String? = null) {
    fun keeps(run: RunSummary): Boolean =
        (name ?: run.results.name) == run.results.name && (osBuild ?: run.osBuild) == run.osBuild && (appBuild ?: run.appBuild) == run.appBuild
}

/** Earlier runs, setup by setup, with what can be done with them. */
class HistoryCard(private val kit: Kit, private val state: PickState, private val actions: PickActions) {
    private val shown = state.history.filter(state.filter::keeps)

    val view: View = kit.card(kit.heading("Earlier runs")).also(::fill)

    private fun fill(card: LinearLayout) {
        if (state.history.isEmpty()) return card.addView(kit.note("None on this phone yet."))
        filters().forEach { card.addView(kit.gap(4)); card.addView(it) }
        if (shown.isEmpty()) card.addView(kit.note("None of them passes the filter."))
        shown.groupBy { it.results }.forEach { (results, runs) -> group(card, results, runs.sortedByDescending { it.startedUtc }) }
        if (shown.isEmpty()) return
        card.addView(kit.gap(8))
        card.addView(kit.button("Share all ${shown.size} as one file") { actions.shareAll(shown) })
    }

    private fun group(card: LinearLayout, results: Results, runs: List<RunSummary>) {
        val title = runs.first().title
        val since = "${runs.size} runs, the last ${runs.first().startedUtc}"
        card.addView(kit.gap(8))
        card.addView(kit.body(title))
        card.addView(kit.note(since))
        card.addView(kit.gap(4))
        val delete = kit.button("Delete") { actions.delete(runs) }.apply {
            contentDescription = "Delete $title, $since"
            isEnabled = !state.busy
        }
        card.addView(kit.row(kit.button("Results") { actions.results(results) }.apply { contentDescription = "Results of $title, $since" }, delete))
        runs.take(SHOWN_RUNS).forEach { card.addView(runRow(kit, it, actions::share)) }
    }

    /** One button for each property in which the runs differ; a press goes on to the next value. */
    private fun filters(): List<View> = listOfNotNull(
        filter("Pair", state.filter.name, { it.results.name }) { state.filter.copy(name = it) },
        filter("Android", state.filter.osBuild, { it.osBuild }) { state.filter.copy(osBuild = it) },
        filter("App", state.filter.appBuild, { it.appBuild }) { state.filter.copy(appBuild = it) },
    )

    private fun filter(label: String, chosen: String?, of: (RunSummary) -> String, next: (String?) -> HistoryFilter): View? {
        val values = listOf(null) + state.history.map(of).distinct().sorted()
        if (values.size <= 2 && chosen == null) return null
        val following = values[(values.indexOf(chosen) + 1) % values.size]
        return kit.button("$label: ${chosen ?: "all"}") { actions.filter(next(following)) }
            .apply { contentDescription = "Filter by $label, now ${chosen ?: "all"}; next ${following ?: "all"}" }
    }

    private companion object {
        const val SHOWN_RUNS = 3
    }
}
