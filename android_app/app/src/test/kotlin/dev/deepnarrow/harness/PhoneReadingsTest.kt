package dev.deepnarrow.harness

import android.content.Context
import android.content.Intent
import android.os.BatteryManager
import android.os.Build
import android.os.PowerManager
import java.time.Duration
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowSystemClock

@RunWith(RobolectricTestRunner::class)
class PhoneReadingsTest {
    private val context: Context = RuntimeEnvironment.getApplication()
    private val readings = PhoneReadings(context)

    @Test
    fun `thermal status is known from Android 10 on`() {
        shadowOf(context.getSystemService(PowerManager::class.java)!!).setCurrentThermalStatus(PowerManager.THERMAL_STATUS_SEVERE)
        assertEquals(if (Build.VERSION.SDK_INT >= 29) 3 else null, readings.thermalStatus())
    }

    @Test
    fun `headroom that Android does not tell is null, not NaN`() {
        assertNull(readings.thermalHeadroom())
    }

    @Test
    fun `the last headroom stands while Android does not answer, and not for ever`() {
        var answer = 0.5f
        var asked = 0
        val readings = PhoneReadings(context, headroomNow = { answer.also { asked++ } })
        assertEquals(0.5, readings.thermalHeadroom()!!, 1e-9)
        readings.thermalHeadroom()
        assertEquals("asked again within a second", 1, asked)
        answer = Float.NaN
        ShadowSystemClock.advanceBy(Duration.ofSeconds(2))
        assertEquals(0.5, readings.thermalHeadroom()!!, 1e-9)
        assertEquals(2, asked)
        ShadowSystemClock.advanceBy(Duration.ofSeconds(10))
        assertNull(readings.thermalHeadroom())
    }

    @Test
    fun `shared memory counts as anonymous`() {
        val root = java.nio.file.Files.createTempDirectory("proc").toFile()
        root.resolve("proc/self").mkdirs()
        root.resolve("proc/self/status").writeText("RssAnon:\t4 kB\nRssFile:\t3 kB\nRssShmem:\t2 kB\n")
        assertEquals(6L * 1024, PhoneReadings(context, dev.deepnarrow.core.ProcFiles(root)).memory().anonymous)
    }

    @Test
    @Suppress("DEPRECATION")
    fun `battery is read with its units`() {
        context.sendStickyBroadcast(
            Intent(Intent.ACTION_BATTERY_CHANGED).putExtra(BatteryManager.EXTRA_LEVEL, 150).putExtra(BatteryManager.EXTRA_SCALE, 200)
                .putExtra(BatteryManager.EXTRA_TEMPERATURE, 315).putExtra(BatteryManager.EXTRA_PLUGGED, BatteryManager.BATTERY_PLUGGED_USB),
        )
        shadowOf(context.getSystemService(BatteryManager::class.java)!!).setIntProperty(BatteryManager.BATTERY_PROPERTY_CURRENT_NOW, -250_000)
        val battery = readings.battery()
        assertEquals(75, battery.percent)
        assertEquals(31.5, battery.celsius!!, 1e-9)
        assertEquals(-250_000, battery.currentMicroamperes)
        assertEquals(true, battery.plugged)
        assertEquals("battery 75 %, 31.5 °C, plugged in", PhoneStateText.line(readings).substringAfter("(none), "))
        assertEquals(listOf("plugged in: charging warms the phone"), PhoneStateText.concerns(context, readings).filter { "plugged" in it })
    }

    @Test
    fun `a phone without battery broadcasts has no battery values`() {
        val battery = readings.battery()
        assertNull(battery.percent)
        assertNull(battery.celsius)
        assertNull(battery.plugged)
        assertNull(battery.currentMicroamperes)
    }

    @Test
    fun `power save is seen`() {
        shadowOf(context.getSystemService(PowerManager::class.java)!!).setIsPowerSaveMode(true)
        assertEquals(true, readings.powerSave())
    }

    @Test
    fun `what a process was doing fits into the bytes that Android keeps`() {
        assertEquals("r1 decode", ProcessDeaths.summary("r1", "decode").decodeToString())
        assertEquals(128, ProcessDeaths.summary("r".repeat(120), "self-check").size)
    }

    @Test
    fun `a death is found by its run and says where`() {
        if (Build.VERSION.SDK_INT < 30) return assertNull(ProcessDeaths(context).of("r1"))
        shadowOf(context.getSystemService(android.app.ActivityManager::class.java)!!).addApplicationExitInfo(
            org.robolectric.shadows.ShadowActivityManager.ApplicationExitInfoBuilder.newBuilder()
                .setReason(android.app.ApplicationExitInfo.REASON_LOW_MEMORY).setProcessStateSummary(ProcessDeaths.summary("r1", "load")).build(),
        )
        assertEquals("killed for memory in stage load", ProcessDeaths(context).of("r1"))
        assertNull(ProcessDeaths(context).of("r"))
    }
}
