package dev.deepnarrow.core

import java.nio.FloatBuffer

/**
 * A loaded decoder. Nothing here allocates between [write] and the next one, apart from what the runtime's own binding does.
 * Positions are the caller's: writing at an earlier position overwrites the cache there, so position 0 begins a new text.
 */
interface LlmRuntime : AutoCloseable {
    /** Facts, not wishes; what the runtime does not tell is null. */
    val observed: ObservedRuntime

    /** Puts one token, standing at [position], into the input buffers. */
    fun write(token: Long, position: Int)

    /** Puts [count] tokens from `tokens[from]` on into the input buffers; the first one stands at [position]. [count] is one of [LoadOptions.callSizes]. */
    fun write(tokens: LongArray, from: Int, count: Int, position: Int)

    /** Runs what was written. Returns the logits of the last token, a view that the next call overwrites. Throws [RuntimeFailure]. */
    fun forward(): FloatBuffer
}

/**
 * How to load.
 *
 * @property positions positions that the run will use, at most `max_context`.
 * @property callSizes token counts of all calls that will be made, 1 among them.
 */
class LoadOptions(val numThreads: Int, val backend: Backend, val loadMode: LoadMode, val positions: Int, val callSizes: Set<Int>)

/** A runtime that runs artifacts of one target. */
interface LlmEngine {
    val target: TargetName

    /** What a request may ask for; anything else is refused before loading. */
    val backends: Set<Backend>
    val loadModes: Set<LoadMode>

    /** Why the runtime's code cannot run on this processor, in one line; null if it can. */
    val unfit: String? get() = null

    /** Loads the runtime's own code, so that the clock of loading a model does not count it. Throws [RuntimeFailure]. */
    fun prepare()

    /** Loads the model. Throws [RuntimeFailure]. */
    fun load(artifact: Artifact, options: LoadOptions): LlmRuntime
}

/** The runtime refused or failed; the message is one line. */
class RuntimeFailure(message: String, cause: Throwable?, val outOfMemory: Boolean = false) : Exception(message, cause)
