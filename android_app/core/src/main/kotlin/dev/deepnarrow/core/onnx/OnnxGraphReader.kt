package dev.deepnarrow.core.onnx

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import dev.deepnarrow.core.GraphReader
import dev.deepnarrow.core.GraphReaderFactory
import java.nio.ByteBuffer

/** ONNX Runtime's ReduceSum over the probe's buffer: the runtime's own threads and loads, no weights. */
object OnnxGraphReaderFactory : GraphReaderFactory {
    override fun open(buffer: ByteBuffer, numThreads: Int): GraphReader = ort("cannot open the bandwidth probe's graph") {
        OnnxGraphReader(buffer, numThreads)
    }
}

private class OnnxGraphReader(buffer: ByteBuffer, numThreads: Int) : GraphReader {
    private val environment = OrtEnvironment.getEnvironment()
    private val session: OrtSession = environment.createSession(ReduceSumModel.bytes(), OnnxEngine.sessionOptions(numThreads))
    private val columns = buffer.capacity() / Float.SIZE_BYTES / ROWS
    override val bytes = ROWS * columns * Float.SIZE_BYTES
    private val input = OnnxTensor.createTensor(environment, front(buffer), longArrayOf(ROWS.toLong(), columns.toLong()), OnnxJavaType.FLOAT)
    private val inputs = mapOf(ReduceSumModel.INPUT to input)

    override fun pass() = ort("failed in the bandwidth probe") { session.run(inputs).close() }

    override fun close() {
        input.close()
        session.close()
    }

    /** As much of [buffer] as fills whole rows. */
    private fun front(buffer: ByteBuffer): ByteBuffer = buffer.duplicate().order(buffer.order()).apply {
        clear()
        limit(bytes)
    }

    private companion object {
        /** More than any phone has cores, and few enough that each row is a long read. */
        const val ROWS = 64
    }
}
