package dev.deepnarrow.harness

import java.nio.FloatBuffer
import java.nio.LongBuffer
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import org.pytorch.executorch.floatView

/**
 * Calls of `forward(tokens int64[1,T], input_pos int64[1]) -> logits float32[1,V]`. Inputs are wrapped once for each T over direct
 * buffers that native code reads in place, so that a step of ours allocates nothing; what `Module.execute` itself allocates is
 * the runtime's price and part of its time.
 */
internal class ExecuTorchCalls(private val module: Module) {
    private class Inputs(length: Int) {
        val tokens: LongBuffer = Tensor.allocateLongBuffer(length)
        val tokensValue: EValue = EValue.from(Tensor.fromBlob(tokens, longArrayOf(1, length.toLong())))
    }

    private val position: LongBuffer = Tensor.allocateLongBuffer(1)
    private val positionValue = EValue.from(Tensor.fromBlob(position, longArrayOf(1)))
    private val inputs = HashMap<Int, Inputs>()
    private val single = inputsFor(1)

    private fun inputsFor(length: Int) = inputs.getOrPut(length) { Inputs(length) }

    /** Writes a step's inputs; [callStep] follows. */
    fun writeStep(token: Int, at: Int) {
        single.tokens.put(0, token.toLong())
        position.put(0, at.toLong())
    }

    /** The logits of the written step, valid until the next call. */
    fun callStep(): FloatBuffer = module.execute(METHOD, single.tokensValue, positionValue)[0].toTensor().floatView()

    /** [length] tokens from [start] of [tokens] at position [at]; the logits of the last one, valid until the next call. */
    fun callChunk(tokens: IntArray, start: Int, length: Int, at: Int): FloatBuffer {
        val chunk = inputsFor(length)
        for (i in 0 until length) chunk.tokens.put(i, tokens[start + i].toLong())
        position.put(0, at.toLong())
        return module.execute(METHOD, chunk.tokensValue, positionValue)[0].toTensor().floatView()
    }

    companion object {
        const val METHOD = "forward"
    }
}
