package dev.deepnarrow.harness

import android.os.SharedMemory
import android.system.ErrnoException
import dev.deepnarrow.core.BufferMemory
import dev.deepnarrow.core.ProbeMemory
import dev.deepnarrow.core.ProbeMemorySource
import dev.deepnarrow.core.RuntimeFailure
import dev.deepnarrow.core.onnx.DirectAllocator
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * Anonymous shared memory: outside ART's heap, which is capped far below the probe's buffer and a model's caches and counts
 * direct buffers too. The mapping outlives its descriptor, so that many buffers need no many open files, and ends when
 * the buffer is unmapped or garbage.
 */
internal fun sharedBuffer(name: String, bytes: Int): ByteBuffer = try {
    SharedMemory.create(name, bytes).use { it.mapReadWrite() }.order(ByteOrder.nativeOrder())
} catch (error: ErrnoException) {
    throw RuntimeFailure("$bytes bytes of shared memory: ${error.message}", error, outOfMemory = true)
}

/** The bandwidth probe's buffer, unmapped as soon as the probe is over. */
object SharedProbeMemory : ProbeMemorySource {
    override fun allocate(bytes: Long): ProbeMemory {
        require(bytes <= Int.MAX_VALUE) { "probe.buffer_bytes must be at most ${Int.MAX_VALUE}, got $bytes" }
        val buffer = sharedBuffer("bandwidth-probe", bytes.toInt())
        return BufferMemory(buffer) { SharedMemory.unmap(buffer) }
    }
}

/** Caches, logits and inputs of ONNX Runtime. */
val SharedAllocator = DirectAllocator { bytes -> sharedBuffer("onnxruntime", bytes) }
