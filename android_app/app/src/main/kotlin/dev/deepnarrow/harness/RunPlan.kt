package dev.deepnarrow.harness

import dev.deepnarrow.harness.ui.Side

/** One run to come: which side, and its place in the interleaved order. */
class PlannedRun(val side: Side, val order: Int, val block: Int, val repetition: Int)

/**
 * The order of a comparison: A B B A, A B B A, ... so that a phone that grows warmer or slower does so for both sides alike.
 * Every run is a process of its own.
 */
object RunPlan {
    private val BLOCK = listOf(Side.DEEP, Side.WIDE, Side.WIDE, Side.DEEP)

    /** [runsPerSide] runs of each side. */
    fun interleaved(runsPerSide: Int): List<PlannedRun> {
        require(runsPerSide >= 1) { "runs per side must be 1 or more, not $runsPerSide" }
        val done = Side.entries.associateWith { 0 }.toMutableMap()
        return List(2 * runsPerSide) { order ->
            val side = BLOCK[order % BLOCK.size]
            val repetition = done.getValue(side)
            done[side] = repetition + 1
            PlannedRun(side, order, order / BLOCK.size, repetition)
        }
    }
}
