package dev.deepnarrow.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException

/** A run's own folder `OUT/<run_id>`. Files appear whole or not at all: written beside, flushed to the disk, renamed. */
class RunStore private constructor(val folder: File) {
    val recordFile: File = folder.resolve(RECORD_FILE)

    /** Throws IOException, as when the disk is full; the record before stays. */
    fun writeRecord(record: RunRecord) = replace(recordFile, Wire.json.encodeToString(RunRecord.serializer(), record))

    /** Declares the record complete. Throws IOException. */
    fun writeDone(runId: String) = replace(folder.resolve(DONE_FILE), Wire.json.encodeToString(Done.serializer(), done(runId)))

    private fun done(runId: String) = Done(runId = runId, recordSha256 = sha256(recordFile))

    private fun replace(file: File, text: String) {
        val temporary = folder.resolve(".${file.name}.tmp")
        var written = false
        try {
            FileOutputStream(temporary).use { stream ->
                stream.write(text.encodeToByteArray() + '\n'.code.toByte())
                stream.fd.sync()
            }
            written = temporary.renameTo(file)
            if (!written) throw IOException("$temporary: cannot be renamed to ${file.name}")
        } finally {
            if (!written) temporary.delete()
        }
    }

    companion object {
        const val RECORD_FILE = "record.json"
        const val DONE_FILE = "done.json"

        /** Makes the folder of a new run. Throws [UserError] if it exists or cannot be made. */
        fun create(out: File, runId: String): RunStore {
            requireRunId("run_id", runId)
            val folder = out.resolve(runId)
            if (folder.exists()) throw UserError("$folder exists; every run needs a run_id of its own")
            if (!folder.mkdirs()) throw UserError("$folder: cannot be made")
            return RunStore(folder)
        }
    }
}
