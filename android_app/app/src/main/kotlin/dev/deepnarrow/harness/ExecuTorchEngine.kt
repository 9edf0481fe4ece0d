package dev.deepnarrow.harness

import dev.deepnarrow.core.ProcFiles
import dev.deepnarrow.core.Artifact
import dev.deepnarrow.core.Backend
import dev.deepnarrow.core.LlmEngine
import dev.deepnarrow.core.LlmRuntime
import dev.deepnarrow.core.LoadMode
import dev.deepnarrow.core.LoadOptions
import dev.deepnarrow.core.ObservedRuntime
import dev.deepnarrow.core.RuntimeFailure
import dev.deepnarrow.core.TargetName
import java.io.File
import org.pytorch.executorch.ExecuTorchRuntime
import org.pytorch.executorch.ExecutorchRuntimeException
import org.pytorch.executorch.Module

/**
 * ExecuTorch through `Module.execute`: `LlmModule` stops at the end-of-text token, samples, and times in whole milliseconds.
 * Load mode and threads are always given, because every door of ExecuTorch has other defaults; the pool of threads belongs to the
 * process, which is one more reason that a run has its own.
 *
 * @param version of the library in this package; the runtime itself does not tell.
 */
class ExecuTorchEngine(private val version: String, private val proc: ProcFiles = ProcFiles()) : LlmEngine {
    override val target = TargetName.EXECUTORCH
    override val backends = setOf(Backend.DEFAULT, Backend.XNNPACK)
    override val loadModes = LoadMode.entries.toSet()

    /** Its library holds Armv8.1 atomics (LSE) in every call and would end the process with SIGILL on a Cortex-A53, A57, A72 or A73. */
    override val unfit: String? get() = NO_ATOMICS.takeIf { proc.armFeatures()?.contains("atomics") == false }

    override fun prepare() = guarded("ExecuTorch's library") { ExecuTorchRuntime.getRuntime() }.let {}

    override fun load(artifact: Artifact, options: LoadOptions): LlmRuntime {
        val entry = artifact.manifest.modelFiles.singleOrNull()
            ?: throw RuntimeFailure("${artifact.folder}: an ExecuTorch artifact has one model file, this one has ${artifact.manifest.modelFiles.size}", null)
        val file = artifact.folder.resolve(entry.path)
        return guarded(entry.path) {
            val module = Module.load(file.path, moduleMode(options.loadMode), options.numThreads)
            requireLoaded(module.loadMethod(ExecuTorchModel.METHOD))
            ExecuTorchModel(module, observe(module, file), options.callSizes)
        }
    }

    private fun moduleMode(mode: LoadMode): Int = when (mode) {
        LoadMode.DEFAULT, LoadMode.FILE -> Module.LOAD_MODE_FILE
        LoadMode.MMAP -> Module.LOAD_MODE_MMAP
        LoadMode.MLOCK -> Module.LOAD_MODE_MMAP_USE_MLOCK
    }

    /** An error code up to ExecuTorch 1.3; from 1.4 on it throws and this is Unit. */
    private fun requireLoaded(answer: Any?) {
        if (answer is Int && answer != 0) throw ExecutorchRuntimeException(answer, "forward cannot be loaded")
    }

    private fun observe(module: Module, file: File) = ObservedRuntime(
        name = "executorch",
        version = version,
        numThreads = null, // The pool does not tell how many it has.
        loadMode = observedMode(file),
        backends = module.getMethodMetadata(ExecuTorchModel.METHOD).backends.toList(),
    )

    /** What the kernel says: a mapped file is in the process's maps, a locked one counts as locked memory. */
    internal fun observedMode(file: File): LoadMode? = when (proc.isMapped(file)) {
        null -> null
        false -> LoadMode.FILE
        true -> if ((proc.statusBytes("VmLck") ?: 0) > 0) LoadMode.MLOCK else LoadMode.MMAP
    }
}

private const val NO_ATOMICS =
    "ExecuTorch needs Armv8.1 atomics, which this phone's cores lack (no 'atomics' among Features of /proc/cpuinfo); ONNX artifacts run here"

/** Turns what ExecuTorch throws into one line. */
internal inline fun <T> guarded(what: String, action: () -> T): T = try {
    action()
} catch (error: ExecutorchRuntimeException) {
    throw RuntimeFailure("$what: ${error.message.orEmpty().lineSequence().first()}", error, error.errorCode in OUT_OF_MEMORY)
} catch (error: RuntimeException) { // What fbjni makes of other C++ exceptions.
    throw RuntimeFailure("$what: ${error.message.orEmpty().lineSequence().first()}", error)
} catch (error: LinkageError) { // A library that is missing or does not fit this phone.
    throw RuntimeFailure("$what: ${error.message.orEmpty().lineSequence().first()}", error)
}

internal val OUT_OF_MEMORY = setOf(
    ExecutorchRuntimeException.MEMORY_ALLOCATION_FAILED,
    ExecutorchRuntimeException.DELEGATE_MEMORY_ALLOCATION_FAILED,
)
