package dev.deepnarrow.harness

import dev.deepnarrow.core.ProcFiles
import android.app.ActivityManager
import android.content.Context
import android.content.Intent
import android.content.IntentFilter
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import android.os.SystemClock

/** Level in percent, Celsius, microamperes, plugged; each null where the phone does not tell. */
class Battery(val percent: Int?, val celsius: Double?, val currentMicroamperes: Int?, val plugged: Boolean?)

/** Memory of this process in bytes. */
class ProcessMemory(val resident: Long?, val anonymous: Long?, val file: Long?, val swap: Long?, val highWater: Long?)

/**
 * Everything that Android tells an app about the phone at this moment. Null means that it does not say. A process has one: Android
 * limits how often headroom is asked for the process, whoever asks.
 *
 * @param headroomNow asks Android; NaN where it does not answer.
 */
class PhoneReadings(private val context: Context, private val proc: ProcFiles = ProcFiles(), headroomNow: (() -> Float)? = null) {
    private val power: PowerManager? = context.getSystemService(PowerManager::class.java)
    private val activities: ActivityManager? = context.getSystemService(ActivityManager::class.java)
    private val askHeadroom = headroomNow ?: { if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) power?.getThermalHeadroom(0) ?: Float.NaN else Float.NaN }
    private var askedAtMs: Long? = null
    private var headroom: Double? = null
    private var headroomAtMs = 0L

    fun thermalStatus(): Int? = if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.Q) power?.currentThermalStatus else null

    /** Asked at most once a second: called faster, Android answers NaN. The last answer stands for [HEADROOM_VALID_MS]. */
    @Synchronized
    fun thermalHeadroom(): Double? {
        val now = SystemClock.elapsedRealtime()
        if (askedAtMs.let { it == null || now - it >= HEADROOM_INTERVAL_MS }) {
            askedAtMs = now
            val answer = askHeadroom()
            if (!answer.isNaN()) {
                headroom = answer.toDouble()
                headroomAtMs = now
            }
        }
        return headroom?.takeIf { now - headroomAtMs <= HEADROOM_VALID_MS }
    }

    fun battery(): Battery {
        val sticky = context.registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        fun extra(name: String): Int? = sticky?.getIntExtra(name, Int.MIN_VALUE)?.takeUnless { it == Int.MIN_VALUE }
        val level = extra(BatteryManager.EXTRA_LEVEL)
        val scale = extra(BatteryManager.EXTRA_SCALE)?.takeIf { it > 0 }
        return Battery(
            percent = if (level == null || scale == null) null else level * 100 / scale,
            celsius = extra(BatteryManager.EXTRA_TEMPERATURE)?.let { it / 10.0 },
            currentMicroamperes = batteryCurrent(),
            plugged = extra(BatteryManager.EXTRA_PLUGGED)?.let { it != 0 },
        )
    }

    // 0 and the smallest integer both stand for "not supported" on one phone or another; a phone that runs never draws nothing.
    private fun batteryCurrent(): Int? = context.getSystemService(BatteryManager::class.java)
        ?.getIntProperty(BatteryManager.BATTERY_PROPERTY_CURRENT_NOW)?.takeUnless { it == 0 || it == Int.MIN_VALUE }

    fun powerSave(): Boolean? = power?.isPowerSaveMode

    fun totalRam(): Long? = memoryInfo()?.totalMem?.takeIf { it > 0 }

    fun availableRam(): Long? = memoryInfo()?.takeIf { it.totalMem > 0 }?.availMem

    /** What may still be used before Android calls memory low and begins to end processes. */
    fun ramUntilLow(): Long? = memoryInfo()?.takeIf { it.totalMem > 0 }?.let { it.availMem - it.threshold }

    private fun memoryInfo(): ActivityManager.MemoryInfo? =
        activities?.let { manager -> ActivityManager.MemoryInfo().also { manager.getMemoryInfo(it) } }

    /**
     * From the kernel: resident memory split into anonymous pages and mapped files, and its peak. Shared memory is anonymous too:
     * no file is behind it, and caches lie there.
     */
    fun memory(): ProcessMemory = ProcessMemory(
        resident = proc.statusBytes("VmRSS"),
        anonymous = proc.statusBytes("RssAnon")?.plus(proc.statusBytes("RssShmem") ?: 0),
        file = proc.statusBytes("RssFile"),
        swap = proc.statusBytes("VmSwap"),
        highWater = proc.statusBytes("VmHWM"),
    )

    private companion object {
        const val HEADROOM_INTERVAL_MS = 1000L
        const val HEADROOM_VALID_MS = 10_000L
    }
}
