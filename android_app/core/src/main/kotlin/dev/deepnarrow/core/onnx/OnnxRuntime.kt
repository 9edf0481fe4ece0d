package dev.deepnarrow.core.onnx

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtSession
import ai.onnxruntime.TensorInfo
import dev.deepnarrow.core.LlmRuntime
import dev.deepnarrow.core.LoadMode
import dev.deepnarrow.core.LoadOptions
import dev.deepnarrow.core.ObservedRuntime
import dev.deepnarrow.core.RuntimeFailure
import dev.deepnarrow.core.TransformerShape
import java.nio.ByteBuffer
import java.nio.FloatBuffer
import java.nio.LongBuffer

/** What loading showed: threads that the session uses, and whether the weights stand mapped. */
internal class OnnxFacts(val numThreads: Int?, val loadMode: LoadMode?)

/**
 * A decoder under onnxruntime-genai's names. Every tensor is made here, once: the same one is past input and present output of
 * a cache, so that GroupQueryAttention writes in place; there is one token tensor for each call size, and one mask for each
 * length, all views of the same ones. A step swaps the mask for the next one: it only tells the graph how long the text is.
 */
internal class OnnxRuntime(
    private val session: OrtSession,
    shape: TransformerShape,
    maxContext: Int,
    options: LoadOptions,
    facts: OnnxFacts,
    private val allocator: DirectAllocator,
) : LlmRuntime {
    private val environment = OrtEnvironment.getEnvironment()
    private val owned = ArrayList<OnnxTensor>()
    private val inputs = HashMap<String, OnnxTensor>()
    private val outputs = HashMap<String, OnnxTensor>()
    private val logits: FloatBuffer = allocator.allocate(shape.vocabSize * Float.SIZE_BYTES).asFloatBuffer()
    private val masks: Array<OnnxTensor>
    private val tokenBuffers = arrayOfNulls<LongBuffer>(options.callSizes.max() + 1)
    private val tokenTensors = arrayOfNulls<OnnxTensor>(tokenBuffers.size)

    override val observed = ObservedRuntime("onnxruntime", environment.version, facts.numThreads, facts.loadMode, listOf("CPUExecutionProvider"))

    init {
        checkLogits(shape)
        outputs["logits"] = own(OnnxTensor.createTensor(environment, logits, longArrayOf(1, 1, shape.vocabSize.toLong())))
        for (cache in 0 until shape.numPasses) for (part in listOf("key", "value")) bindCache(cache, part, shape, maxContext)
        for (size in options.callSizes) {
            val buffer = allocator.allocate(size * Long.SIZE_BYTES).asLongBuffer()
            tokenBuffers[size] = buffer
            tokenTensors[size] = own(OnnxTensor.createTensor(environment, buffer, longArrayOf(1, size.toLong())))
        }
        masks = masks(options.positions)
    }

    override fun write(token: Long, position: Int) {
        tokenBuffers[1]!!.put(0, token)
        select(1, position)
    }

    override fun write(tokens: LongArray, from: Int, count: Int, position: Int) {
        val buffer = checkNotNull(tokenBuffers.getOrNull(count)) { "no input tensor of $count tokens was made at load" }
        for (i in 0 until count) buffer.put(i, tokens[from + i])
        select(count, position)
    }

    override fun forward(): FloatBuffer {
        // Nothing pinned belongs to the result, so closing it frees the result alone.
        ort("failed in a call") { session.run(inputs, NOTHING_ELSE, outputs).close() }
        return logits
    }

    override fun close() {
        owned.forEach { it.close() }
        session.close()
    }

    private fun select(count: Int, position: Int) {
        inputs["input_ids"] = tokenTensors[count]!!
        inputs["attention_mask"] = masks[position + count - 1]
    }

    private fun checkLogits(shape: TransformerShape) {
        val found = (session.outputInfo["logits"]?.info as? TensorInfo)?.shape?.toList()
        if (found != listOf(1L, 1L, shape.vocabSize.toLong())) {
            throw RuntimeFailure("the graph's logits are $found, the manifest says [1, 1, ${shape.vocabSize}]", null)
        }
    }

    private fun bindCache(cache: Int, part: String, shape: TransformerShape, maxContext: Int) {
        val size = longArrayOf(1, shape.numKvHeads.toLong(), maxContext.toLong(), shape.headDim.toLong())
        val bytes = Math.toIntExact(size.fold(Float.SIZE_BYTES.toLong()) { product, n -> Math.multiplyExact(product, n) })
        val tensor = own(OnnxTensor.createTensor(environment, allocator.allocate(bytes), size, OnnxJavaType.FLOAT))
        inputs["past_key_values.$cache.$part"] = tensor
        outputs["present.$cache.$part"] = tensor
    }

    /** Tensor `i` is the first i + 1 of one row of ones. */
    private fun masks(positions: Int): Array<OnnxTensor> {
        val ones: ByteBuffer = allocator.allocate(positions * Long.SIZE_BYTES)
        for (i in 0 until positions) ones.putLong(i * Long.SIZE_BYTES, 1)
        return Array(positions) { i ->
            val view = ones.asLongBuffer().apply { limit(i + 1) }
            own(OnnxTensor.createTensor(environment, view, longArrayOf(1, i + 1L)))
        }
    }

    private fun own(tensor: OnnxTensor): OnnxTensor = tensor.also { owned.add(it) }

    private companion object {
        val NOTHING_ELSE: Set<String> = emptySet()
    }
}
