package dev.deepnarrow.core

/** The wait for the limits on heat and battery that must hold before anything is timed. */
internal class StartWait(private val limits: StartLimits, private val device: DeviceProbe, private val clock: Clock, private val journal: Journal) {
    /** Waits until all of them hold; ends the run as skipped if they do not in time. */
    fun await() {
        val began = clock.monotonicNs()
        while (true) {
            val now = device.environment()
            val waited = clock.monotonicNs() - began
            journal.note { copy(environmentBefore = now, startWaitNs = waited) }
            val violated = violated(now) ?: return
            if (waited >= limits.waitS * 1_000_000_000L) {
                journal.end(Skipped("$violated after ${limits.waitS} s"))
                throw RunEnded()
            }
            journal.progress((waited / 1_000_000_000L).toInt(), limits.waitS)
            clock.sleep(PERIOD_MS)
        }
    }

    /** The first limit that does not hold, in words; a device without the sensor passes. */
    private fun violated(now: Environment): String? = when {
        above(now.batteryCelsius, limits.maxBatteryCelsius) ->
            "battery at ${now.batteryCelsius} C, above max_battery_celsius ${limits.maxBatteryCelsius}"
        above(now.thermalStatus?.toDouble(), limits.maxThermalStatus?.toDouble()) ->
            "thermal status ${now.thermalStatus}, above max_thermal_status ${limits.maxThermalStatus}"
        above(limits.minBatteryPercent?.toDouble(), now.batteryPercent?.toDouble()) ->
            "battery at ${now.batteryPercent} %, below min_battery_percent ${limits.minBatteryPercent}"
        else -> null
    }

    private fun above(value: Double?, limit: Double?) = value != null && limit != null && value > limit

    private companion object {
        const val PERIOD_MS = 1000L
    }
}
