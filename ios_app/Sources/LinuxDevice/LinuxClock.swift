#if os(Linux)
    import Foundation
    import Glibc
    import HarnessCore

    /// The kernel's clocks.
    public final class LinuxClock: RunClock, Sendable {
        public init() {}

        public func monotonicNs() -> Int { read(CLOCK_MONOTONIC) }

        public func bootNs() -> Int? { read(CLOCK_BOOTTIME) }

        public func wallMs() -> Int { read(CLOCK_REALTIME) / 1_000_000 }

        public func sleep(ms: Int) { Thread.sleep(forTimeInterval: Double(ms) / 1000) }

        private func read(_ clock: clockid_t) -> Int {
            var now = timespec()
            clock_gettime(clock, &now)
            return now.tv_sec * 1_000_000_000 + now.tv_nsec
        }
    }
#endif
