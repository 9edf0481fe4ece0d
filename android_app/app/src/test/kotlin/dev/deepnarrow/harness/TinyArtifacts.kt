package dev.deepnarrow.harness

import java.io.File
import org.junit.Assume.assumeTrue

/** The pair `tiny` as the Python exporter writes it; `make test` makes it and names its folder in DEEPNARROW_ARTIFACTS. */
internal object TinyArtifacts {
    private val root: File? = System.getenv("DEEPNARROW_ARTIFACTS")?.let(::File)

    /** Copies both sides of the pair to where the app looks for artifacts. Skips the test where there are none. */
    fun push(folders: AllowedFolders, target: String = "onnx"): List<File> {
        assumeTrue("needs DEEPNARROW_ARTIFACTS: the folder that `python -m export all --pair tiny --scheme int4 --target onnx,executorch` wrote", root != null)
        return listOf("deep-8x64", "wide-2x128").map { shape ->
            val folder = folders.media.resolve("artifacts/tiny/$shape/$target-int4")
            check(root!!.resolve("tiny/$shape/$target-int4").copyRecursively(folder, overwrite = true)) { "$folder: not copied" }
            folder
        }
    }
}
