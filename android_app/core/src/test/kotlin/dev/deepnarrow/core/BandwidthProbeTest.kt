package dev.deepnarrow.core

import dev.deepnarrow.core.onnx.OnnxGraphReaderFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

/** The probe on this machine's memory; how near it comes to a C loop is measured by bench/compare.py. */
class BandwidthProbeTest {
    private var released = 0
    private val protocol = ProbeProtocol(64L shl 20, 5)
    private val outside = ProbeMemorySource { BufferMemory(ByteBuffer.allocateDirect(it.toInt()).order(ByteOrder.nativeOrder())) { released++ } }

    @Test
    fun `on the heap and inside the runtime`() = assertPlausible(MemoryBandwidthProbe(::HeapMemory, OnnxGraphReaderFactory).measure(2, protocol), 2)

    @Test
    fun `outside the heap, which the runtime then reads too`() {
        assertPlausible(MemoryBandwidthProbe(outside, OnnxGraphReaderFactory).measure(1, protocol), 2)
        assertEquals(1, released)
    }

    @Test
    fun `without a runtime`() = assertPlausible(MemoryBandwidthProbe(outside, null).measure(2, protocol), 1)

    @Test
    fun `both memories are summed whole, in any split`() {
        val buffer = ByteBuffer.allocateDirect(8 * 1003).order(ByteOrder.nativeOrder())
        for (memory in listOf(HeapMemory(8 * 1003), BufferMemory(buffer) {})) {
            assertEquals(ProbeMemory.FILL * 1003, memory.sum(0, 1003))
            assertEquals(ProbeMemory.FILL * 1003, memory.sum(0, 334) + memory.sum(334, 335) + memory.sum(335, 1003))
            assertEquals(0, memory.sum(5, 5))
        }
    }

    @Test
    fun `the median of an even number of passes lies between the middle two`() {
        assertEquals(3.0, MemoryBandwidthProbe.median(listOf(9, 1, 3)))
        assertEquals(3.5, MemoryBandwidthProbe.median(listOf(4, 9, 1, 3)))
    }

    @Test
    fun `a thread that fails ends the probe`() {
        val broken = object : ProbeMemory(1 shl 17) {
            override val direct: ByteBuffer? = null

            override fun sum(from: Int, until: Int): Long = if (from == 0) error("a bad page") else 0
        }
        val error = assertThrows(IllegalStateException::class.java) { MemoryBandwidthProbe({ broken }, null).measure(2, protocol) }
        assertTrue("bandwidth probe" in error.message.orEmpty())
    }

    private fun assertPlausible(found: Bandwidth, methods: Int) {
        assertEquals(methods, found.passes.size)
        for (passes in found.passes) {
            assertEquals(5, passes.passNs.size)
            assertEquals(protocol.bufferBytes, passes.bytes)
        }
        val speeds = found.passes.associate { it.method to it.bytes / MemoryBandwidthProbe.median(it.passNs) * 1e9 }
        assertEquals(speeds.maxBy { it.value }.key, found.best)
        assertEquals(speeds.getValue(found.best), found.ceilingBytesPerS)
        assertTrue(found.ceilingBytesPerS in 1e9..2e12, "${found.ceilingBytesPerS} bytes/s")
    }
}
