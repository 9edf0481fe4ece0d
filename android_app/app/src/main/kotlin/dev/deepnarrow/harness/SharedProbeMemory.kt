package dev.deepnarrow.harness

import android.os.SharedMemory
import android.system.ErrnoException
import dev.deepnarrow.core.BufferMemory
import dev.deepnarrow.core.ProbeMemory
import dev.deepnarrow.core.ProbeMemorySource
import dev.deepnarrow.core.RuntimeFailure

/** Anonymous shared memory: outside ART's heap, which is capped far below the probe's buffer and counts direct buffers too. */
object SharedProbeMemory : ProbeMemorySource {
    override fun allocate(bytes: Long): ProbeMemory {
        require(bytes <= Int.MAX_VALUE) { "probe.buffer_bytes must be at most ${Int.MAX_VALUE}, got $bytes" }
        try {
            val memory = SharedMemory.create("bandwidth-probe", bytes.toInt())
            val buffer = memory.mapReadWrite()
            return BufferMemory(buffer) {
                SharedMemory.unmap(buffer)
                memory.close()
            }
        } catch (error: ErrnoException) {
            throw RuntimeFailure("$bytes bytes of shared memory: ${error.message}", error, outOfMemory = true)
        }
    }
}
