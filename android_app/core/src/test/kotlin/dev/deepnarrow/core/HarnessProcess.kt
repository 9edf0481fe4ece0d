package dev.deepnarrow.core

import java.io.BufferedReader
import java.io.File
import java.util.concurrent.TimeUnit
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/** How a harness process ended, and what it said. */
internal class Ended(val code: Int, val out: List<String>, val err: String)

/** The desktop harness in a process of its own, from the class path of these tests. */
internal class HarnessProcess(vararg words: String) {
    private val errors = File.createTempFile("harness", ".err").apply { deleteOnExit() }
    private val process: Process = ProcessBuilder(command(words.toList())).redirectError(errors).start()
    private val reader: BufferedReader = process.inputStream.bufferedReader()
    private val lines = ArrayList<String>()

    /** Reads on until a stage begins. */
    fun await(stage: Stage) {
        while (lastStage() != stage) lines += reader.readLine() ?: error("ended before ${stage.word}: $lines ${errors.readText()}")
    }

    /** SIGKILL, through the handle: the process' own method would also close its output, which is read to the end. */
    fun kill(): Ended {
        process.toHandle().destroyForcibly()
        return end()
    }

    fun end(): Ended {
        lines += reader.readLines()
        check(process.waitFor(60, TimeUnit.SECONDS)) { "still running: $lines" }
        return Ended(process.exitValue(), lines, errors.readText())
    }

    fun lastStage(): Stage? = lines.mapNotNull { stageOf(json(it)) }.lastOrNull()

    companion object {
        fun run(vararg words: String): Ended = HarnessProcess(*words).end()

        fun json(line: String): JsonObject = Wire.json.parseToJsonElement(line).jsonObject

        private fun stageOf(line: JsonObject): Stage? = line["stage"]?.jsonPrimitive?.content?.let { word -> Stage.entries.single { it.word == word } }

        private fun command(words: List<String>): List<String> {
            val java = File(System.getProperty("java.home")).resolve("bin/java").path
            val classPath = System.getProperty("surefire.test.class.path") ?: System.getProperty("java.class.path")
            return listOf(java, "-XX:TieredStopAtLevel=1", "-cp", classPath, "dev.deepnarrow.core.desktop.MainKt") + words
        }
    }
}
