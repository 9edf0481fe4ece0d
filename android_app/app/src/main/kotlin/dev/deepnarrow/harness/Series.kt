package dev.deepnarrow.harness

import android.os.Bundle

/** The runs that the user asked for on the pick screen and how far they are; kept over rotation and over the death of the app's process. */
data class Series(val campaign: String, val pairKey: String, val numThreads: Int, val contexts: List<Int>, val runsPerSide: Int, val next: Int = 0) {
    val plan: List<PlannedRun> get() = RunPlan.interleaved(runsPerSide)
    val isOver: Boolean get() = next >= 2 * runsPerSide

    fun save(state: Bundle) = state.run {
        putString("campaign", campaign)
        putString("pair", pairKey)
        putInt("threads", numThreads)
        putIntArray("contexts", contexts.toIntArray())
        putInt("runs", runsPerSide)
        putInt("next", next)
    }

    companion object {
        fun restore(state: Bundle): Series? = state.getString("campaign")?.let { campaign ->
            Series(
                campaign, state.getString("pair")!!, state.getInt("threads"), state.getIntArray("contexts")!!.toList(),
                state.getInt("runs"), state.getInt("next"),
            )
        }
    }
}
