package dev.deepnarrow.core.onnx

import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import dev.deepnarrow.core.Artifact
import dev.deepnarrow.core.Backend
import dev.deepnarrow.core.LlmEngine
import dev.deepnarrow.core.LlmRuntime
import dev.deepnarrow.core.LoadMode
import dev.deepnarrow.core.LoadOptions
import dev.deepnarrow.core.RuntimeFailure
import dev.deepnarrow.core.TargetName
import dev.deepnarrow.core.TransformerShape
import dev.deepnarrow.core.oneLine
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Zeroed memory outside the heap, in native byte order. Phones count `allocateDirect` as heap and may bring their own. */
fun interface DirectAllocator {
    fun allocate(bytes: Int): ByteBuffer

    companion object {
        val DEFAULT = DirectAllocator { bytes -> ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder()) }
    }
}

/** ONNX Runtime on its CPU provider. Its Java API offers no choice of how files are read. */
class OnnxEngine(private val allocator: DirectAllocator = DirectAllocator.DEFAULT) : LlmEngine {
    override val target = TargetName.ONNX
    override val backends = setOf(Backend.DEFAULT, Backend.CPU)
    override val loadModes = setOf(LoadMode.DEFAULT)

    override fun prepare() {
        ort("cannot be loaded") { OrtEnvironment.getEnvironment() }
    }

    override fun load(artifact: Artifact, options: LoadOptions): LlmRuntime = ort("cannot load $MODEL_FILE") {
        val shape = artifact.manifest.shape as? TransformerShape
            ?: throw RuntimeFailure("${artifact.manifest.shapeName} is not a decoder", null)
        val threads = ThreadCount.before()
        val path = artifact.folder.resolve(MODEL_FILE)
        val session = OrtEnvironment.getEnvironment().createSession(path.path, sessionOptions(options.numThreads))
        val facts = OnnxFacts(threads.startedSince()?.plus(1), mapped(artifact))
        closeOnFailure(session) { OnnxRuntime(session, shape, artifact.manifest.options.maxContext, options, facts, allocator) }
    }

    /** A mapping that is there proves mmap; one that is not may only mean that the weights were repacked and the file let go. */
    private fun mapped(artifact: Artifact): LoadMode? = LoadMode.MMAP.takeIf { ProcSelf.maps(artifact.folder.resolve(DATA_FILE)) }

    private inline fun <T> closeOnFailure(session: OrtSession, block: () -> T): T {
        var done = false
        try {
            return block().also { done = true }
        } finally {
            if (!done) session.close()
        }
    }

    companion object {
        const val MODEL_FILE = "model.onnx"
        private const val DATA_FILE = "model.onnx.data"

        internal fun sessionOptions(numThreads: Int) = OrtSession.SessionOptions().apply {
            setIntraOpNumThreads(numThreads)
            setInterOpNumThreads(1)
        }
    }
}

/** Runs [block]; what ONNX Runtime throws becomes one line. */
internal inline fun <T> ort(what: String, block: () -> T): T = try {
    block()
} catch (error: OrtException) {
    throw RuntimeFailure("ONNX Runtime $what: ${oneLine(error)}", error, outOfMemory = isOutOfMemory(error))
} catch (error: LinkageError) { // the natives are missing or of another machine
    throw RuntimeFailure("ONNX Runtime $what: ${oneLine(error)}", error)
}

/** ONNX Runtime has no error code of its own for it. */
internal fun isOutOfMemory(error: OrtException): Boolean =
    error.message.orEmpty().let { "bad_alloc" in it || "Failed to allocate memory" in it }
