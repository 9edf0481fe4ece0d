package dev.deepnarrow.harness

import dev.deepnarrow.core.LlmRuntime
import dev.deepnarrow.core.ObservedRuntime
import java.nio.FloatBuffer
import java.nio.LongBuffer
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import org.pytorch.executorch.floatView

/**
 * A loaded `forward(tokens int64[1,T], input_pos int64[1]) -> logits float32[1,V]` with its cache inside. Inputs are wrapped once for
 * each T over direct buffers, which native code reads in place: a step of ours allocates nothing. What `Module.execute` allocates
 * for its arguments and results is the runtime's own price and part of its time.
 */
internal class ExecuTorchModel(private val module: Module, override val observed: ObservedRuntime, callSizes: Set<Int>) : LlmRuntime {
    private class Inputs(length: Int) {
        val tokens: LongBuffer = Tensor.allocateLongBuffer(length)
        val value: EValue = EValue.from(Tensor.fromBlob(tokens, longArrayOf(1, length.toLong())))
    }

    private val inputs = arrayOfNulls<Inputs>(callSizes.max() + 1).also { all -> callSizes.forEach { all[it] = Inputs(it) } }
    private val position: LongBuffer = Tensor.allocateLongBuffer(1)
    private val positionValue = EValue.from(Tensor.fromBlob(position, longArrayOf(1)))
    private var written = sized(1)

    private fun sized(length: Int): Inputs = requireNotNull(inputs.getOrNull(length)) { "a call of $length tokens was not announced" }

    override fun write(token: Long, position: Int) {
        written = inputs[1]!!
        written.tokens.put(0, token)
        this.position.put(0, position.toLong())
    }

    override fun write(tokens: LongArray, from: Int, count: Int, position: Int) {
        written = sized(count)
        for (i in 0 until count) written.tokens.put(i, tokens[from + i])
        this.position.put(0, position.toLong())
    }

    override fun forward(): FloatBuffer =
        guarded(METHOD) { module.execute(METHOD, written.value, positionValue)[0].toTensor().floatView() }

    override fun close() = module.destroy()

    companion object {
        const val METHOD = "forward"
    }
}
