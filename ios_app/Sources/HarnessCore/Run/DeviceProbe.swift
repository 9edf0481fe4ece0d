/// What the machine tells about itself. Nil means that it does not tell. Never called inside a timed region.
public protocol DeviceProbe: AnyObject {
    func harness() -> HarnessInfo

    func device() -> DeviceFacts

    func environment() -> DeviceEnvironment

    func memory(after stage: Stage) -> MemoryPoint

    /// Cores that this process may run on.
    func usableCores() -> Int

    /// Processor time that all processes but this one have used, in nanoseconds, stolen time included.
    func foreignCpuNs() -> Int?

    /// The clock that each core may reach now, in kHz, which heat lowers. In the order of `DeviceFacts.cores`.
    func coreCapsKhz() -> [Int?]

    /// Starts the peak of resident memory anew: the bandwidth probe's buffer is not the model's. Whether that worked: a peak that
    /// includes the buffer says nothing about the model, and is recorded as not measured.
    func resetPeakMemory() -> Bool
}

/// Clocks; a test may replace them.
public protocol RunClock: AnyObject {
    /// The clock of all timings.
    func monotonicNs() -> Int

    /// Time since boot, sleep included.
    func bootNs() -> Int?

    /// The wall clock, which may be wrong.
    func wallMs() -> Int

    func sleep(ms: Int)
}

/// Watches a run from outside the timed regions.
public protocol RunListener: AnyObject {
    /// `done` of `total` parts of a stage; also the sign of life.
    func onProgress(stage: Stage, done: Int, total: Int)

    /// The record as it now stands: after each stage, each prompt length and each context.
    func onRecord(_ record: RunRecord)
}

extension RunListener {
    public func onRecord(_ record: RunRecord) {}
}
