package dev.deepnarrow.core

import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.EnumSource

/** Whatever goes wrong in a stage becomes a record that says where and what. */
class RunFailuresTest {
    @TempDir
    lateinit var folder: Path
    private val run by lazy { ScriptedRun(folder.toFile()).protocol { copy(sustainedS = 1) } }

    @ParameterizedTest
    @EnumSource(Stage::class, names = ["SELF_CHECK", "WARM_UP", "PREFILL", "DECODE", "SUSTAINED"])
    fun `a call that fails is the runtime's failure`(stage: Stage) {
        run.runtime.onForward = { if (run.stage == stage) throw RuntimeFailure("broken\nkernel", null) }
        assertFailed(Failed(stage, FailureKind.RUNTIME, "broken kernel"))
        assertEquals("close", run.events.last())
    }

    @ParameterizedTest
    @EnumSource(Stage::class, names = ["SELF_CHECK", "WARM_UP", "PREFILL", "DECODE", "SUSTAINED"])
    fun `a full heap or a runtime without memory is out of memory`(stage: Stage) {
        val error = if (stage == Stage.DECODE) OutOfMemoryError("Java heap space") else RuntimeFailure("bad_alloc", null, outOfMemory = true)
        run.runtime.onForward = { if (run.stage == stage) throw error }
        val failed = run.run().outcome as Failed
        assertEquals(stage to FailureKind.OUT_OF_MEMORY, failed.stage to failed.failure)
    }

    @ParameterizedTest
    @EnumSource(Stage::class)
    fun `a fault of the harness is internal and names itself`(stage: Stage) {
        run.onStage = { if (it == stage) throw IllegalStateException("a fault") }
        assertFailed(Failed(stage, FailureKind.INTERNAL, "IllegalStateException: a fault"))
    }

    @ParameterizedTest
    @EnumSource(Stage::class)
    fun `a disk error is a failure of the storage`(stage: Stage) {
        run.onStage = { if (it == stage) throw IOException("Input/output error") }
        assertFailed(Failed(stage, FailureKind.STORAGE, "Input/output error"))
    }

    @Test
    fun `a runtime that cannot start, load or be called is a load failure`() {
        run.engine.onLoad = { throw RuntimeFailure("no such operator", null) }
        assertFailed(Failed(Stage.LOAD, FailureKind.LOAD, "no such operator"))
        val second = ScriptedRun(Files.createDirectory(folder.resolve("second")).toFile())
        second.engine.onPrepare = { throw RuntimeFailure("no natives", null) }
        assertEquals(Failed(Stage.LOAD, FailureKind.LOAD, "no natives"), second.run().outcome)
        assertFalse("load" in second.events)
    }

    @Test
    fun `a first call that fails is a load failure, and the model is closed`() {
        run.runtime.onForward = { throw RuntimeFailure("bad shape", null) }
        assertFailed(Failed(Stage.LOAD, FailureKind.LOAD, "bad shape"))
        assertEquals("close", run.events.last())
    }

    @Test
    fun `a probe graph that fails ends the run before the model is touched`() {
        run.graph = GraphReaderFactory { _, _ -> throw RuntimeFailure("no ReduceSum", null) }
        assertFailed(Failed(Stage.BANDWIDTH, FailureKind.INTERNAL, "no ReduceSum"))
        assertFalse("prepare" in run.events)
    }

    @Test
    fun `what was measured before a failure stays in the record`() {
        run.runtime.onForward = { if (run.stage == Stage.DECODE) throw RuntimeFailure("late", null) }
        val record = run.run()
        assertEquals(listOf(3, 6), record.prefill.map { it.promptLength })
        assertEquals(emptyList<DecodeSamples>(), record.decode)
        assertNull(record.environmentAfter)
    }

    @Test
    fun `a disk that is full for a moment leaves a failed record`() {
        assumeTrue(Files.exists(Path.of("/dev/full")), "needs /dev/full")
        run.onProgress = { stage, done, total ->
            if (stage == Stage.PREFILL && done == 1 && total == 2) Files.createSymbolicLink(run.store.folder.toPath().resolve(".record.json.tmp"), Path.of("/dev/full"))
        }
        val record = run.run()
        val failed = record.outcome as Failed
        assertEquals(Stage.PREFILL to FailureKind.STORAGE, failed.stage to failed.failure)
        assertTrue("No space left on device" in failed.message, failed.message)
        assertEquals(record, Wire.readRecord(run.store.recordFile))
        assertEquals(setOf("record.json", "done.json"), run.store.folder.list()!!.toSet())
    }

    private fun assertFailed(expected: Failed) {
        val record = run.run()
        assertEquals(expected, record.outcome)
        assertEquals(record, Wire.readRecord(run.store.recordFile))
        assertEquals(sha256(run.store.recordFile), Wire.readDone(run.store.folder.resolve("done.json")).recordSha256)
        assertEquals(emptyList<String>(), Repository.schemaErrors("run-record-1", run.store.recordFile))
        assertEquals(expected.stage, run.stage, "no later stage began")
    }
}
