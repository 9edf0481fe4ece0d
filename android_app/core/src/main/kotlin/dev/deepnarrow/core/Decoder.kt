package dev.deepnarrow.core

import java.nio.FloatBuffer

/** Id of the largest logit, the lowest among equals. */
internal fun argmax(logits: FloatBuffer): Int {
    var best = 0
    var most = logits.get(0)
    for (i in 1 until logits.limit()) {
        val value = logits.get(i)
        if (value > most) {
            most = value
            best = i
        }
    }
    return best
}

/** A loaded model, its synthetic text ([text]`[i]` stands at position i of every prompt) and the clock. */
internal class Decoder(val runtime: LlmRuntime, val text: LongArray, private val chunk: Int, private val clock: Clock) {
    /** Fills positions 0 until [length] in chunks; the argmax of the last token's logits, 0 for no tokens. */
    fun prefill(tokens: LongArray, length: Int): Int {
        val logits = prefillLogits(tokens, length)
        return if (logits == null) 0 else argmax(logits)
    }

    /** As [prefill]; the last token's logits, a view that the next call overwrites, null for no tokens. */
    fun prefillLogits(tokens: LongArray, length: Int): FloatBuffer? {
        var position = 0
        var logits: FloatBuffer? = null
        while (position < length) {
            val count = minOf(chunk, length - position)
            runtime.write(tokens, position, count, position)
            logits = runtime.forward()
            position += count
        }
        return logits
    }

    fun step(token: Long, position: Int): Int {
        runtime.write(token, position)
        return argmax(runtime.forward())
    }

    /** Times the prefill of the first [length] tokens. */
    fun timePrefill(length: Int, prefillNs: LongArray) {
        for (i in prefillNs.indices) {
            val start = clock.monotonicNs()
            prefill(text, length)
            prefillNs[i] = clock.monotonicNs() - start
        }
    }

    /** Untimed steps that all stand at [context]. */
    fun warmUp(context: Int, steps: Int) = repeat(steps) { step(text[context], context) }

    /**
     * Times greedy steps from [context] on into [forwardNs] and [stepNs]. Allocates nothing. [heartbeat] is called between steps,
     * never inside one, about every [HEARTBEAT_NS].
     */
    fun timeSteps(context: Int, forwardNs: LongArray, stepNs: LongArray, heartbeat: Runnable) {
        var token = text[context]
        var beat = clock.monotonicNs() + HEARTBEAT_NS
        for (i in forwardNs.indices) {
            val start = clock.monotonicNs()
            runtime.write(token, context + i)
            val before = clock.monotonicNs()
            val logits = runtime.forward()
            val after = clock.monotonicNs()
            token = argmax(logits).toLong()
            val end = clock.monotonicNs()
            forwardNs[i] = after - before
            stepNs[i] = end - start
            if (end >= beat) {
                heartbeat.run()
                beat = clock.monotonicNs() + HEARTBEAT_NS
            }
        }
    }

    /** Steps at [context] for [limitNs] or until the arrays are full; returns how many. [sense] is called between steps, about every [HEARTBEAT_NS]. */
    fun sustain(context: Int, limitNs: Long, startNs: LongArray, forwardNs: LongArray, sense: (Long) -> Unit): Int {
        val began = clock.monotonicNs()
        var token = text[context]
        var nextSense = 0L
        var steps = 0
        while (steps < startNs.size) {
            val now = clock.monotonicNs() - began
            if (now >= limitNs) break
            if (now >= nextSense) {
                sense(now)
                nextSense = now + HEARTBEAT_NS
            }
            runtime.write(token, context)
            val before = clock.monotonicNs()
            val logits = runtime.forward()
            val after = clock.monotonicNs()
            token = argmax(logits).toLong()
            startNs[steps] = before - began
            forwardNs[steps++] = after - before
        }
        return steps
    }

    companion object {
        const val HEARTBEAT_NS = 10_000_000_000

        /** Sizes of the calls that prefill so many tokens in chunks. */
        fun callSizes(lengths: Iterable<Int>, chunk: Int): Set<Int> =
            lengths.flatMap { listOf(minOf(it, chunk), it % chunk) }.filter { it > 0 }.toSet() + 1
    }
}
