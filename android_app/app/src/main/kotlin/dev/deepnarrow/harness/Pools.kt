package dev.deepnarrow.harness

import dev.deepnarrow.harness.ui.RunSummary

/** Which runs stand together on the screens. */
object Pools {
    /**
     * A run that ended before its runtime or the charger reported has a setup of its own. It is shown with the runs that it was
     * started with, among which it counts as one that is not usable.
     */
    fun joined(runs: List<RunSummary>): List<RunSummary> {
        val pools = runs.filter { it.usable }.groupBy { it.beforeItReported to it.results.name }
        val withUsable = runs.filter { it.usable }.map { it.results }.toSet()
        return runs.map { run ->
            val others = pools[run.beforeItReported to run.results.name]
            if (run.usable || others == null || run.results in withUsable) run else run.copy(results = others.first().results)
        }
    }
}
