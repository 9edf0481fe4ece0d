package dev.deepnarrow.core

import java.util.Locale

/**
 * Clocks when the timed stages began or ended; [foreignNs] is processor time of all other processes, [capsKhz] the clock that each
 * core may reach.
 */
internal class Clocks(val monotonicNs: Long, val bootNs: Long?, val wallMs: Long, val foreignNs: Long?, val capsKhz: List<Int?>) {
    companion object {
        fun read(clock: Clock, device: DeviceProbe) =
            Clocks(clock.monotonicNs(), clock.bootNs(), clock.wallMs(), device.foreignCpuNs(), device.coreCapsKhz())
    }
}

/** Everything that is wrong with a run that ran to its end: what was asked against what was observed, before against after. */
internal class Concerns(private val record: RunRecord, private val reference: TextReference, private val before: Clocks, private val after: Clocks) {
    private val found = ArrayList<Concern>()
    private val environments = listOfNotNull(record.environmentBefore, record.environmentAfter)

    fun find(): List<Concern> {
        program()
        power()
        heat()
        clocks()
        runtime()
        machine()
        return found
    }

    private fun program() {
        if (record.harness.debug) warn(ConcernCode.DEBUG_BUILD, "${record.harness.name} is a debug build")
        if (record.device.kind == DeviceKind.EMULATOR) warn(ConcernCode.EMULATOR, "${record.device.model} is an emulator")
        if (environments.any { it.foreground == false }) invalid(ConcernCode.BACKGROUND, "the app was not in the foreground")
        val check = record.selfCheck
        if (check != null && check.decisiveSteps == 0 && reference.logitSample == null) {
            warn(ConcernCode.NOT_CHECKED, "no step of reference.json is decisive, and it has no sample of logits")
        }
    }

    private fun power() {
        if (environments.any { it.powerSave == true }) invalid(ConcernCode.POWER_SAVE, "the device saves power")
        if (environments.any { it.plugged == true }) warn(ConcernCode.CHARGING, "the device is plugged in, which warms it")
        val percent = environments.filter { it.plugged != true }.mapNotNull { it.batteryPercent }.minOrNull()
        if (percent != null && percent < LOW_BATTERY_PERCENT) warn(ConcernCode.LOW_BATTERY, "battery at $percent %, below $LOW_BATTERY_PERCENT %")
    }

    private fun heat() {
        val status = record.environmentAfter?.thermalStatus ?: 0
        val detail = "thermal status $status at the end of the run"
        if (status >= THROTTLING_STATUS) invalid(ConcernCode.THERMAL_STATUS, detail) else if (status > 0) warn(ConcernCode.THERMAL_STATUS, detail)
        val limit = record.request.startLimits.maxBatteryCelsius
        val celsius = record.environmentAfter?.batteryCelsius
        if (limit != null && celsius != null && celsius > limit) {
            warn(ConcernCode.BATTERY_TEMPERATURE, "battery at $celsius C at the end of the run, above max_battery_celsius $limit")
        }
    }

    private fun clocks() {
        val elapsedNs = after.monotonicNs - before.monotonicNs
        if (before.bootNs != null && after.bootNs != null) {
            val sleptMs = (after.bootNs - before.bootNs - elapsedNs) / 1_000_000
            if (Math.abs(sleptMs) > MAX_SLEEP_MS) invalid(ConcernCode.CLOCK_JUMP, "the device slept or was stopped for $sleptMs ms during the run")
        }
        val jumpMs = after.wallMs - before.wallMs - elapsedNs / 1_000_000
        if (Math.abs(jumpMs) > MAX_WALL_JUMP_MS) warn(ConcernCode.CLOCK_JUMP, "the wall clock jumped by $jumpMs ms")
    }

    private fun runtime() {
        val asked = record.request.protocol
        val seen = record.observed ?: return
        if (seen.numThreads != null && seen.numThreads != asked.numThreads) {
            invalid(ConcernCode.THREADS_DIFFER, "asked for ${asked.numThreads} threads, the runtime uses ${seen.numThreads}")
        }
        if (asked.loadMode != LoadMode.DEFAULT && seen.loadMode != null && seen.loadMode != asked.loadMode) {
            invalid(ConcernCode.LOAD_MODE_DIFFERS, "asked for load mode ${asked.loadMode.word}, the runtime used ${seen.loadMode.word}")
        }
        if (asked.backend != Backend.DEFAULT && seen.backends.none { it.contains(asked.backend.word, ignoreCase = true) }) {
            invalid(ConcernCode.BACKEND_DIFFERS, "asked for backend ${asked.backend.word}, the runtime uses ${seen.backends.joinToString()}")
        }
    }

    private fun machine() {
        if (before.foreignNs != null && after.foreignNs != null && after.monotonicNs > before.monotonicNs) {
            val cores = (after.foreignNs - before.foreignNs).toDouble() / (after.monotonicNs - before.monotonicNs)
            if (cores > MAX_FOREIGN_CORES) {
                warn(ConcernCode.BUSY_MACHINE, "other processes kept ${"%.2f".format(Locale.ROOT, cores)} of ${record.device.cores.size} cores busy during the run")
            }
        }
        caps()
    }

    private fun caps() {
        val lowered = before.capsKhz.zip(after.capsKhz).mapIndexedNotNull { index, (first, last) ->
            "core ${record.device.cores.getOrNull(index)?.id ?: index} from $first to $last kHz".takeIf { first != null && last != null && last < first * MIN_FREQUENCY_SHARE }
        }
        if (lowered.isNotEmpty()) warn(ConcernCode.FREQUENCY_DROP, "the system lowered the highest clock of ${lowered.joinToString()} during the run")
    }

    private fun warn(code: ConcernCode, detail: String) = found.add(Concern(code, Severity.WARNING, detail))

    private fun invalid(code: ConcernCode, detail: String) = found.add(Concern(code, Severity.INVALID, detail))

    private companion object {
        /** As in androidx.benchmark. */
        const val LOW_BATTERY_PERCENT = 25

        /** Android's MODERATE: the system slows the processor. */
        const val THROTTLING_STATUS = 2
        const val MAX_SLEEP_MS = 200L
        const val MAX_WALL_JUMP_MS = 2000L
        const val MAX_FOREIGN_CORES = 0.1
        const val MIN_FREQUENCY_SHARE = 0.8
    }
}
