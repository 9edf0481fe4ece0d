import Foundation

@testable import HarnessCore

/// A clock that moves by a microsecond whenever it is read, and by what it sleeps.
final class ScriptedClock: RunClock {
    var nowNs = 1_000_000_000
    var bootOffsetNs = 500_000_000
    var wallOffsetMs = 1_764_000_000_000
    var reads = 0

    func monotonicNs() -> Int {
        reads += 1
        nowNs += 1000
        return nowNs
    }

    func bootNs() -> Int? { nowNs + bootOffsetNs }

    func wallMs() -> Int { nowNs / 1_000_000 + wallOffsetMs }

    func sleep(ms: Int) { nowNs += ms * 1_000_000 }
}

/// A device whose readings a test sets.
final class ScriptedDevice: DeviceProbe {
    let clock: ScriptedClock
    var info = HarnessInfo(name: "deepnarrow-swift", version: "0.1.0", build: nil, debug: false)
    var kind = DeviceKind.fake
    var cores = 8
    var foreignNs = 0
    var capsKhz: [Int?] = [2_000_000]
    var resetsPeak = true
    /// Changes the readings; called with the number of readings of this run so far.
    var change: (Int, inout DeviceEnvironment) -> Void = { _, _ in }
    private var readings = 0

    init(_ clock: ScriptedClock) { self.clock = clock }

    func harness() -> HarnessInfo { info }

    /// Asked once, when a run begins.
    func device() -> DeviceFacts {
        readings = 0
        return DeviceFacts(
            kind: kind, os: "test", osVersion: "1", osBuild: "1", manufacturer: nil, model: "Scripted", soc: nil, abi: "none",
            cores: [Core(id: 0, maxKhz: 2_000_000)], ramBytes: nil)
    }

    func environment() -> DeviceEnvironment {
        var now = DeviceEnvironment(timeUtc: utc(wallMs: clock.wallMs()), monotonicNs: clock.monotonicNs(), bootNs: clock.bootNs())
        change(readings, &now)
        readings += 1
        return now
    }

    func memory(after stage: Stage) -> MemoryPoint {
        MemoryPoint(after: stage, rssBytes: 100, anonymousBytes: 60, fileBytes: 40, swapBytes: 0, highWaterBytes: 120)
    }

    func usableCores() -> Int { cores }

    func foreignCpuNs() -> Int? { foreignNs }

    func coreCapsKhz() -> [Int?] { capsKhz }

    func resetPeakMemory() -> Bool { resetsPeak }
}

/// What a run did to its runtime, in order.
final class CallLog {
    enum Call: Equatable, CustomStringConvertible {
        case prepare
        case load(LoadMode)
        case write(count: Int, position: Int)
        case forward

        var description: String {
            switch self {
            case .prepare: "prepare"
            case .load(let mode): "load \(mode.rawValue)"
            case .write(let count, let position): "write \(count)@\(position)"
            case .forward: "forward"
            }
        }
    }

    var calls: [Call] = []
}

/// Answers as `reference.json` does: text and position decide.
final class ScriptedRuntime: LlmRuntime {
    var observed = ObservedRuntime(name: "scripted", version: "1", numThreads: nil, loadMode: nil, backends: ["CPUExecutionProvider"])
    private let log: CallLog
    private let answers: [[Int64]: Int]
    private let rows: [[Int64]: [Double]]
    private var tokens: [Int64] = []
    /// Called before each forward with the number of forwards so far.
    var onForward: (Int) throws -> Void
    private var forwards = 0
    private let logs: Bool

    /// `logitError` is added to the sampled logits of a step.
    init(
        _ log: CallLog, reference: TextReference, onForward: @escaping (Int) throws -> Void, logitError: (Int) -> Double = { _ in 0 },
        logs: Bool = true
    ) {
        self.log = log
        self.onForward = onForward
        self.logs = logs
        var answers: [[Int64]: Int] = [:]
        for text in reference.texts {
            for step in text.greedy.indices { answers[(text.prompt + text.greedy.prefix(step)).map(Int64.init)] = text.greedy[step] }
        }
        self.answers = answers
        var rows: [[Int64]: [Double]] = [:]
        for (step, row) in (reference.logitSample?.rows ?? []).enumerated() {
            let text = reference.texts[0]
            rows[(text.prompt + text.greedy.prefix(step)).map(Int64.init)] = row.map { $0 + logitError(step) }
        }
        self.rows = rows
    }

    func write(token: Int64, position: Int) throws {
        tokens.removeSubrange(min(position, tokens.count)...)
        tokens.append(token)
        if logs { log.calls.append(.write(count: 1, position: position)) }
    }

    func write(tokens added: [Int64], from: Int, count: Int, position: Int) throws {
        tokens.removeSubrange(min(position, tokens.count)...)
        tokens += added[from..<from + count]
        if logs { log.calls.append(.write(count: count, position: position)) }
    }

    func forward() throws {
        try onForward(forwards)
        forwards += 1
        if logs { log.calls.append(.forward) }
    }

    func argmax() -> Int { answers[tokens] ?? 0 }

    func logits(of ids: [Int]) -> [Double] { rows[tokens] ?? ids.map { _ in .infinity } }
}

/// An engine for ONNX artifacts that runs nothing.
final class ScriptedEngine: LlmEngine {
    let target = TargetName.onnx
    let backends: [Backend] = [.default, .cpu]
    let loadModes: [LoadMode] = [.default, .mmap]
    let log = CallLog()
    var options: LoadOptions?
    var observed: ObservedRuntime?
    var onForward: (Int) throws -> Void = { _ in }
    var onLoad: () throws -> Void = {}
    var logitError: (Int) -> Double = { _ in 0 }

    func prepare(_ artifact: Artifact, options: LoadOptions) throws { log.calls.append(.prepare) }

    func load(_ artifact: Artifact, options: LoadOptions) throws -> any LlmRuntime {
        log.calls.append(.load(options.loadMode))
        self.options = options
        try onLoad()
        guard case .text(let reference) = artifact.reference else { throw RuntimeFailure("not a decoder") }
        let runtime = ScriptedRuntime(log, reference: reference, onForward: onForward, logitError: logitError)
        if let observed { runtime.observed = observed }
        return runtime
    }
}

/// Keeps the stages that were reported.
final class KeptProgress: RunListener {
    var stages: [Stage] = []
    var onStage: (Stage) -> Void = { _ in }

    func onProgress(stage: Stage, done: Int, total: Int) {
        if stages.last != stage {
            stages.append(stage)
            onStage(stage)
        }
    }
}
