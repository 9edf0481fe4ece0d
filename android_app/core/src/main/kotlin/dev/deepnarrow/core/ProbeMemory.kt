package dev.deepnarrow.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.LongBuffer

/** Where the bandwidth probe's buffer comes from: the heap on a desktop, `SharedMemory` or a mapped file on a phone. */
fun interface ProbeMemorySource {
    fun allocate(bytes: Long): ProbeMemory
}

/** One buffer of the bandwidth probe, of [longs] 64-bit words, every page of it written. */
abstract class ProbeMemory(val longs: Int) : AutoCloseable {
    val bytes: Long get() = longs * 8L

    /** The same memory for a runtime's graph; null if it lies on the heap. */
    abstract val direct: ByteBuffer?

    /** Sum of the words from [from] until [until], with four accumulators so that the adds do not wait for each other. */
    abstract fun sum(from: Int, until: Int): Long

    override fun close() = Unit

    companion object {
        /** Two floats of 1: untouched pages would all be the kernel's one zero page, which stays in the cache. */
        const val FILL = 0x3F800000_3F800000L

        fun longsFor(bytes: Long): Int {
            require(bytes <= Int.MAX_VALUE) { "probe.buffer_bytes must be at most ${Int.MAX_VALUE}, got $bytes" }
            return (bytes / 8).toInt()
        }
    }
}

/** On the Java heap: HotSpot's fastest reads. */
class HeapMemory(bytes: Long) : ProbeMemory(longsFor(bytes)) {
    private val words = LongArray(longs).apply { fill(FILL) }
    override val direct: ByteBuffer? = null

    override fun sum(from: Int, until: Int): Long {
        val a = words
        var s0 = 0L
        var s1 = 0L
        var s2 = 0L
        var s3 = 0L
        var i = from
        while (i < until - 3) {
            s0 += a[i]
            s1 += a[i + 1]
            s2 += a[i + 2]
            s3 += a[i + 3]
            i += 4
        }
        while (i < until) s0 += a[i++]
        return s0 + s1 + s2 + s3
    }
}

/** Outside the heap; [release] is called once, when the probe is over. */
class BufferMemory(override val direct: ByteBuffer, private val release: () -> Unit) : ProbeMemory(longsFor(direct.capacity().toLong())) {
    private val words: LongBuffer = direct.duplicate().order(ByteOrder.nativeOrder()).apply { clear() }.asLongBuffer()

    init {
        for (i in 0 until longs) words.put(i, FILL)
    }

    override fun sum(from: Int, until: Int): Long {
        val a = words
        var s0 = 0L
        var s1 = 0L
        var s2 = 0L
        var s3 = 0L
        var i = from
        while (i < until - 3) {
            s0 += a.get(i)
            s1 += a.get(i + 1)
            s2 += a.get(i + 2)
            s3 += a.get(i + 3)
            i += 4
        }
        while (i < until) s0 += a.get(i++)
        return s0 + s1 + s2 + s3
    }

    override fun close() = release()
}
