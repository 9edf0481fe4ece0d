package dev.deepnarrow.harness

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

    /** The next run of [series], which is of [artifact]. It has no plan: a press of the button is a session, not a campaign. */
    fun planned(series: Series, artifact: FoundArtifact): RunRequest {
        val lengths = PROMPT_LENGTHS.filter { it <= artifact.maxContext }.ifEmpty { listOf(1) }
        return try {
            RunRequest(
                runId = "${series.session}.${"%02d".format(Locale.ROOT, series.next)}",
                session = series.session,
                contentId = artifact.contentId,
                protocol = Protocol(numThreads = series.numThreads, promptLengths = lengths, contexts = series.contexts, decodeSteps = DECODE_STEPS),
            )
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
