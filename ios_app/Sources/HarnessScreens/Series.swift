import Foundation
import HarnessCore

/// The runs that one press of the button asked for. Each is a process of its own, so the app ends after each and goes on when it is
/// opened again. The plan is kept in a file; how far it is, the records tell, and no crash can make the two disagree.
public struct Series: Codable, Sendable, Equatable {
    public var session: String
    public var candidateId: String
    public var numThreads: Int
    public var backend: Backend
    public var contexts: [Int]
    public var runsPerSide: Int
    /// Nil for one artifact alone.
    public var first: Arm?

    public init(session: String, candidateId: String, numThreads: Int, backend: Backend, contexts: [Int], runsPerSide: Int, first: Arm?) {
        self.session = session
        self.candidateId = candidateId
        self.numThreads = numThreads
        self.backend = backend
        self.contexts = contexts
        self.runsPerSide = runsPerSide
        self.first = first
    }

    public var plan: [PlannedRun] { first.map { RunPlan.pair(runsPerSide: runsPerSide, first: $0) } ?? RunPlan.single(runs: runsPerSide) }

    public func runId(_ run: PlannedRun) -> String { "\(session).\(run.order < 10 ? "0" : "")\(run.order)" }

    /// `run 3 of 10`.
    public func place(_ run: PlannedRun) -> String { "run \(run.order + 1) of \(plan.count)" }

    /// Where it stands, by the records in `runs`.
    public func state(runs: URL) -> SeriesState {
        for run in plan {
            let folder = runs.appending(path: runId(run))
            let record = folder.appending(path: RunStore.recordName), done = folder.appending(path: RunStore.doneName)
            guard FileManager.default.fileExists(atPath: record.path) else { return .next(run) }
            guard FileManager.default.fileExists(atPath: done.path), let found = try? Wire.readRecord(record), found.outcome == .completed else {
                return .stopped(runId: runId(run))
            }
        }
        return .over
    }
}

public enum SeriesState: Sendable, Equatable {
    case next(PlannedRun)
    /// A run that did not complete ends the series: going on would only repeat it, on a phone that grows warmer.
    case stopped(runId: String)
    case over
}

/// The file of the series that is under way.
public struct SeriesFile: Sendable {
    let file: URL

    public init(_ folders: Folders) { file = folders.series }

    /// Nil where there is none. A file that cannot be read belongs to another version and is none.
    public func read() -> Series? {
        guard let data = FileManager.default.contents(atPath: file.path) else { return nil }
        return try? JSONDecoder().decode(Series.self, from: data)
    }

    /// Throws `UserError`.
    public func write(_ series: Series) throws {
        do {
            try JSONEncoder().encode(series).write(to: file, options: .atomic)
        } catch {
            throw UserError("\(file.path): cannot be written: \(error.localizedDescription)")
        }
    }

    public func remove() { try? FileManager.default.removeItem(at: file) }
}
