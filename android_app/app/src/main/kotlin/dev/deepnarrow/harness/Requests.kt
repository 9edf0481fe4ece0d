package dev.deepnarrow.harness

import dev.deepnarrow.core.StartLimits
import dev.deepnarrow.core.PlanPosition
import dev.deepnarrow.core.Protocol
import dev.deepnarrow.core.RunRequest
import dev.deepnarrow.core.UserError
import dev.deepnarrow.core.Wire
import java.util.Base64
import java.util.Locale

/** Requests that come in from outside and those that the app makes itself. All errors are [Refused]. */
object Requests {
    /** Timed steps at each context of the app's own requests. */
    const val DECODE_STEPS = 128

    /** [given] is a path in an allowed folder, JSON, or JSON in base64, which survives every shell. */
    fun parse(given: String, folders: AllowedFolders): RunRequest = refusing {
        when {
            given.startsWith("/") -> Wire.readRequest(folders.readableFile(given, Wire.MAX_REQUEST_BYTES))
            given.startsWith("{") -> Wire.parseRequest(given, "request")
            else -> Wire.parseRequest(decode(given), "request")
        }
    }

    private fun decode(given: String): String = try {
        Base64.getDecoder().decode(given.filterNot { it.isWhitespace() }).decodeToString(throwOnInvalidSequence = true)
    } catch (_: IllegalArgumentException) {
        throw Refused("request: '${given.take(40)}' is neither a path, nor JSON, nor base64")
    } catch (_: CharacterCodingException) {
        throw Refused("request: what the base64 holds is not UTF-8")
    }

    /** The next run of [series]; [deviceId] tells phones apart once records of several are put together. */
    fun planned(series: Series, artifact: FoundArtifact, deviceId: String): RunRequest = refusing {
        val run = series.plan[series.next]
        val lengths = PROMPT_LENGTHS.filter { it <= artifact.maxContext }
        val cell = "${artifact.pair}/${artifact.shapeName}/${artifact.target}-${artifact.scheme}/${series.numThreads}-threads"
        val plan = PlanPosition(series.campaign, cell, "${series.pairKey} ${run.block}", run.repetition, run.order, deviceId)
        try {
            val protocol = Protocol(
                numThreads = series.numThreads, promptLengths = lengths.ifEmpty { listOf(1) }, contexts = series.contexts, decodeSteps = DECODE_STEPS,
            )
            val runId = "${series.campaign}.${"%02d".format(Locale.ROOT, run.order)}"
            RunRequest(runId = runId, jobId = artifact.jobId, protocol = protocol, startLimits = StartLimits(), plan = plan)
        } catch (error: IllegalArgumentException) {
            throw Refused(error.message.orEmpty())
        }
    }

    fun json(request: RunRequest): String = Wire.json.encodeToString(RunRequest.serializer(), request)

    private val PROMPT_LENGTHS = listOf(64, 512)
}

/** The core's errors in the words of this module. */
internal inline fun <T> refusing(action: () -> T): T = try {
    action()
} catch (error: UserError) {
    throw Refused(error.message.orEmpty())
}
