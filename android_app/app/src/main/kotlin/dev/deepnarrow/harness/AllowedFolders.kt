package dev.deepnarrow.harness

import android.content.Context
import android.os.Environment
import dev.deepnarrow.core.Artifact
import dev.deepnarrow.core.RefusalCode
import java.io.File
import java.io.IOException

/** Where the app may read and write. Everything else is refused, whatever a request, a manifest or an intent says. */
class AllowedFolders(val media: File, private val pushed: File = PUSHED) {
    val runs: File get() = media.resolve("runs")
    val requests: File get() = media.resolve("requests")
    val artifactRoots: List<File> get() = listOf(media, pushed)

    /** Makes the writable folders; the pushed folder belongs to adb's shell user. */
    fun prepare() {
        for (folder in listOf(runs, requests, media.resolve("artifacts"))) {
            if (!folder.isDirectory && !folder.mkdirs()) throw Refused("$folder: cannot be made", RefusalCode.SHARED_STORAGE)
        }
    }

    /** The canonical form of [path], links and `..` resolved. Throws [Refused] if it is not inside an allowed folder. */
    fun readable(path: String): File = inside(path, listOf(media, pushed))

    /** As [readable] for an artifact's folder: the manifest is there, and whatever else is there can be read. Its content is not looked at. */
    fun artifact(path: String): File {
        val folder = readable(path)
        val manifest = folder.resolve(Artifact.MANIFEST_FILE)
        val entries = folder.walkTopDown().onEnter { it.canonicalFile == it } // Not into links.
        val unreadable = if (manifest.canRead()) entries.firstOrNull { !it.canRead() } else manifest
        if (unreadable != null) throw Refused("$unreadable: not there, or the app may not read it", RefusalCode.UNREADABLE_ARTIFACT)
        return folder
    }

    /** As [readable] for a file of at most [maxBytes]. */
    fun readableFile(path: String, maxBytes: Long): File {
        val file = readable(path)
        if (!file.isFile) throw Refused("$path: no such file")
        if (file.length() > maxBytes) throw Refused("$path: ${file.length()} bytes; at most $maxBytes are read")
        return file
    }

    private fun inside(path: String, roots: List<File>): File {
        val file = try {
            File(path).canonicalFile
        } catch (error: IOException) {
            throw Refused("$path: not a path: ${error.message}")
        }
        if (roots.none { root -> file.startsWith(root.canonicalFile) }) {
            throw Refused("$path: outside the allowed folders: ${roots.joinToString { it.path }}")
        }
        return file
    }

    companion object {
        val PUSHED = File("/data/local/tmp/deepnarrow")

        /** Throws [Refused] while shared storage is not mounted, which it is not before a phone's first unlock. */
        fun of(context: Context): AllowedFolders {
            @Suppress("DEPRECATION") // Still the only folder that both adb and the app read and write on every Android since 10.
            val media = context.externalMediaDirs.firstOrNull()
            return AllowedFolders(media ?: throw Refused("shared storage is ${Environment.getExternalStorageState()}; unlock the phone once", RefusalCode.SHARED_STORAGE))
        }
    }
}

/** Something that was asked for and is not allowed or not possible; the message is one line for whoever asked, [code] is for programs. */
class Refused(message: String, val code: RefusalCode = RefusalCode.REQUEST) : Exception(message)
