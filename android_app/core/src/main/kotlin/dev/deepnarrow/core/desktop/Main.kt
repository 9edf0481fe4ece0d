package dev.deepnarrow.core.desktop

import dev.deepnarrow.core.Completed
import dev.deepnarrow.core.Failed
import dev.deepnarrow.core.HeapMemory
import dev.deepnarrow.core.MemoryBandwidthProbe
import dev.deepnarrow.core.RunListener
import dev.deepnarrow.core.RunProtocol
import dev.deepnarrow.core.RunRecord
import dev.deepnarrow.core.RunStore
import dev.deepnarrow.core.Running
import dev.deepnarrow.core.Skipped
import dev.deepnarrow.core.Stage
import dev.deepnarrow.core.UserError
import dev.deepnarrow.core.Wire
import dev.deepnarrow.core.onnx.OnnxEngine
import dev.deepnarrow.core.onnx.OnnxGraphReaderFactory
import dev.deepnarrow.core.oneLine
import dev.deepnarrow.core.sha256
import java.io.File
import java.io.IOException
import kotlin.system.exitProcess
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put

private const val EXIT_COMPLETED = 0
private const val EXIT_FAILED = 1
private const val EXIT_BAD_INPUT = 2

private const val HELP = """usage: java -jar deepnarrow-harness.jar run --artifact DIR --request FILE --out DIR [--device-json FILE]

Measures one ONNX artifact of `python -m export` in this process: memory bandwidth, load, self-check, prefill, decode.
Leaves OUT/<run_id>/record.json and, last, done.json.

  --artifact DIR      artifact folder
  --request FILE      run request, schema deepnarrow/run-request/1
  --out DIR           where the run's own folder is made
  --device-json FILE  play another device: {"device": {...}, "environment": {...}}; device.kind must be fake
  --help, --version

Standard output: progress, one JSON object a line; the last line is the result.
Exit codes: 0 completed, 1 failed or skipped (the record says why), 2 bad input, nothing written."""

/** The desktop harness; docs/harness-contract.md has its contract. */
fun main(words: Array<String>) {
    val code = try {
        run(words.toList())
    } catch (error: UserError) {
        System.err.println("error: ${oneLine(error)}")
        EXIT_BAD_INPUT
    } catch (error: IOException) {
        System.err.println("error: the record cannot be written: ${oneLine(error)}")
        EXIT_FAILED
    }
    exitProcess(code)
}

private fun run(words: List<String>): Int {
    when (words.singleOrNull()) {
        "--help", "-h" -> return say(HELP)
        "--version" -> return say(version())
    }
    val arguments = Arguments.parse(words)
    val request = Wire.readRequest(arguments.request)
    val probe = DesktopProbe(arguments.deviceJson?.let(PlayedDevice::read), version(), ownJar()?.let { sha256(it).take(BUILD_DIGITS) })
    val bandwidth = MemoryBandwidthProbe(::HeapMemory, OnnxGraphReaderFactory)
    val store = RunStore.create(arguments.out, request.runId)
    val record = RunProtocol(listOf(OnnxEngine()), probe, bandwidth, DesktopClock, PrintedProgress).run(arguments.artifact, request, store)
    print(result(record, store))
    return if (record.outcome is Completed) EXIT_COMPLETED else EXIT_FAILED
}

private object PrintedProgress : RunListener {
    override fun onProgress(stage: Stage, done: Int, total: Int) = print(
        buildJsonObject {
            put("stage", stage.word)
            put("done", done)
            put("total", total)
        },
    )
}

private fun result(record: RunRecord, store: RunStore): JsonObject = buildJsonObject {
    put("run_id", record.request.runId)
    put("outcome", outcome(record))
    put("record", store.recordFile.path)
    put("message", message(record))
}

private fun outcome(record: RunRecord): String = when (record.outcome) {
    is Completed -> "completed"
    is Failed -> "failed"
    is Skipped -> "skipped"
    is Running -> "running"
}

private fun message(record: RunRecord): JsonElement = when (val outcome = record.outcome) {
    is Failed -> JsonPrimitive(outcome.message)
    is Skipped -> JsonPrimitive(outcome.message)
    else -> JsonPrimitive(null as String?)
}

private const val BUILD_DIGITS = 16

private fun version(): String = Arguments::class.java.getResource("/deepnarrow-version.txt")?.readText()?.trim() ?: "unknown"

/** The jar this runs from; null when run from a folder of classes. */
private fun ownJar(): File? = File(Arguments::class.java.protectionDomain.codeSource.location.toURI()).takeIf { it.isFile }

private fun print(line: JsonObject) {
    println(line)
    System.out.flush()
}

private fun say(text: String): Int {
    println(text)
    return EXIT_COMPLETED
}
