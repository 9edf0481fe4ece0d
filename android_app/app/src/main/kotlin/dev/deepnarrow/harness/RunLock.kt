package dev.deepnarrow.harness

import dev.deepnarrow.core.RefusalCode
import java.io.File
import java.io.RandomAccessFile
import java.nio.channels.FileLock
import java.nio.channels.OverlappingFileLockException

/**
 * Only one run at a time on a phone, in whichever process. The kernel releases the lock when the process that holds it dies,
 * so a crash leaves nothing to clean up. The file lies in internal storage: shared storage is behind a file system of its own.
 */
class RunLock private constructor(private val file: RandomAccessFile, private val lock: FileLock) : AutoCloseable {
    override fun close() {
        lock.release()
        file.close()
    }

    companion object {
        const val ANOTHER_RUN = "another run is active; one phone measures one thing at a time"

        /** Throws [Refused] while another run is active. */
        fun acquire(folder: File): RunLock {
            val file = RandomAccessFile(folder.resolve("run.lock"), "rw")
            val lock = try {
                file.channel.tryLock()
            } catch (_: OverlappingFileLockException) { // Held by this very process.
                null
            }
            if (lock != null) return RunLock(file, lock)
            file.close()
            throw Refused(ANOTHER_RUN, RefusalCode.ACTIVE_RUN)
        }
    }
}
