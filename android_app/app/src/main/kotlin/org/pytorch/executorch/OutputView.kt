package org.pytorch.executorch

import java.nio.FloatBuffer

/**
 * The runtime's own memory of a float32 output, without a copy. It is overwritten by the next call, so read it before.
 *
 * `getDataAsFloatArray()` would allocate and copy the whole vocabulary for every token, inside the timed region. This function is in
 * the library's package because `getRawDataBuffer()` is public only from ExecuTorch 1.4 on.
 */
internal fun Tensor.floatView(): FloatBuffer = getRawDataBuffer() as FloatBuffer
