package dev.deepnarrow.core.onnx

import java.io.File
import java.io.IOException

/** What the kernel says about this process; null or false where there is no `/proc`. */
internal object ProcSelf {
    fun maps(file: File): Boolean = try {
        val path = file.canonicalPath
        File("/proc/self/maps").useLines { lines -> lines.any { it.endsWith(path) } }
    } catch (_: IOException) {
        false
    }

    fun threadIds(): Set<String>? = File("/proc/self/task").list()?.toSet()

    /** Name of a thread; null once it has ended. */
    fun threadName(id: String): String? = try {
        File("/proc/self/task/$id/comm").readText().trim()
    } catch (_: IOException) {
        null
    }

    fun ownThreadName(): String? = try {
        File("/proc/thread-self/comm").readText().trim()
    } catch (_: IOException) {
        null
    }
}

/**
 * Counts the threads that a runtime starts while it loads: native threads inherit the name of the one that made them, the
 * virtual machine's own threads, which may start at any time, have names of theirs.
 */
internal class ThreadCount private constructor(private val before: Set<String>?, private val name: String?) {
    fun startedSince(): Int? {
        val now = ProcSelf.threadIds()
        if (before == null || now == null || name == null) return null
        return (now - before).count { ProcSelf.threadName(it) == name }
    }

    companion object {
        fun before() = ThreadCount(ProcSelf.threadIds(), ProcSelf.ownThreadName())
    }
}
