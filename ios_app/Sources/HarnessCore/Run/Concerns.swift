import Foundation

/// Clocks when the timed stages began or ended; `foreignNs` is processor time of all other processes, `capsKhz` the clock that each
/// core may reach.
struct Clocks {
    let monotonicNs: Int
    let bootNs: Int?
    let wallMs: Int
    let foreignNs: Int?
    let capsKhz: [Int?]

    init(_ clock: any RunClock, _ device: any DeviceProbe) {
        monotonicNs = clock.monotonicNs()
        bootNs = clock.bootNs()
        wallMs = clock.wallMs()
        foreignNs = device.foreignCpuNs()
        capsKhz = device.coreCapsKhz()
    }
}

/// Everything that is wrong with a run that ran to its end: what was asked against what was observed, before against after.
struct Concerns {
    /// As in androidx.benchmark.
    private static let lowBatteryPercent = 25
    /// Android's moderate, Apple's fair: the system slows the processor.
    private static let throttlingStatus = 2
    private static let maxSleepMs = 200
    private static let maxWallJumpMs = 2000
    private static let maxForeignCores = 0.1
    private static let minFrequencyShare = 0.8

    private let record: RunRecord
    private let reference: TextReference
    private let before: Clocks
    private let after: Clocks
    private var found: [Concern] = []

    private var environments: [DeviceEnvironment] { [record.environmentBefore, record.environmentAfter].compactMap { $0 } }

    static func find(_ record: RunRecord, _ reference: TextReference, before: Clocks, after: Clocks) -> [Concern] {
        var concerns = Concerns(record: record, reference: reference, before: before, after: after)
        concerns.program()
        concerns.power()
        concerns.heat()
        concerns.clocks()
        concerns.runtime()
        concerns.machine()
        return concerns.found
    }

    private init(record: RunRecord, reference: TextReference, before: Clocks, after: Clocks) {
        self.record = record
        self.reference = reference
        self.before = before
        self.after = after
    }

    private mutating func program() {
        if record.harness.debug { warn(.debugBuild, "\(record.harness.name) is a debug build") }
        if record.device.kind == .emulator { warn(.emulator, "\(record.device.model) is an emulator") }
        if environments.contains(where: { $0.foreground == false }) { invalid(.background, "the app was not in the foreground") }
        if record.selfCheck?.decisiveSteps == 0 && reference.logitSample == nil {
            warn(.notChecked, "no step of reference.json is decisive, and it has no sample of logits")
        }
    }

    private mutating func power() {
        if environments.contains(where: { $0.powerSave == true }) { invalid(.powerSave, "the device saves power") }
        if environments.contains(where: { $0.plugged == true }) { warn(.charging, "the device is plugged in, which warms it") }
        let percent = environments.filter { $0.plugged != true }.compactMap(\.batteryPercent).min()
        if let percent, percent < Self.lowBatteryPercent { warn(.lowBattery, "battery at \(percent) %, below \(Self.lowBatteryPercent) %") }
    }

    private mutating func heat() {
        let status = record.environmentAfter?.thermalStatus ?? 0
        let detail = "thermal status \(status) at the end of the run"
        if status >= Self.throttlingStatus { invalid(.thermalStatus, detail) } else if status > 0 { warn(.thermalStatus, detail) }
        if let limit = record.request.startLimits.maxBatteryCelsius, let celsius = record.environmentAfter?.batteryCelsius, celsius > limit {
            warn(.batteryTemperature, "battery at \(celsius) C at the end of the run, above max_battery_celsius \(limit)")
        }
    }

    private mutating func clocks() {
        let elapsedNs = after.monotonicNs - before.monotonicNs
        if let first = before.bootNs, let last = after.bootNs {
            let sleptMs = (last - first - elapsedNs) / 1_000_000
            if abs(sleptMs) > Self.maxSleepMs { invalid(.clockJump, "the device slept or was stopped for \(sleptMs) ms during the run") }
        }
        let jumpMs = after.wallMs - before.wallMs - elapsedNs / 1_000_000
        if abs(jumpMs) > Self.maxWallJumpMs { warn(.clockJump, "the wall clock jumped by \(jumpMs) ms") }
    }

    private mutating func runtime() {
        let asked = record.request.protocol
        guard let seen = record.observed else { return }
        if let threads = seen.numThreads, threads != asked.numThreads {
            invalid(.threadsDiffer, "asked for \(asked.numThreads) threads, the runtime uses \(threads)")
        }
        if let mode = seen.loadMode, asked.loadMode != .default, mode != asked.loadMode {
            invalid(.loadModeDiffers, "asked for load mode \(asked.loadMode.rawValue), the runtime used \(mode.rawValue)")
        }
        if asked.backend != .default, !seen.backends.contains(where: { BackendWords.names($0, asked.backend) }) {
            invalid(.backendDiffers, "asked for backend \(asked.backend.rawValue), the runtime uses \(seen.backends.joined(separator: ", "))")
        }
    }

    private mutating func machine() {
        if let first = before.foreignNs, let last = after.foreignNs, after.monotonicNs > before.monotonicNs {
            let cores = Double(last - first) / Double(after.monotonicNs - before.monotonicNs)
            if cores > Self.maxForeignCores {
                let busy = String(format: "%.2f", cores)
                warn(.busyMachine, "other processes kept \(busy) of \(record.device.cores.count) cores busy during the run")
            }
        }
        let lowered = zip(before.capsKhz, after.capsKhz).enumerated().compactMap { index, caps -> String? in
            guard let first = caps.0, let last = caps.1, Double(last) < Double(first) * Self.minFrequencyShare else { return nil }
            let id = record.device.cores.indices.contains(index) ? record.device.cores[index].id : index
            return "core \(id) from \(first) to \(last) kHz"
        }
        if !lowered.isEmpty {
            warn(.frequencyDrop, "the system lowered the highest clock of \(lowered.joined(separator: ", ")) during the run")
        }
    }

    private mutating func warn(_ code: ConcernCode, _ detail: String) {
        found.append(Concern(code: code, severity: .warning, detail: detail))
    }

    private mutating func invalid(_ code: ConcernCode, _ detail: String) {
        found.append(Concern(code: code, severity: .invalid, detail: detail))
    }
}

/// What runtimes call their backends: `CPUExecutionProvider`, `XnnpackBackend`, `cpu-and-gpu`, `gpu:118` (operations of a plan).
enum BackendWords {
    private static let suffixes = ["executionprovider", "backend"]

    /// Whether `observed` is the word asked for. Whole words: a run on `cpu-and-gpu` is not one on `cpu`.
    static func names(_ observed: String, _ asked: Backend) -> Bool {
        var name = observed.lowercased()
        if let colon = name.firstIndex(of: ":") { name = String(name[..<colon]) }
        for suffix in suffixes where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
        return name == asked.rawValue
    }
}
