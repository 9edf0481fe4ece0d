#if canImport(UIKit)
    import Foundation
    import HarnessCore
    import UIKit
    import os

    /// What iOS tells about this device. Nothing here has run: see docs/ios.md.
    public final class AppleProbe: DeviceProbe {
        private let info: HarnessInfo
        private let clock: any RunClock
        private let foreground: Foreground
        private var peakAfterProbe: Int?

        public init(_ info: HarnessInfo = AppleProbe.harness, clock: any RunClock = AppleClock(), foreground: Foreground = .shared) {
            self.info = info
            self.clock = clock
            self.foreground = foreground
        }

        /// The app's name on the wire, its version and its build number.
        public static var harness: HarnessInfo {
            #if DEBUG
                let debug = true
            #else
                let debug = false
            #endif
            let build = Bundle.main.object(forInfoDictionaryKey: "CFBundleVersion") as? String
            return HarnessInfo(name: "deepnarrow-ios", version: harnessVersion, build: build, debug: debug)
        }

        public func harness() -> HarnessInfo { info }

        public func device() -> DeviceFacts {
            let simulated = ProcessInfo.processInfo.environment["SIMULATOR_MODEL_IDENTIFIER"]
            return DeviceFacts(
                kind: simulated == nil ? .phone : .emulator, os: "ios", osVersion: Self.osVersion,
                osBuild: AppleKernel.text("kern.osversion") ?? "unknown", manufacturer: "Apple",
                model: simulated ?? AppleKernel.text("hw.machine") ?? "unknown", soc: nil, abi: "arm64",
                cores: (0..<(AppleKernel.number("hw.ncpu") ?? 0)).map { Core(id: $0, maxKhz: nil) }, ramBytes: AppleKernel.number("hw.memsize"))
        }

        public func environment() -> DeviceEnvironment {
            let seen = foreground.readings()
            var now = DeviceEnvironment(timeUtc: utc(wallMs: clock.wallMs()), monotonicNs: clock.monotonicNs(), bootNs: clock.bootNs())
            now.thermalStatus = Self.status(ProcessInfo.processInfo.thermalState)
            now.batteryPercent = seen.batteryPercent
            now.plugged = seen.plugged
            now.powerSave = ProcessInfo.processInfo.isLowPowerModeEnabled
            now.foreground = seen.foreground
            let available = os_proc_available_memory()
            now.availableRamBytes = available > 0 ? available : nil
            return now
        }

        public func memory(after stage: Stage) -> MemoryPoint {
            let memory = AppleKernel.memory()
            let isTheModels = memory.map { $0.peak > peakAfterProbe ?? Int.max } ?? false
            return MemoryPoint(
                after: stage, rssBytes: memory?.resident, anonymousBytes: memory?.anonymous, fileBytes: memory?.file,
                swapBytes: memory?.compressed, highWaterBytes: isTheModels ? memory?.peak : nil)
        }

        public func usableCores() -> Int { ProcessInfo.processInfo.activeProcessorCount }

        /// The sandbox's answer to `host_statistics` is not known; other processes are not counted.
        public func foreignCpuNs() -> Int? { nil }

        /// Apple tells no clock rates.
        public func coreCapsKhz() -> [Int?] { [] }

        /// The peak stays; from here on only a higher one is the model's.
        public func resetPeakMemory() -> Bool {
            peakAfterProbe = AppleKernel.memory()?.peak
            return peakAfterProbe != nil
        }

        private static var osVersion: String {
            let version = ProcessInfo.processInfo.operatingSystemVersion
            return "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
        }

        private static func status(_ state: ProcessInfo.ThermalState) -> Int {
            switch state {
            case .nominal: 0
            case .fair: 2
            case .serious: 3
            case .critical: 4
            @unknown default: 4
            }
        }
    }
#endif
