package dev.deepnarrow.harness

import android.content.Context
import java.io.File
import java.io.FileNotFoundException
import java.util.zip.ZipEntry
import java.util.zip.ZipOutputStream

/** Files that were made to be shared: in the app's cache, which Android may empty, and lent by [RecordProvider]. */
class SharedFiles private constructor(private val folder: File) {
    /** Writes an archive and forgets the ones before. Its name. Throws IOException. */
    fun write(name: String, fill: (ZipOutputStream) -> Unit): String {
        folder.deleteRecursively()
        folder.mkdirs()
        ZipOutputStream(folder.resolve(name).outputStream().buffered()).use(fill)
        return name
    }

    /** Throws FileNotFoundException for whatever is not such a file. */
    fun file(name: String): File {
        val file = folder.canonicalFile.resolve(name).canonicalFile
        if (file.parentFile != folder.canonicalFile || !file.isFile) throw FileNotFoundException("$name: no such shared file")
        return file
    }

    companion object {
        fun of(context: Context) = SharedFiles(context.cacheDir.resolve("shared"))
    }
}

internal fun ZipOutputStream.add(name: String, file: File) {
    putNextEntry(ZipEntry(name))
    file.inputStream().use { it.copyTo(this) }
    closeEntry()
}
