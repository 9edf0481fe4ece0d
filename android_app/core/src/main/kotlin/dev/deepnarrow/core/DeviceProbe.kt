package dev.deepnarrow.core

/** What the machine tells about itself. Null means that it does not tell. Never called inside a timed region. */
interface DeviceProbe {
    fun harness(): HarnessInfo

    fun device(): Device

    fun environment(): Environment

    fun memory(after: Stage): MemoryPoint

    /** Cores that this process may run on. */
    fun usableCores(): Int

    /** Processor time that all processes but this one have used, in nanoseconds, stolen time included. */
    fun foreignCpuNs(): Long?

    /**
     * The clock that each core may reach now, in kHz: `scaling_max_freq`, which heat lowers. In the order of [Device.cores]. The
     * current clocks are no measure of heat, because an idle core slows down within milliseconds.
     */
    fun coreCapsKhz(): List<Int?>

    /**
     * Starts the peak of resident memory anew: the bandwidth probe's buffer is not the model's. Whether that worked: a peak that
     * includes the buffer says nothing about the model, and is recorded as not measured.
     */
    fun resetPeakMemory(): Boolean
}

/** Clocks; a test may replace them. */
interface Clock {
    /** The clock of all timings. */
    fun monotonicNs(): Long

    /** Time since boot, sleep included. */
    fun bootNs(): Long?

    /** The wall clock, which may be wrong. */
    fun wallMs(): Long

    fun sleep(ms: Long)
}

/** Watches a run from outside the timed regions. */
interface RunListener {
    /** [done] of [total] parts of a stage; also the sign of life. */
    fun onProgress(stage: Stage, done: Int, total: Int)

    /** The record as it now stands: after each stage, each prompt length and each context. */
    fun onRecord(record: RunRecord) = Unit

    object None : RunListener {
        override fun onProgress(stage: Stage, done: Int, total: Int) = Unit
    }
}
