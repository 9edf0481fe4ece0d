package dev.deepnarrow.core

import java.io.File
import java.nio.file.Path
import java.util.concurrent.TimeUnit
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource
import org.junit.jupiter.params.provider.EnumSource

/** The command line in a process of its own. */
class DesktopMainTest {
    @TempDir
    lateinit var folder: Path
    private val out by lazy { folder.resolve("out").toFile() }
    private val artifact by lazy { TinyArtifacts.folder(TinyArtifacts.WIDE).path }

    @Test
    fun `a run prints its progress and leaves a record`() {
        val ended = HarnessProcess.run(*words(request(RealRun.small)))
        assertEquals(0, ended.code, ended.err)
        assertEquals("", ended.err)
        val lines = ended.out.map(HarnessProcess::json)
        val stages = (Stage.entries - Stage.SUSTAINED).map { it.word }
        assertEquals(stages, lines.dropLast(1).map { it.getValue("stage").jsonPrimitive.content }.distinct())
        assertTrue(lines.dropLast(1).all { it.keys == setOf("stage", "done", "total") })
        assertEquals(listOf("run_id", "outcome", "record", "message"), lines.last().keys.toList())
        assertEquals("completed", lines.last().getValue("outcome").jsonPrimitive.content)
        assertEquals(JsonNull, lines.last().getValue("message"))
        val file = File(lines.last().getValue("record").jsonPrimitive.content)
        val record = Wire.readRecord(file)
        assertEquals(Completed to DeviceKind.DESKTOP, record.outcome to record.device.kind)
        assertEquals("deepnarrow-jvm", record.harness.name)
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-record-1", file))
        assertEquals(sha256(file), Wire.readDone(file.resolveSibling("done.json")).recordSha256)
    }

    @Test
    fun `a failed run ends with 1 and says why in the last line`() {
        val ended = HarnessProcess.run(*words(request(RealRun.small.copy(numThreads = 4096))))
        assertEquals(1, ended.code, ended.err)
        val last = HarnessProcess.json(ended.out.last())
        assertEquals("failed", last.getValue("outcome").jsonPrimitive.content)
        assertTrue("num_threads 4096" in last.getValue("message").jsonPrimitive.content)
    }

    @Test
    fun `help and version end with 0`() {
        val help = HarnessProcess.run("--help")
        assertEquals(0 to "", help.code to help.err)
        assertTrue(listOf("--artifact", "--request", "--out", "--device-json").all { option -> help.out.any { option in it } })
        assertTrue(HarnessProcess.run("--version").out.single().matches(Regex("[0-9]+[.][0-9]+[.][0-9]+")))
    }

    @ParameterizedTest
    @CsvSource(
        "unknown key, treads", "no request, no such file", "not a fake, device.kind", "existing run, needs a run_id of its own", "unknown option, --artefact",
        "missing option, --out", "no value, --out", "unknown command, measure", "nothing, run",
    )
    fun `bad input is one line, exit code 2, and nothing written`(what: String, named: String) {
        val good = words(request(RealRun.small))
        val bad = when (what) {
            "unknown key" -> words(request(RealRun.small) { it.replaceFirst("{", "{\"treads\": 1,") })
            "no request" -> words(folder.resolve("none.json").toFile())
            "not a fake" -> good + arrayOf("--device-json", played("phone", "{}").path)
            "existing run" -> good.also { out.resolve("real").mkdirs() }
            "unknown option" -> good.map { if (it == "--artifact") "--artefact" else it }.toTypedArray()
            "missing option" -> good.take(5).toTypedArray()
            "no value" -> good.dropLast(1).toTypedArray()
            "unknown command" -> arrayOf("measure") + good.drop(1)
            else -> emptyArray()
        }
        val existed = out.walk().toSet()
        val ended = HarnessProcess.run(*bad)
        assertEquals(2, ended.code, ended.err)
        assertTrue(named in ended.err && ended.err.trim().lines().size == 1, ended.err)
        assertEquals(emptyList<String>(), ended.out)
        assertEquals(existed, out.walk().toSet())
    }

    @Test
    fun `a played device is in the record and its sensors count`() {
        val ended = HarnessProcess.run(*words(request(RealRun.small, StartLimits(waitS = 0))), "--device-json", played("fake", """{"thermal_status": 3}""").path)
        assertEquals(1, ended.code, ended.err)
        assertEquals("skipped", HarnessProcess.json(ended.out.last()).getValue("outcome").jsonPrimitive.content)
        val record = Wire.readRecord(out.resolve("real/record.json"))
        assertEquals(Skipped("thermal status 3, above max_thermal_status 0 after 0 s"), record.outcome)
        assertEquals(DeviceKind.FAKE to "Phone 1", record.device.kind to record.device.model)
        assertEquals(3, record.environmentBefore!!.thermalStatus)
    }

    /** Load and self-check of the tiny artifact may be over before the signal comes; the other stages are made long. */
    @ParameterizedTest
    @EnumSource(Stage::class, names = ["ENVIRONMENT", "BANDWIDTH", "LOAD", "SELF_CHECK", "WARM_UP", "PREFILL", "DECODE", "SUSTAINED"])
    fun `a process killed in a stage leaves a record that says so`(stage: Stage) {
        val long = (1..1000).toList()
        val protocol = RealRun.small.run {
            when (stage) {
                Stage.BANDWIDTH -> copy(probe = ProbeProtocol(256L shl 20, 1000))
                Stage.LOAD, Stage.SELF_CHECK, Stage.WARM_UP -> copy(promptLengths = long)
                Stage.PREFILL -> copy(promptLengths = listOf(1000), prefillRepetitions = 10_000)
                Stage.DECODE -> copy(contexts = (0..500).toList(), decodeSteps = 500)
                else -> copy(sustainedS = 60)
            }
        }
        val hot = if (stage == Stage.ENVIRONMENT) arrayOf("--device-json", played("fake", """{"thermal_status": 3}""").path) else emptyArray()
        val process = HarnessProcess(*words(request(protocol)), *hot)
        process.await(stage)
        val ended = process.kill()
        assertEquals(128 + 9, ended.code, ended.err)
        val record = Wire.readRecord(out.resolve("real/record.json"))
        assertEquals(Running(process.lastStage()!!), record.outcome)
        if (stage !in setOf(Stage.LOAD, Stage.SELF_CHECK)) assertEquals(Running(stage), record.outcome)
        assertFalse(out.resolve("real/done.json").exists())
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-record-1", out.resolve("real/record.json")))
    }

    @Test
    fun `a disk that stays full leaves the last whole record and ends with one line`() {
        val disk = folder.resolve("disk").toFile().apply { mkdir() }
        assumeTrue(command("mount", "-t", "tmpfs", "-o", "size=8k", "none", disk.path) == 0, "mounting a small tmpfs needs root")
        try {
            val request = request(RealRun.small)
            val ended = HarnessProcess.run("run", "--artifact", artifact, "--request", request.path, "--out", disk.path)
            assertEquals(1, ended.code)
            assertEquals("error: the record cannot be written: No space left on device", ended.err.trim())
            val left = disk.resolve("real").list()!!.toList()
            assertEquals(listOf("record.json"), left)
            val record = Wire.readRecord(disk.resolve("real/record.json"))
            assertTrue(record.outcome is Running, record.outcome.toString())
        } finally {
            check(command("umount", disk.path) == 0)
        }
    }

    private fun command(vararg words: String): Int = ProcessBuilder(*words).redirectErrorStream(true).start().run {
        inputStream.readAllBytes()
        check(waitFor(10, TimeUnit.SECONDS))
        exitValue()
    }

    private fun request(protocol: Protocol, startLimits: StartLimits = StartLimits(), change: (String) -> String = { it }): File {
        val text = Wire.json.encodeToString(RunRequest.serializer(), RunRequest(runId = "real", protocol = protocol, startLimits = startLimits))
        return folder.resolve("job.json").toFile().apply { writeText(change(text)) }
    }

    private fun played(kind: String, environment: String): File {
        val device = Wire.readRecord(Repository.golden("record_completed")).device
        val json = Wire.json.encodeToString(Device.serializer(), device).replaceFirst("\"phone\"", "\"$kind\"")
        return folder.resolve("device.json").toFile().apply { writeText("""{"device": $json, "environment": $environment}""") }
    }

    private fun words(request: File) = arrayOf("run", "--artifact", artifact, "--request", request.path, "--out", out.path)
}
