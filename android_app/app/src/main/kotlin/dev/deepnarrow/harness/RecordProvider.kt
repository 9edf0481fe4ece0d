package dev.deepnarrow.harness

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/**
 * Lends the records of runs and archives of them, and nothing else, to the app that the user picks in the share sheet: read-only, one URI at a
 * time. Not exported; a reader needs the grant that comes with the share intent.
 */
class RecordProvider : ContentProvider() {
    override fun onCreate() = true

    override fun getType(uri: Uri) = if (isArchive(uri)) "application/zip" else "application/json"

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw FileNotFoundException("$uri: records are read-only")
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun query(uri: Uri, projection: Array<out String>?, selection: String?, args: Array<out String>?, order: String?): Cursor {
        val file = file(uri)
        val columns = projection ?: arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE)
        return MatrixCursor(columns).apply {
            addRow(columns.map { column ->
                when (column) {
                    OpenableColumns.DISPLAY_NAME -> if (isArchive(uri)) file.name else "${file.parentFile?.name}.json"
                    OpenableColumns.SIZE -> file.length()
                    else -> null
                }
            })
        }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri = throw UnsupportedOperationException("records are read-only")

    override fun update(uri: Uri, values: ContentValues?, where: String?, args: Array<out String>?): Int =
        throw UnsupportedOperationException("records are read-only")

    override fun delete(uri: Uri, where: String?, args: Array<out String>?): Int =
        throw UnsupportedOperationException("records are read-only")

    private fun isArchive(uri: Uri) = uri.pathSegments.size == 2 && uri.pathSegments.first() == ARCHIVES

    private fun file(uri: Uri): File {
        if (isArchive(uri)) return SharedFiles.of(checkNotNull(context)).file(uri.pathSegments.last())
        val runId = uri.pathSegments.singleOrNull() ?: throw FileNotFoundException("$uri: not a run")
        val runs = try {
            AllowedFolders.of(checkNotNull(context)).runs.canonicalFile
        } catch (error: Refused) {
            throw FileNotFoundException(error.message)
        }
        val file = runs.resolve(runId).resolve("record.json").canonicalFile
        if (file.parentFile?.parentFile != runs || !file.isFile) throw FileNotFoundException("$uri: no such run")
        return file
    }

    companion object {
        private const val ARCHIVES = "archive"

        /** Of a file in [SharedFiles]. */
        fun archiveUri(context: Context, name: String): Uri =
            Uri.Builder().scheme("content").authority("${context.packageName}.records").appendPath(ARCHIVES).appendPath(name).build()

        fun uri(context: Context, runId: String): Uri =
            Uri.Builder().scheme("content").authority("${context.packageName}.records").appendPath(runId).build()
    }
}
