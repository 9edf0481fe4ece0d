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
    private val floats = (buffer.capacity() / Float.SIZE_BYTES).toLong()
    private val input = OnnxTensor.createTensor(environment, buffer.duplicate().apply { clear() }.order(buffer.order()), longArrayOf(floats), OnnxJavaType.FLOAT)
    private val inputs = mapOf(ReduceSumModel.INPUT to input)

    override fun pass() = ort("failed in the bandwidth probe") { session.run(inputs).close() }

    override fun close() {
        input.close()
        session.close()
    }
}
