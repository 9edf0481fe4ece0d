package dev.deepnarrow.core.desktop

import dev.deepnarrow.core.Clock
import dev.deepnarrow.core.Core
import dev.deepnarrow.core.Device
import dev.deepnarrow.core.DeviceKind
import dev.deepnarrow.core.DeviceProbe
import dev.deepnarrow.core.Environment
import dev.deepnarrow.core.HarnessInfo
import dev.deepnarrow.core.MemoryPoint
import dev.deepnarrow.core.ProcFiles
import dev.deepnarrow.core.Stage
import java.time.Instant
import java.time.temporal.ChronoUnit

/** The clocks of a desktop JVM; time since boot is Linux's. */
object DesktopClock : Clock {
    private const val NS_PER_S = 1e9
    private val proc = ProcFiles()

    override fun monotonicNs(): Long = System.nanoTime()

    /** Seconds with two digits, of the clock that goes on while the machine sleeps. */
    override fun bootNs(): Long? = proc.text("proc/uptime")?.substringBefore(' ')?.toDoubleOrNull()?.let { (it * NS_PER_S).toLong() }

    override fun wallMs(): Long = System.currentTimeMillis()

    override fun sleep(ms: Long) = Thread.sleep(ms)
}

/**
 * What Linux tells about this machine; elsewhere most of it is null.
 *
 * @property played another device that this one plays; null for itself.
 * @property build hash of the running program.
 */
class DesktopProbe(
    private val played: PlayedDevice?,
    private val version: String,
    private val build: String?,
    private val proc: ProcFiles = ProcFiles(),
) : DeviceProbe {
    private val cores = proc.cpuIds().ifEmpty { (0 until usableCores()).toList() }

    override fun harness() = HarnessInfo(name = "deepnarrow-jvm", version = version, build = build, debug = false)

    override fun device(): Device = played?.device ?: Device(
        kind = DeviceKind.DESKTOP,
        os = System.getProperty("os.name").lowercase(),
        osVersion = System.getProperty("os.version"),
        osBuild = System.getProperty("os.version"),
        manufacturer = null,
        model = processor() ?: System.getProperty("os.arch"),
        soc = null,
        abi = System.getProperty("os.arch"),
        cores = cores.map { Core(it, proc.maxKhz(it)) },
        ramBytes = proc.meminfoBytes("MemTotal"),
    )

    override fun environment(): Environment {
        val now = played?.environment ?: PlayedEnvironment()
        return Environment(
            timeUtc = now.timeUtc ?: Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
            monotonicNs = DesktopClock.monotonicNs(),
            bootNs = DesktopClock.bootNs(),
            thermalStatus = now.thermalStatus,
            thermalHeadroom = now.thermalHeadroom,
            batteryPercent = now.batteryPercent,
            batteryCelsius = now.batteryCelsius,
            batteryCurrentUa = null,
            plugged = now.plugged,
            powerSave = now.powerSave,
            foreground = now.foreground,
            coreKhz = if (played == null) cores.map(proc::currentKhz) else emptyList(),
            availableRamBytes = proc.meminfoBytes("MemAvailable"),
            loadAverage = proc.loadAverage(),
        )
    }

    override fun memory(after: Stage) = MemoryPoint(
        after = after,
        rssBytes = proc.statusBytes("VmRSS"),
        anonymousBytes = proc.statusBytes("RssAnon"),
        fileBytes = proc.statusBytes("RssFile"),
        swapBytes = proc.statusBytes("VmSwap"),
        highWaterBytes = proc.statusBytes("VmHWM"),
    )

    override fun usableCores(): Int = Runtime.getRuntime().availableProcessors()

    /** `/proc/stat` counts all processors in ticks of 10 ms: user, nice, system, idle, iowait, irq, softirq, steal. */
    override fun foreignCpuNs(): Long? {
        val all = proc.text("proc/stat")?.lineSequence()?.first()?.split(Regex(" +"))?.drop(1)?.mapNotNull { it.toLongOrNull() }
        val own = proc.text("proc/self/stat")?.substringAfterLast(')')?.trim()?.split(' ')
        if (all == null || all.size < 8 || own == null || own.size < 13) return null
        val busy = all.take(8).sum() - all[3] - all[4]
        return (busy - own[11].toLong() - own[12].toLong()) * NS_PER_TICK
    }

    /** The probe's buffers are garbage by now, which only a collection returns; Linux starts VmHWM anew when 5 is written there. */
    override fun resetPeakMemory(): Boolean {
        System.gc()
        DesktopClock.sleep(CLEANER_MS)
        return proc.startPeakAnew()
    }

    override fun coreCapsKhz(): List<Int?> = if (played == null) cores.map(proc::capKhz) else emptyList()

    private fun processor(): String? =
        proc.text("proc/cpuinfo")?.lineSequence()?.firstOrNull { it.startsWith("model name") }?.substringAfter(':')?.trim()

    private companion object {
        /** The virtual machine frees direct buffers on a thread of its own, soon after the collection. */
        const val CLEANER_MS = 100L

        const val NS_PER_TICK = 10_000_000L
    }
}
