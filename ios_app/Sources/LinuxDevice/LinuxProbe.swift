import Foundation
import HarnessCore

/// What Linux tells about this machine.
public final class LinuxProbe: DeviceProbe {
    private static let nsPerTick = 10_000_000

    private let played: PlayedDevice?
    private let info: HarnessInfo
    private let clock: any RunClock
    private let proc: ProcFiles
    private let cpus: [Int]

    /// `played` is another device that this machine plays; nil for itself.
    public init(_ info: HarnessInfo, clock: any RunClock, played: PlayedDevice? = nil, proc: ProcFiles = ProcFiles()) {
        self.info = info
        self.clock = clock
        self.played = played
        self.proc = proc
        let known = proc.cpuIds()
        // A container may have no /sys.
        cpus = known.isEmpty ? Array(0..<(proc.allowedCpus() ?? ProcessInfo.processInfo.activeProcessorCount)) : known
    }

    public func harness() -> HarnessInfo { info }

    public func device() -> DeviceFacts {
        if let played { return played.device }
        let release = proc.kernelRelease() ?? "unknown"
        return DeviceFacts(
            kind: .desktop, os: "linux", osVersion: release, osBuild: release, manufacturer: nil, model: proc.processor() ?? Self.abi,
            soc: nil, abi: Self.abi, cores: cpus.map { Core(id: $0, maxKhz: proc.maxKhz($0)) }, ramBytes: proc.meminfoBytes("MemTotal"))
    }

    public func environment() -> DeviceEnvironment {
        let sensors = played?.environment
        var now = DeviceEnvironment(
            timeUtc: sensors?.timeUtc ?? utc(wallMs: clock.wallMs()), monotonicNs: clock.monotonicNs(), bootNs: clock.bootNs())
        now.thermalStatus = sensors?.thermalStatus
        now.thermalHeadroom = sensors?.thermalHeadroom
        now.batteryPercent = sensors?.batteryPercent
        now.batteryCelsius = sensors?.batteryCelsius
        now.plugged = sensors?.plugged
        now.powerSave = sensors?.powerSave
        now.foreground = sensors?.foreground
        now.coreKhz = played == nil ? cpus.map { proc.currentKhz($0) } : []
        now.availableRamBytes = proc.meminfoBytes("MemAvailable")
        now.loadAverage = proc.loadAverage()
        return now
    }

    public func memory(after stage: Stage) -> MemoryPoint {
        MemoryPoint(
            after: stage, rssBytes: proc.statusBytes("VmRSS"), anonymousBytes: proc.statusBytes("RssAnon"),
            fileBytes: proc.statusBytes("RssFile"), swapBytes: proc.statusBytes("VmSwap"), highWaterBytes: proc.statusBytes("VmHWM"))
    }

    public func usableCores() -> Int { proc.allowedCpus() ?? ProcessInfo.processInfo.activeProcessorCount }

    public func foreignCpuNs() -> Int? { proc.foreignTicks().map { $0 * Self.nsPerTick } }

    public func coreCapsKhz() -> [Int?] { played == nil ? cpus.map { proc.capKhz($0) } : [] }

    public func resetPeakMemory() -> Bool { proc.startPeakAnew() }

    #if arch(x86_64)
        private static let abi = "x86_64"
    #elseif arch(arm64)
        private static let abi = "arm64"
    #else
        private static let abi = "unknown"
    #endif
}
