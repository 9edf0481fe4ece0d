package dev.deepnarrow.core

import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.CsvSource

/** What must hold before a run, and what is said of one that ran although something was wrong. */
class StartAndConcernsTest {
    @TempDir
    lateinit var folder: Path
    private val run by lazy { ScriptedRun(folder.toFile()) }
    private val healthy by lazy { ScriptedDevice.healthy(run.clock) }

    @Test
    fun `a hot device is waited for`() {
        val hot = healthy.copy(thermalStatus = 2)
        run.device.environments = listOf(hot, hot, hot, healthy)
        val record = run.run()
        assertEquals(Completed, record.outcome)
        assertEquals(listOf(1000L, 1000L, 1000L), run.clock.sleepsMs)
        assertEquals(3_000_000_000L, record.startWaitNs)
        assertEquals(0, record.environmentBefore!!.thermalStatus)
    }

    @ParameterizedTest
    @CsvSource(
        "thermal, 'thermal status 3, above max_thermal_status 0 after 2 s'",
        "celsius, 'battery at 41.5 C, above max_battery_celsius 37.0 after 2 s'",
        "percent, 'battery at 12 %, below min_battery_percent 20 after 2 s'",
    )
    fun `a limit that does not hold skips the run before anything is touched`(sensor: String, message: String) {
        run.request = run.request.copy(startLimits = StartLimits(minBatteryPercent = 20, waitS = 2))
        run.device.environments = listOf(
            when (sensor) {
                "thermal" -> healthy.copy(thermalStatus = 3)
                "celsius" -> healthy.copy(batteryCelsius = 41.5)
                else -> healthy.copy(batteryPercent = 12)
            },
        )
        val record = run.run()
        assertEquals(Skipped(message), record.outcome)
        assertEquals(Skipped(message), Wire.readRecord(run.store.recordFile).outcome)
        assertTrue(run.store.folder.resolve("done.json").exists())
        assertFalse(run.events.any { it.startsWith("allocate") || it == "load" })
    }

    @Test
    fun `missing sensors and limits that are switched off pass`() {
        run.request = run.request.copy(startLimits = StartLimits(maxThermalStatus = null, minBatteryPercent = 90))
        run.device.environments = listOf(healthy.copy(thermalStatus = 1, batteryCelsius = null, batteryPercent = null))
        assertEquals(Completed, run.run().outcome)
        assertEquals(emptyList<Long>(), run.clock.sleepsMs)
    }

    @ParameterizedTest
    @CsvSource(
        "foreground, BACKGROUND, INVALID", "power save, POWER_SAVE, INVALID", "throttling, THERMAL_STATUS, INVALID", "warm, THERMAL_STATUS, WARNING",
        "hot battery, BATTERY_TEMPERATURE, WARNING", "plugged, CHARGING, WARNING", "low battery, LOW_BATTERY, WARNING", "slow core, FREQUENCY_DROP, WARNING",
    )
    fun `a device that changes during the run is a concern`(what: String, code: ConcernCode, severity: Severity) {
        val after = when (what) {
            "foreground" -> healthy.copy(foreground = false)
            "power save" -> healthy.copy(powerSave = true)
            "throttling" -> healthy.copy(thermalStatus = 2)
            "warm" -> healthy.copy(thermalStatus = 1)
            "hot battery" -> healthy.copy(batteryCelsius = 39.0)
            "plugged" -> healthy.copy(plugged = true)
            "low battery" -> healthy.copy(batteryPercent = 24)
            else -> healthy.also { run.device.capsKhz = listOf(listOf(2_000_000, null), listOf(1_500_000, null)) }
        }
        run.device.environments = listOf(healthy, after)
        assertConcern(code, severity)
    }

    @ParameterizedTest
    @CsvSource("threads, THREADS_DIFFER", "load mode, LOAD_MODE_DIFFERS", "backend, BACKEND_DIFFERS")
    fun `a runtime that did something else makes the run invalid`(what: String, code: ConcernCode) {
        run.protocol { copy(backend = Backend.CPU, loadMode = LoadMode.MMAP) }
        val seen = run.runtime.observed
        run.runtime.observed = when (what) {
            "threads" -> seen.copy(numThreads = 1)
            "load mode" -> seen.copy(loadMode = LoadMode.FILE)
            else -> seen.copy(backends = listOf("QNNExecutionProvider"))
        }
        assertConcern(code, Severity.INVALID)
    }

    @Test
    fun `what a runtime does not tell is no concern`() {
        run.protocol { copy(loadMode = LoadMode.MMAP) }
        run.runtime.observed = run.runtime.observed.copy(numThreads = null, loadMode = null)
        assertTrue(run.run().valid)
    }

    @Test
    fun `a device that slept makes the run invalid`() {
        run.onStage = { if (it == Stage.DECODE) run.clock.sleptNs = 500_000_000L }
        assertConcern(ConcernCode.CLOCK_JUMP, Severity.INVALID)
    }

    @Test
    fun `a wall clock that was set is a warning`() {
        run.onStage = { if (it == Stage.DECODE) run.clock.wallJumpMs = -5_000L }
        assertConcern(ConcernCode.CLOCK_JUMP, Severity.WARNING)
    }

    @Test
    fun `the program and the machine are warned about`() {
        run.device.kind = DeviceKind.EMULATOR
        run.device.harness = run.device.harness.copy(debug = true)
        run.onStage = { if (it == Stage.FINISH) run.device.foreignNs = 1_000_000_000L }
        val record = run.run()
        assertEquals(listOf(ConcernCode.DEBUG_BUILD, ConcernCode.EMULATOR, ConcernCode.BUSY_MACHINE), record.concerns.map { it.code })
        assertTrue(record.valid)
    }

    private fun assertConcern(code: ConcernCode, severity: Severity) {
        val record = run.run()
        assertEquals(Completed, record.outcome)
        assertEquals(listOf(code to severity), record.concerns.map { it.code to it.severity })
        assertEquals(severity == Severity.WARNING, record.valid)
        assertTrue(record.concerns.single().detail.isNotBlank())
    }
}
