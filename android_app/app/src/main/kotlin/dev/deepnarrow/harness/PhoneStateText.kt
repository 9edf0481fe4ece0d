package dev.deepnarrow.harness

import android.content.Context
import android.content.pm.ApplicationInfo
import android.os.PowerManager
import dev.deepnarrow.core.ProbeProtocol
import dev.deepnarrow.harness.ui.Format

/** The phone's state for people; the record has the numbers and its own concerns. */
object PhoneStateText {
    private val THERMAL = listOf("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
    private const val LOW_BATTERY_PERCENT = 25

    fun line(readings: PhoneReadings): String {
        val battery = readings.battery()
        val parts = listOfNotNull(
            readings.thermalStatus()?.let { "thermal status $it (${THERMAL.getOrElse(it) { "unknown" }})" },
            readings.thermalHeadroom()?.let { "headroom ${"%.2f".format(java.util.Locale.ROOT, it)} of 1" },
            battery.percent?.let { "battery $it %" },
            battery.celsius?.let { "$it °C" },
            battery.plugged?.let { if (it) "plugged in" else "not plugged in" },
        )
        return parts.joinToString(", ").ifEmpty { "this phone tells neither temperature nor battery" }
    }

    /** What would make a run's numbers doubtful if it started now. */
    fun concerns(context: Context, readings: PhoneReadings): List<String> {
        val battery = readings.battery()
        val hot = (readings.thermalStatus() ?: PowerManager.THERMAL_STATUS_NONE) > PowerManager.THERMAL_STATUS_NONE
        return listOfNotNull(
            "debug build: ART checks more, so take numbers from the release build".takeIf { isDebug(context) },
            "emulator: its numbers say nothing about any phone".takeIf { AndroidDeviceProbe.isEmulator() },
            "battery at ${battery.percent} %: phones save power below $LOW_BATTERY_PERCENT %".takeIf { (battery.percent ?: 100) < LOW_BATTERY_PERCENT },
            "plugged in: charging warms the phone".takeIf { battery.plugged == true },
            "battery saver is on: it caps the clocks".takeIf { readings.powerSave() == true },
            "the phone is warm: it may lower its clocks during a run".takeIf { hot },
        )
    }

    /**
     * What a run of [chosen] needs against what is left. Counts the model, its whole cache in float32 and a margin as large as the
     * bandwidth probe's buffer, which is given back before the model is loaded. Null if it fits or the phone does not tell.
     */
    fun memory(chosen: FoundChoice, ramUntilLow: Long?): String? {
        val largest = chosen.artifacts.maxBy { it.modelBytes + it.cacheBytes }
        val needed = largest.modelBytes + largest.cacheBytes + MARGIN_BYTES
        if (ramUntilLow == null || needed <= ramUntilLow) return null
        val parts = "model ${Format.megabytes(largest.modelBytes)}, cache ${Format.megabytes(largest.cacheBytes)}, margin ${Format.megabytes(MARGIN_BYTES)}"
        return "memory: ${largest.shapeName} needs about ${Format.megabytes(needed)} ($parts), but ${Format.megabytes(maxOf(0, ramUntilLow))} " +
            "are left before Android ends processes: close other apps"
    }

    private val MARGIN_BYTES = ProbeProtocol().bufferBytes

    private fun isDebug(context: Context) = context.applicationInfo.flags and ApplicationInfo.FLAG_DEBUGGABLE != 0
}
