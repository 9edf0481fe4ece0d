package dev.deepnarrow.harness

import android.os.Bundle
import dev.deepnarrow.harness.ui.Side

/**
 * The runs that one press of the button asked for and how far they are; kept over rotation and over the death of the app's process.
 *
 * @property key of the pair, or of the one artifact that is run alone.
 * @property first the side of a pair that begins.
 * @property last id of the run before [next].
 */
data class Series(
    val session: String,
    val key: String,
    val numThreads: Int,
    val contexts: List<Int>,
    val runsPerSide: Int,
    val first: Side,
    val next: Int = 0,
    val last: String? = null,
) {
    /** Which artifact the next run is of; null once all runs of [chosen] are over. */
    fun artifact(chosen: FoundChoice): FoundArtifact? = when (chosen) {
        is FoundPair -> RunPlan.interleaved(runsPerSide, first).getOrNull(next)?.let(chosen::side)
        is FoundArtifact -> chosen.takeIf { next < runsPerSide }
    }

    fun save(state: Bundle) = state.run {
        putString("session", session)
        putString("key", key)
        putInt("threads", numThreads)
        putIntArray("contexts", contexts.toIntArray())
        putInt("runs", runsPerSide)
        putString("first", first.name)
        putInt("next", next)
        putString("last", last)
    }

    companion object {
        fun restore(state: Bundle): Series? = state.getString("session")?.let { session ->
            Series(
                session, state.getString("key")!!, state.getInt("threads"), state.getIntArray("contexts")!!.toList(),
                state.getInt("runs"), Side.valueOf(state.getString("first")!!), state.getInt("next"), state.getString("last"),
            )
        }
    }
}
