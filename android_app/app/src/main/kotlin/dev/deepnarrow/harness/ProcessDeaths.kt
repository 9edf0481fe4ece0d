package dev.deepnarrow.harness

import android.app.ActivityManager
import android.app.ApplicationExitInfo
import android.content.Context
import android.os.Build

/** Android keeps, per process, 128 bytes that the app chose and hands them back after the process died: here the run and its stage. */
class ProcessDeaths(context: Context) {
    private val manager: ActivityManager? = context.getSystemService(ActivityManager::class.java)
    private val packageName = context.packageName

    /** Names what this process is doing; outside timed regions only. */
    fun doing(runId: String, stage: String) {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return
        manager?.setProcessStateSummary(summary(runId, stage))
    }

    /** Why the process that was running [runId] died, in one line; null if Android does not know or is older than 11. */
    fun of(runId: String): String? {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.R) return null
        val deaths = manager?.getHistoricalProcessExitReasons(packageName, 0, MAX_DEATHS) ?: return null
        return deaths.firstOrNull { death -> death.processStateSummary?.decodeToString()?.startsWith("$runId ") == true }?.let(::line)
    }

    private fun line(death: ApplicationExitInfo): String {
        val stage = death.processStateSummary?.decodeToString()?.substringAfter(' ')
        return "${REASONS[death.reason] ?: "reason ${death.reason}"} in stage $stage" + (death.description?.takeIf { it.isNotEmpty() }?.let { ": $it" } ?: "")
    }

    companion object {
        private const val MAX_DEATHS = 32
        private const val MAX_SUMMARY_BYTES = 128

        /** Run ids are ASCII and may take 120 bytes; what does not fit is cut from the stage. */
        internal fun summary(runId: String, stage: String): ByteArray =
            "$runId $stage".encodeToByteArray().let { it.copyOf(minOf(it.size, MAX_SUMMARY_BYTES)) }

        private val REASONS = mapOf(
            ApplicationExitInfo.REASON_LOW_MEMORY to "killed for memory",
            ApplicationExitInfo.REASON_CRASH to "crashed",
            ApplicationExitInfo.REASON_CRASH_NATIVE to "crashed in native code",
            ApplicationExitInfo.REASON_ANR to "did not respond",
            ApplicationExitInfo.REASON_SIGNALED to "killed by a signal",
            ApplicationExitInfo.REASON_EXIT_SELF to "ended itself",
            ApplicationExitInfo.REASON_USER_REQUESTED to "stopped by the user",
            ApplicationExitInfo.REASON_EXCESSIVE_RESOURCE_USAGE to "killed for using too much",
        )
    }
}
