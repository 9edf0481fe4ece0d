package dev.deepnarrow.harness

import android.content.Context
import android.content.pm.PackageManager
import dev.deepnarrow.core.GraphReaderFactory
import dev.deepnarrow.core.LlmEngine
import dev.deepnarrow.core.RuntimeFailure
import dev.deepnarrow.core.onnx.OnnxEngine
import dev.deepnarrow.core.onnx.OnnxGraphReaderFactory

/** The runtimes inside this package. */
object Engines {
    fun of(context: Context): List<LlmEngine> = listOf(OnnxEngine(SharedAllocator), ExecuTorchEngine(executorchVersion(context)))

    /** Null in a package without ONNX Runtime's libraries; the record then has the array sum's passes alone. */
    fun graphReader(): GraphReaderFactory? = try {
        OnnxEngine().prepare()
        OnnxGraphReaderFactory
    } catch (_: RuntimeFailure) {
        null
    }

    /** ExecuTorch's own code does not tell its version; the build writes it into the manifest. */
    private fun executorchVersion(context: Context): String =
        context.packageManager.getApplicationInfo(context.packageName, PackageManager.GET_META_DATA).metaData?.getString("executorch.version") ?: "unknown"
}
