package dev.deepnarrow.harness

import dev.deepnarrow.core.ProcFiles
import android.content.Context
import android.content.pm.ApplicationInfo
import android.os.Build
import android.os.SystemClock
import dev.deepnarrow.core.Clock
import dev.deepnarrow.core.Core
import dev.deepnarrow.core.Device
import dev.deepnarrow.core.DeviceKind
import dev.deepnarrow.core.DeviceProbe
import dev.deepnarrow.core.Environment
import dev.deepnarrow.core.HarnessInfo
import dev.deepnarrow.core.MemoryPoint
import dev.deepnarrow.core.Stage
import dev.deepnarrow.core.sha256
import java.io.File
import java.time.Instant
import java.time.temporal.ChronoUnit

/**
 * What an Android phone tells an app about itself.
 *
 * @property readings the run's own: the limit on how often headroom may be asked counts for the whole process.
 */
class AndroidDeviceProbe(
    private val context: Context,
    private val readings: PhoneReadings,
    private val foreground: () -> Boolean,
    private val proc: ProcFiles = ProcFiles(),
    private val clock: Clock = AndroidClock,
) : DeviceProbe {
    private val cores = proc.cpuIds().ifEmpty { (0 until usableCores()).toList() }

    override fun harness() = HarnessInfo(
        name = "deepnarrow-android",
        version = context.packageManager.getPackageInfo(context.packageName, 0).versionName ?: "unknown",
        build = File(context.applicationInfo.sourceDir.orEmpty()).takeIf { it.isFile }?.let(::sha256),
        debug = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0,
    )

    override fun device() = Device(
        kind = if (isEmulator()) DeviceKind.EMULATOR else DeviceKind.PHONE,
        os = "android",
        osVersion = Build.VERSION.RELEASE,
        osBuild = Build.FINGERPRINT,
        manufacturer = Build.MANUFACTURER.takeUnless { it == Build.UNKNOWN },
        model = Build.MODEL,
        soc = soc(),
        abi = Build.SUPPORTED_ABIS.firstOrNull() ?: Build.UNKNOWN,
        cores = cores.map { Core(it, proc.maxKhz(it)) },
        ramBytes = readings.totalRam(),
    )

    private fun soc(): String? {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.S) return Build.HARDWARE.takeUnless { it == Build.UNKNOWN }
        return listOf(Build.SOC_MANUFACTURER, Build.SOC_MODEL).filter { it != Build.UNKNOWN }.joinToString(" ").ifEmpty { null }
    }

    override fun environment(): Environment {
        val battery = readings.battery()
        return Environment(
            timeUtc = Instant.ofEpochMilli(clock.wallMs()).truncatedTo(ChronoUnit.SECONDS).toString(),
            monotonicNs = clock.monotonicNs(),
            bootNs = clock.bootNs(),
            thermalStatus = readings.thermalStatus(),
            thermalHeadroom = readings.thermalHeadroom(),
            batteryPercent = battery.percent,
            batteryCelsius = battery.celsius,
            batteryCurrentUa = battery.currentMicroamperes,
            plugged = battery.plugged,
            powerSave = readings.powerSave(),
            foreground = foreground(),
            coreKhz = cores.map(proc::currentKhz),
            availableRamBytes = readings.availableRam(),
            loadAverage = proc.loadAverage(),
        )
    }

    override fun memory(after: Stage): MemoryPoint =
        readings.memory().let { MemoryPoint(after, it.resident, it.anonymous, it.file, it.swap, it.highWater) }

    override fun usableCores(): Int = Runtime.getRuntime().availableProcessors()

    /** Android closed `/proc/stat` to apps in version 8. */
    override fun foreignCpuNs(): Long? = null

    override fun coreCapsKhz(): List<Int?> = cores.map(proc::capKhz)

    /** In a release build the file belongs to root: only the process of a debuggable app may write it. */
    override fun resetPeakMemory(): Boolean = proc.startPeakAnew()

    companion object {
        private val EMULATORS = listOf("goldfish", "ranchu", "cutf", "vbox86", "robolectric")

        fun isEmulator(): Boolean = EMULATORS.any { Build.HARDWARE.startsWith(it) || Build.FINGERPRINT.startsWith(it) } ||
            Build.FINGERPRINT.startsWith("generic") || Build.MODEL.startsWith("Android SDK built for") || Build.MODEL.startsWith("sdk_gphone")
    }
}

object AndroidClock : Clock {
    override fun monotonicNs(): Long = System.nanoTime()

    override fun bootNs(): Long = SystemClock.elapsedRealtimeNanos()

    override fun wallMs(): Long = System.currentTimeMillis()

    override fun sleep(ms: Long) = Thread.sleep(ms)
}
