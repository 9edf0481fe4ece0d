import Foundation
import HarnessCore

/// Runs requests and tells about the phone. The app gives one with the real engines, tests give a scripted one.
public protocol Measurer: Sendable {
    /// Cores that the app may use.
    var numCores: Int { get }

    func conditions() -> Conditions

    /// Runs on the calling thread from the shell of the record to `done.json` below `runs`, and says how it ended. `listener` is
    /// called on the same thread. Throws `UserError` if nothing was recorded.
    func run(artifact: URL, request: RunRequest, runs: URL, listener: any RunListener) throws -> RunEnd
}

/// How a run ended, as its last line on standard output tells it.
public struct RunEnd: Sendable, Equatable {
    public let runId: String
    /// `completed`, `failed` or `skipped`.
    public let outcome: String
    public let message: String?

    public init(_ record: RunRecord) {
        runId = record.request.runId
        outcome = record.outcome.kind.rawValue
        message =
            switch record.outcome {
            case .failed(let stage, let failure, let message): "\(failure.rawValue) in stage \(stage.rawValue): \(message)"
            case .skipped(let message): message
            case .running, .completed: nil
            }
    }

    /// Of `action`, which runs in `store`. If the disk fails in the middle, a run has begun and did not end well, which is no bad input:
    /// the record is the last one that could be written. Throws `UserError` if nothing was recorded.
    public static func of(_ runId: String, _ store: RunStore, _ action: () throws -> RunRecord) throws -> RunEnd {
        do {
            return RunEnd(try action())
        } catch let failure as StorageFailure {
            let message = "\(FailureKind.storage.rawValue): the record cannot be written: \(failure.message)"
            guard FileManager.default.fileExists(atPath: store.recordFile.path) else { throw UserError(message) }
            return RunEnd(runId: runId, outcome: .failed, message: message)
        }
    }

    init(runId: String, outcome: Outcome.Kind, message: String?) {
        self.runId = runId
        self.outcome = outcome.rawValue
        self.message = message
    }

    public var completed: Bool { outcome == Outcome.Kind.completed.rawValue }
}

/// Where a run is watched.
public protocol RunScreen: Sendable {
    /// A sign of life, cheap enough for the middle of a context.
    func status(stage: Stage, done: Int, total: Int)

    /// Something new to see, between stages and contexts only; returns once it is drawn.
    func draw(_ state: RunningState)
}

/// Turns what the protocol tells into what the screen shows.
public final class ProgressListener: RunListener {
    private let screen: any RunScreen
    private let conditions: () -> Conditions
    private let place: String?
    private var record: RunRecord?
    private var stage: Stage?
    private var drawn: Progress?

    private struct Progress: Equatable {
        let stage: Stage
        let done: Int
        let total: Int
    }

    public init(screen: any RunScreen, place: String?, conditions: @escaping () -> Conditions) {
        self.screen = screen
        self.place = place
        self.conditions = conditions
    }

    public func onRecord(_ record: RunRecord) { self.record = record }

    public func onProgress(stage: Stage, done: Int, total: Int) {
        let isNew = stage != self.stage
        self.stage = stage
        screen.status(stage: stage, done: done, total: total)
        let now = Progress(stage: stage, done: done, total: total)
        if isHeartbeat(now, isNew) { return }
        drawn = now
        screen.draw(state(now))
    }

    /// Between steps of one context or of the sustained phase: reading the phone and drawing would cost the next steps time.
    private func isHeartbeat(_ now: Progress, _ isNew: Bool) -> Bool {
        switch now.stage {
        case .decode: now == drawn
        case .sustained: !isNew
        default: false
        }
    }

    private func state(_ now: Progress) -> RunningState {
        RunningState(
            title: record?.artifact?.shapeName ?? "Preparing", arm: record?.artifact?.arm, stage: now.stage, done: now.done, total: now.total,
            conditions: conditions().line, concerns: record?.concerns.map(Summaries.line) ?? [],
            latencies: record?.decode.map { StepLatencies(context: $0.context, forwardNs: $0.forwardNs) } ?? [], place: place)
    }
}
