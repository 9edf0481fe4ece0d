package dev.deepnarrow.core

import com.sun.management.ThreadMXBean
import dev.deepnarrow.core.desktop.DesktopClock
import java.lang.management.ManagementFactory
import java.nio.FloatBuffer
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** Bytes that the timed region puts on the heap, by the virtual machine's own count. */
class AllocationTest {
    private val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean

    @Test
    fun `the core allocates nothing per step`() {
        val decoder = Decoder(QuietRuntime(32_000), LongArray(STEPS + 1) { syntheticToken(7, it, 32_000) }, 128, DesktopClock)
        assertEquals(0, allocated(decoder, STEPS))
    }

    @Test
    fun `the count sees what a step allocates`() {
        val runtime = QuietRuntime(32_000).apply { onForward = { kept = ByteArray(1000) } }
        val decoder = Decoder(runtime, LongArray(STEPS + 1), 128, DesktopClock)
        assertTrue(allocated(decoder, STEPS) >= STEPS * 1000L)
    }

    /** ONNX Runtime's Java layer makes arrays of names and handles for each call: it is not ours, and it must not grow. */
    @Test
    fun `ONNX Runtime's binding allocates a few kilobytes per step`() {
        val shape = Wire.readManifest(TinyArtifacts.folder(TinyArtifacts.DEEP).resolve("manifest.json")).shape as TransformerShape
        RealRun.load(TinyArtifacts.folder(TinyArtifacts.DEEP)).use { runtime ->
            val decoder = Decoder(runtime, LongArray(256) { syntheticToken(7, it, shape.vocabSize) }, 16, DesktopClock)
            val perStep = allocated(decoder, 200) / 200
            val tensors = 2 * (2 * shape.numPasses) + 3
            println("ONNX Runtime's Java layer: $perStep bytes per step for $tensors tensors; the core: 0")
            assertTrue(perStep <= tensors * MAX_BYTES_PER_TENSOR, "$perStep bytes per step")
        }
    }

    private var kept: ByteArray? = null

    private fun allocated(decoder: Decoder, steps: Int): Long {
        val forwardNs = LongArray(steps)
        val stepNs = LongArray(steps)
        val heartbeat = Runnable {}
        decoder.timeSteps(0, forwardNs, stepNs, heartbeat)
        val before = threads.currentThreadAllocatedBytes
        decoder.timeSteps(0, forwardNs, stepNs, heartbeat)
        return threads.currentThreadAllocatedBytes - before
    }

    /** A runtime that allocates nothing of its own. */
    private class QuietRuntime(vocabSize: Int) : LlmRuntime {
        var onForward: Runnable? = null
        private val logits = FloatBuffer.allocate(vocabSize).apply { put(vocabSize - 1, 1f) }
        override val observed = ObservedRuntime("quiet", "1", 1, null, emptyList())

        override fun write(token: Long, position: Int) = Unit

        override fun write(tokens: LongArray, from: Int, count: Int, position: Int) = Unit

        override fun forward(): FloatBuffer {
            onForward?.run()
            return logits
        }

        override fun close() = Unit
    }

    private companion object {
        const val STEPS = 500
        const val MAX_BYTES_PER_TENSOR = 400
    }
}
