import Foundation
import HarnessCore

#if canImport(Darwin)
    import Darwin
#endif

/// Apple's clocks: timings stop in sleep (CLOCK_UPTIME_RAW), time since boot does not (CLOCK_MONOTONIC_RAW).
public final class AppleClock: RunClock, Sendable {
    public init() {}

    public func monotonicNs() -> Int {
        #if canImport(Darwin)
            Int(clock_gettime_nsec_np(CLOCK_UPTIME_RAW))
        #else
            Int(ProcessInfo.processInfo.systemUptime * 1e9)  // Linux only type-checks this target.
        #endif
    }

    public func bootNs() -> Int? {
        #if canImport(Darwin)
            Int(clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW))
        #else
            nil
        #endif
    }

    public func wallMs() -> Int { Int(Date().timeIntervalSince1970 * 1000) }

    public func sleep(ms: Int) { Thread.sleep(forTimeInterval: Double(ms) / 1000) }
}
