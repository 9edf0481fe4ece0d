package dev.deepnarrow.core

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource

/** What is asked beyond measure is refused by its name, and what is not measured is null. */
class LimitsTest {
    @TempDir
    lateinit var folder: Path
    private val run by lazy { ScriptedRun(folder.toFile()) }

    @ParameterizedTest
    @CsvSource(
        "sustained, 'sustained_s 2147483647: at most 3600 here'", "passes, 'probe.passes 2147483647: at most 10000 here'",
        "repetitions, 'prefill_repetitions 2147483647: at most 10000 here'", "threads, 'num_threads 3: this machine has 2 cores; it only plays Phone'",
    )
    fun `numbers that would fill the memory are refused before anything is allocated`(what: String, message: String) {
        run.device.kind = DeviceKind.FAKE
        run.protocol {
            when (what) {
                "sustained" -> copy(sustainedS = Int.MAX_VALUE)
                "passes" -> copy(probe = ProbeProtocol(1L shl 20, Int.MAX_VALUE))
                "repetitions" -> copy(prefillRepetitions = Int.MAX_VALUE)
                else -> copy(numThreads = 3)
            }
        }
        assertEquals(Failed(Stage.ENVIRONMENT, FailureKind.REQUEST, message), run.run().outcome)
        assertFalse(run.events.any { it.startsWith("allocate") })
    }

    @Test
    fun `a sustained phase of more steps than a record holds is a refused request`() {
        run.runtime.forwardNs = 10
        val failed = run.protocol { copy(sustainedS = 1000) }.run().outcome as Failed
        assertEquals(Stage.SUSTAINED to FailureKind.REQUEST, failed.stage to failed.failure)
        assertEquals("sustained_s 1000: 100000000000 steps at 10 ns each; at most 1000000 are kept", failed.message)
    }

    @Test
    fun `caches that no buffer holds are the artifact's fault`() {
        run.artifact.changeManifest { manifest ->
            Wire.json.parseToJsonElement(manifest.toString().replace("\"max_context\":64", "\"max_context\":2147483647")) as kotlinx.serialization.json.JsonObject
        }
        val failed = run.run().outcome as Failed
        assertEquals(FailureKind.ARTIFACT, failed.failure)
        assertTrue(failed.message.startsWith("max_context 2147483647: a cache of one layer would have "), failed.message)
    }

    @Test
    fun `a runtime that this processor cannot run is refused before anything is timed`() {
        run.engine.unfit = "needs another processor"
        assertEquals(Failed(Stage.ENVIRONMENT, FailureKind.ARTIFACT, "needs another processor"), run.run().outcome)
        assertFalse(run.events.any { it.startsWith("allocate") || it == "prepare" })
    }

    @Test
    fun `a peak that includes the probe's buffer is not recorded`() {
        run.device.canResetPeak = false
        val memory = run.run().memory
        assertTrue(memory.isNotEmpty())
        assertTrue(memory.all { it.highWaterBytes == null && it.rssBytes == 1L })
    }

    @Test
    fun `clocks that only idle are no frequency drop`() {
        val healthy = ScriptedDevice.healthy(run.clock)
        run.device.environments = listOf(healthy, healthy.copy(coreKhz = listOf(300_000, 300_000)))
        assertEquals(emptyList<Concern>(), run.run().concerns)
    }

    @Test
    fun `a core whose highest clock was lowered is named`() {
        run.device.capsKhz = listOf(listOf(2_000_000, 3_000_000), listOf(2_000_000, 1_500_000))
        assertEquals("the system lowered the highest clock of core 1 from 3000000 to 1500000 kHz during the run", run.run().concerns.single().detail)
    }
}
