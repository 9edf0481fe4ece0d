package dev.deepnarrow.harness

import dev.deepnarrow.harness.ui.Side

/**
 * The order of a comparison: A B B A, A B B A, ... so that a phone that grows warmer or slower does so for both sides alike.
 * Every run is a process of its own.
 */
object RunPlan {
    /** [runsPerSide] runs of each side; [first] is the side that begins, which should be drawn: the first run is the coldest. */
    fun interleaved(runsPerSide: Int, first: Side): List<Side> {
        require(runsPerSide >= 1) { "runs per side must be 1 or more, not $runsPerSide" }
        val second = Side.entries.single { it != first }
        val block = listOf(first, second, second, first)
        return List(2 * runsPerSide) { block[it % block.size] }
    }
}
