package dev.deepnarrow.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.CyclicBarrier
import java.util.concurrent.atomic.AtomicReference
import kotlin.concurrent.thread

/** A graph inside a runtime that reads a buffer once per pass. */
interface GraphReader : AutoCloseable {
    /** Bytes that one pass reads: the whole buffer, or what of it makes whole rows. */
    val bytes: Int

    /** Throws [RuntimeFailure]. */
    fun pass()
}

/** Opens a [GraphReader] over a direct buffer of float32 values with so many threads; throws [RuntimeFailure]. */
fun interface GraphReaderFactory {
    fun open(buffer: ByteBuffer, numThreads: Int): GraphReader
}

/**
 * Read bandwidth with a run's threads: the denominator of MBU. Each method's median pass counts, the faster method is the ceiling.
 * A pass lasts from the first worker's start to the last one's end, stamped by the workers themselves: a coordinator's clock
 * starts late when there are as many threads as cores.
 *
 * @property graph reads the buffer inside a runtime; null where none is at hand.
 */
class MemoryBandwidthProbe(private val memory: ProbeMemorySource, private val graph: GraphReaderFactory?) {
    @Volatile private var sink = 0L

    /** Throws [RuntimeFailure] if the graph cannot be run. */
    fun measure(numThreads: Int, protocol: ProbeProtocol): Bandwidth {
        val passes = memory.allocate(protocol.bufferBytes).use { buffer ->
            val summed = ProbePasses(ProbeMethod.ARRAY_SUM, numThreads, buffer.bytes, sums(buffer, numThreads, protocol.passes))
            listOf(summed) + listOfNotNull(buffer.direct?.let { graphPasses(it, numThreads, protocol.passes) })
        }
        // The heap's buffer is garbage by now, so that two never exist at once.
        val all = if (passes.size == 1 && graph != null) passes + graphPasses(filled(passes[0].bytes), numThreads, protocol.passes)!! else passes
        val best = all.maxBy { speed(it) }
        return Bandwidth(all, best.method, speed(best))
    }

    private fun graphPasses(buffer: ByteBuffer, numThreads: Int, passes: Int): ProbePasses? = graph?.open(buffer, numThreads)?.use { reader ->
        val passNs = LongArray(passes)
        repeat(WARM_UP_PASSES) { reader.pass() }
        for (i in 0 until passes) {
            val start = System.nanoTime()
            reader.pass()
            passNs[i] = System.nanoTime() - start
        }
        ProbePasses(ProbeMethod.RUNTIME_GRAPH, numThreads, reader.bytes.toLong(), passNs.asList())
    }

    private fun sums(buffer: ProbeMemory, numThreads: Int, passes: Int): List<Long> {
        val rounds = passes + WARM_UP_PASSES
        val barrier = CyclicBarrier(numThreads)
        val starts = Array(numThreads) { LongArray(rounds) }
        val ends = Array(numThreads) { LongArray(rounds) }
        val failure = AtomicReference<Throwable>()
        val workers = List(numThreads) { k ->
            val from = (buffer.longs.toLong() * k / numThreads).toInt()
            val until = (buffer.longs.toLong() * (k + 1) / numThreads).toInt()
            thread(name = "bandwidth-$k", isDaemon = true, start = false) {
                for (round in 0 until rounds) {
                    barrier.await()
                    starts[k][round] = System.nanoTime()
                    sink += buffer.sum(from, until)
                    ends[k][round] = System.nanoTime()
                }
            }
        }
        for (worker in workers) {
            worker.setUncaughtExceptionHandler { _, error ->
                failure.compareAndSet(null, error)
                workers.forEach { it.interrupt() } // Those at the barrier wait in vain, now or later.
            }
        }
        workers.forEach { it.start() }
        workers.forEach { it.join() }
        failure.get()?.let { throw IllegalStateException("a thread of the bandwidth probe failed", it) }
        return (WARM_UP_PASSES until rounds).map { round -> ends.maxOf { it[round] } - starts.minOf { it[round] } }
    }

    private fun filled(bytes: Long): ByteBuffer {
        val buffer = ByteBuffer.allocateDirect(bytes.toInt()).order(ByteOrder.nativeOrder())
        for (offset in 0 until buffer.capacity() step 8) buffer.putLong(offset, ProbeMemory.FILL)
        return buffer
    }

    companion object {
        /** HotSpot and ART compile the loop during these. */
        private const val WARM_UP_PASSES = 2

        private fun speed(passes: ProbePasses): Double = passes.bytes / median(passes.passNs) * 1e9

        internal fun median(values: List<Long>): Double {
            val sorted = values.sorted()
            val middle = sorted.size / 2
            return if (sorted.size % 2 == 1) sorted[middle].toDouble() else (sorted[middle - 1] + sorted[middle]) / 2.0
        }
    }
}
