package dev.deepnarrow.core

import dev.deepnarrow.core.desktop.DesktopClock
import dev.deepnarrow.core.desktop.DesktopProbe
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** What the desktop harness reads from a kernel's files, and that it does without them. */
class DesktopProbeTest {
    @TempDir
    lateinit var root: Path
    private val probe by lazy { DesktopProbe(null, "1.2", "abc", ProcFiles(root.toFile())) }

    @Test
    fun `files of the kernel become values with units`() {
        file("sys/devices/system/cpu/possible", "0-1,3\n")
        file("sys/devices/system/cpu/cpu3/cpufreq/cpuinfo_max_freq", "2400000\n")
        file("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1100000\n")
        file("proc/meminfo", "MemTotal:       2048 kB\nMemAvailable:   1024 kB\n")
        file("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2.40GHz\n")
        file("proc/loadavg", "1.25 0.5 0.25 1/100 4242\n")
        file("proc/self/status", "VmHWM:\t    9 kB\nVmRSS:\t    7 kB\nRssAnon:\t    4 kB\nRssFile:\t    3 kB\nVmSwap:\t    0 kB\n")
        assertEquals(listOf(Core(0, null), Core(1, null), Core(3, 2_400_000)), probe.device().cores)
        assertEquals("Some CPU @ 2.40GHz" to 2048L * 1024, probe.device().run { model to ramBytes })
        assertEquals(listOf(1_100_000, null, null), probe.environment().coreKhz)
        assertEquals(1024L * 1024 to 1.25, probe.environment().run { availableRamBytes to loadAverage })
        assertEquals(MemoryPoint(Stage.LOAD, 7 * 1024, 4 * 1024, 3 * 1024, 0, 9 * 1024), probe.memory(Stage.LOAD))
    }

    @Test
    fun `processor time of others is all that is busy without this process`() {
        file("proc/stat", "cpu  100 5 30 1000 200 3 2 10 99 99\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
        file("proc/self/stat", "42 (a (strange) name) S 1 1 1 0 -1 4194304 100 0 0 0 20 10 0 0 20 0 1 0\n")
        assertEquals((100 + 5 + 30 + 3 + 2 + 10 - 30) * 10_000_000L, probe.foreignCpuNs())
    }

    @Test
    fun `without the kernel's files values are null, not zero`() {
        assertNull(probe.foreignCpuNs())
        assertNull(probe.device().ramBytes)
        assertEquals(MemoryPoint(Stage.LOAD, null, null, null, null, null), probe.memory(Stage.LOAD))
        assertEquals(Runtime.getRuntime().availableProcessors(), probe.device().cores.size)
        val now = probe.environment()
        assertEquals(listOf<Any?>(null, null, null, null, null), now.run { listOf(thermalStatus, batteryPercent, batteryCelsius, availableRamBytes, loadAverage) })
    }

    @Test
    fun `the clocks run`() {
        val before = DesktopClock.monotonicNs()
        DesktopClock.sleep(20)
        assertTrue(DesktopClock.monotonicNs() - before >= 19_000_000)
        assertTrue(Math.abs(DesktopClock.wallMs() - System.currentTimeMillis()) < 1000)
    }

    private fun file(path: String, text: String) = root.resolve(path).toFile().run {
        parentFile.mkdirs()
        writeText(text)
    }
}
