import Foundation

/// The harness looked and says no, with the kind of failure it is.
struct Refusal: Error {
    let failure: FailureKind
    let message: String
}

/// The run is over before its last stage; the record says why.
struct RunEnded: Error {}

/// One run's record while it grows: a shell first, whole again after each stage, `done.json` last.
final class Journal {
    private(set) var record: RunRecord
    /// Whether the peak of memory began anew after the bandwidth probe; if not, it is no number of the model's.
    var peakIsTheModels = false

    private let store: RunStore
    private let device: any DeviceProbe
    private let clock: any RunClock
    private let listener: any RunListener
    private let startedNs: Int
    private var stage = Stage.environment

    /// Throws `StorageFailure`.
    init(store: RunStore, request: RunRequest, device: any DeviceProbe, clock: any RunClock, listener: any RunListener) throws {
        self.store = store
        self.device = device
        self.clock = clock
        self.listener = listener
        startedNs = clock.monotonicNs()
        record = RunRecord(request: request, harness: device.harness(), device: device.device(), startedUtc: utc(wallMs: clock.wallMs()))
        try store.write(record)
    }

    /// Puts measured parts into the record, in memory; they are written when the stage ends.
    func note(_ change: (inout RunRecord) -> Void) {
        change(&record)
        listener.onRecord(record)
    }

    func progress(_ done: Int, of total: Int) { listener.onProgress(stage: stage, done: done, total: total) }

    /// Runs a stage. Whatever it throws becomes a failed record, of kind `onError` where the runtime failed, and then `RunEnded`.
    func stage<T>(_ stage: Stage, onError: FailureKind, _ body: () throws -> T) throws -> T {
        self.stage = stage
        do {
            try enter()
            let result = try body()
            try leave()
            return result
        } catch let ended as RunEnded {
            throw ended
        } catch {
            let (kind, message) = Self.describe(error, onError)
            _ = try end(.failed(stage: stage, failure: kind, message: message))
            throw RunEnded()
        }
    }

    /// Writes the final record and declares it complete. Throws `StorageFailure`.
    func end(_ outcome: Outcome) throws -> RunRecord {
        let duration = clock.monotonicNs() - startedNs
        note {
            $0.outcome = outcome
            $0.durationNs = duration
        }
        try store.write(record)
        try store.writeDone(runId: record.request.runId)
        return record
    }

    private func enter() throws {
        let stage = stage
        note { $0.outcome = .running(stage: stage) }
        try store.write(record)
        progress(0, of: 1)
    }

    private func leave() throws {
        if stage >= .load {
            let point = memoryNow()
            note { $0.memory.append(point) }
        }
        try store.write(record)
        progress(1, of: 1)
    }

    private func memoryNow() -> MemoryPoint {
        var point = device.memory(after: stage)
        if !peakIsTheModels { point.highWaterBytes = nil }
        return point
    }

    private static func describe(_ error: any Error, _ onError: FailureKind) -> (FailureKind, String) {
        switch error {
        case let refusal as Refusal: (refusal.failure, oneLine(refusal.message))
        case let user as UserError: (.artifact, user.message)
        case let failure as RuntimeFailure: (failure.outOfMemory ? .outOfMemory : onError, failure.message)
        case let storage as StorageFailure: (.storage, storage.message)
        default: (.internal, oneLine("\(type(of: error)): \(error)"))
        }
    }
}

/// ISO 8601 in UTC, to the second.
public func utc(wallMs: Int) -> String {
    Date(timeIntervalSince1970: Double(wallMs / 1000)).formatted(.iso8601)
}
