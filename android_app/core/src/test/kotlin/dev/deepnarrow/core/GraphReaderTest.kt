package dev.deepnarrow.core

import com.sun.management.OperatingSystemMXBean
import dev.deepnarrow.core.onnx.OnnxGraphReaderFactory
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test

/** The bandwidth probe's graph inside ONNX Runtime. */
class GraphReaderTest {
    private val system = ManagementFactory.getOperatingSystemMXBean() as OperatingSystemMXBean
    private val threads = ManagementFactory.getThreadMXBean()

    /** Against the calling thread's own time and not the wall clock, so that a busy machine does not matter. */
    @Test
    fun `all of the run's threads read`() {
        assumeTrue(Runtime.getRuntime().availableProcessors() >= 2, "needs two cores")
        OnnxGraphReaderFactory.open(buffer(128 shl 20), 2).use { reader ->
            repeat(2) { reader.pass() }
            val process = system.processCpuTime
            val own = threads.currentThreadCpuTime
            repeat(30) { reader.pass() }
            val ownNs = threads.currentThreadCpuTime - own
            val allNs = system.processCpuTime - process
            assertTrue(allNs > 1.2 * ownNs, "the process used $allNs ns, of which one thread used $ownNs")
        }
    }

    @Test
    fun `a buffer that does not fill its last row is read as far as whole rows go, and the bytes say so`() {
        OnnxGraphReaderFactory.open(buffer((1 shl 20) + 8), 1).use { reader ->
            assertEquals(1 shl 20, reader.bytes)
            reader.pass()
        }
    }

    private fun buffer(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()).apply {
        for (offset in 0 until bytes step 8) putLong(offset, ProbeMemory.FILL)
    }
}
